"""The servers that samples came from."""

import base64
import binascii
import bisect

from aiohttp import web

from services.common.errors import InvalidArgumentError, NotFoundError
from services.gateway.domain.ports import MetricReader, Page
from services.gateway.web.body import read_query
from services.gateway.web.respond import json_response, page_response
from services.gateway.web.schemas.metrics import ServersQuery


class ServerHandlers:
    """`/api/v1/servers`."""

    def __init__(self, reader: MetricReader) -> None:
        self._reader = reader

    async def list(self, request: web.Request) -> web.Response:
        """One page of servers in ascending order of name; a page goes on after the last name of the one before."""
        given = read_query(request, ServersQuery)
        servers = await self._reader.servers()
        names = [server["server"] for server in servers]
        start = bisect.bisect_right(names, _name_of(given.page_token)) if given.page_token else 0
        items = servers[start : start + given.page_size]
        is_last = start + given.page_size >= len(servers)
        return page_response(Page(items, "" if is_last else _token_of(items[-1]["server"])))

    async def get(self, request: web.Request) -> web.Response:
        """One server."""
        name = request.match_info["server"]
        servers = await self._reader.servers(name)
        if not servers:
            raise NotFoundError(f"no samples of a server called {name[:253]!r} were received", reason="NO_SUCH_SERVER")
        return json_response(servers[0])


def _token_of(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name_of(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidArgumentError("page_token is not one that this list gave", reason="INVALID_PAGE_TOKEN") from None
