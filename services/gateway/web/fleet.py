"""The virtual fleet: the seed's routes over it, what it is made of, and the faults that befall it."""

from aiohttp import web

from services.gateway.domain.ports import FaultOrder, Fleet
from services.gateway.domain.times import parse_time_ms
from services.gateway.web.body import read_model, read_query
from services.gateway.web.respond import json_response, page_response
from services.gateway.web.schemas.fleet import FaultBody, FaultsQuery, GenerateBody, ResetBody


class FleetHandlers:
    """`/api/servers/…` and `/api/v1/fleet…`."""

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
        """Remove every server, with nothing of them left behind."""
        await read_model(request, ResetBody, empty=True)
        return json_response(await self._fleet.reset())

    async def describe(self, _request: web.Request) -> web.Response:
        """What the fleet is made of."""
        return json_response(await self._fleet.describe())

    async def inject(self, request: web.Request) -> web.Response:
        """Let a fault befall the fleet."""
        body = await read_model(request, FaultBody)
        order = FaultOrder(
            kind=body.kind,
            duration_seconds=body.duration_seconds,
            severity=body.severity,
            server=body.server or "",
            start_ms=None if body.start is None else parse_time_ms(body.start),
        )
        return json_response(await self._fleet.inject(order), 201)

    async def list_faults(self, request: web.Request) -> web.Response:
        """The truth about the fleet."""
        given = read_query(request, FaultsQuery)
        start_ms = None if given.start is None else parse_time_ms(given.start)
        end_ms = None if given.end is None else parse_time_ms(given.end)
        page = await self._fleet.list_faults(start_ms, end_ms, given.page_size, given.page_token, cancelled=given.cancelled)
        return page_response(page)

    async def cancel(self, request: web.Request) -> web.Response:
        """Withdraw a fault."""
        await self._fleet.cancel(request.match_info["id"])
        return web.Response(status=204)
