"""Rules, alerts, channels and notifications."""

from urllib.parse import quote

from aiohttp import web

from services.common.errors import FieldError, InvalidArgumentError
from services.gateway.domain.ports import Alerting
from services.gateway.web.body import read_model, read_query
from services.gateway.web.respond import json_response, page_response
from services.gateway.web.schemas.alerting import AlertsQuery, ChannelBody, ChannelUpdateBody, NotificationsQuery, RuleBody
from services.gateway.web.schemas.base import PageQuery


class AlertingHandlers:
    """`/api/v1/rules`, `/alerts`, `/channels` and `/notifications`."""

    def __init__(self, alerting: Alerting) -> None:
        self._alerting = alerting

    async def list_rules(self, request: web.Request) -> web.Response:
        """Rules in order of name."""
        given = read_query(request, PageQuery)
        return page_response(await self._alerting.list_rules(given.page_size, given.page_token))

    async def create_rule(self, request: web.Request) -> web.Response:
        """Make a rule."""
        body = await read_model(request, RuleBody)
        rule = await self._alerting.create_rule(body.model_dump())
        return json_response(rule, 201, {"Location": f"/api/v1/rules/{quote(rule['id'], safe='')}"})

    async def get_rule(self, request: web.Request) -> web.Response:
        """One rule."""
        return json_response(await self._alerting.get_rule(request.match_info["id"]))

    async def update_rule(self, request: web.Request) -> web.Response:
        """Replace a rule."""
        body = await read_model(request, RuleBody)
        return json_response(await self._alerting.update_rule(request.match_info["id"], body.model_dump()))

    async def delete_rule(self, request: web.Request) -> web.Response:
        """Delete a rule."""
        await self._alerting.delete_rule(request.match_info["id"])
        return web.Response(status=204)

    async def list_alerts(self, request: web.Request) -> web.Response:
        """Alerts, the newest first."""
        given = read_query(request, AlertsQuery)
        return page_response(await self._alerting.list_alerts(given.state, given.page_size, given.page_token))

    async def list_channels(self, request: web.Request) -> web.Response:
        """Channels in order of name."""
        given = read_query(request, PageQuery)
        return page_response(await self._alerting.list_channels(given.page_size, given.page_token))

    async def create_channel(self, request: web.Request) -> web.Response:
        """Make a channel."""
        body = await read_model(request, ChannelBody)
        channel = await self._alerting.create_channel(body.model_dump())
        return json_response(channel, 201, {"Location": f"/api/v1/channels/{quote(channel['name'], safe='')}"})

    async def get_channel(self, request: web.Request) -> web.Response:
        """One channel."""
        return json_response(await self._alerting.get_channel(request.match_info["name"]))

    async def update_channel(self, request: web.Request) -> web.Response:
        """Replace a channel."""
        name = request.match_info["name"]
        body = await read_model(request, ChannelUpdateBody)
        if body.name not in (None, name):
            raise InvalidArgumentError("a channel cannot be renamed", fields=[FieldError("name", "differs from the URL")])
        return json_response(await self._alerting.update_channel({**body.model_dump(), "name": name}))

    async def delete_channel(self, request: web.Request) -> web.Response:
        """Delete a channel."""
        await self._alerting.delete_channel(request.match_info["name"])
        return web.Response(status=204)

    async def test_channel(self, request: web.Request) -> web.Response:
        """Send a test notification and tell how it went."""
        return json_response(await self._alerting.test_channel(request.match_info["name"]))

    async def list_notifications(self, request: web.Request) -> web.Response:
        """Notifications with every attempt, the newest first."""
        given = read_query(request, NotificationsQuery)
        return page_response(await self._alerting.list_notifications(given.state, given.page_size, given.page_token))
