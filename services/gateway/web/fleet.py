"""The seed's routes over the virtual fleet."""

from aiohttp import web

from services.gateway.domain.ports import Fleet
from services.gateway.web.body import read_model
from services.gateway.web.respond import json_response
from services.gateway.web.schemas.fleet import GenerateBody, ResetBody


class FleetHandlers:
    """`/api/servers/…`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def generate(self, request: web.Request) -> web.Response:
        """Add one server."""
        body = await read_model(request, GenerateBody, empty=True)
        return json_response(await self._fleet.generate(body.currentCount, reset=body.reset))

    async def status(self, _request: web.Request) -> web.Response:
        """The fleet as it is."""
        return json_response(await self._fleet.status())

    async def reset(self, request: web.Request) -> web.Response:
        """Remove every server."""
        await read_model(request, ResetBody, empty=True)
        return json_response(await self._fleet.reset())
