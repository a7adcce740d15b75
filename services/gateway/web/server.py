"""The HTTP server: the table of routes put behind the middlewares, and a socket."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from services.common.errors import InvalidArgumentError
from services.common.ids import IdSource
from services.common.rpc.address import Address, Transport, parse_address
from services.common.rpc.listen import refusal
from services.common.telemetry import Telemetry
from services.gateway.domain.access import Authenticator
from services.gateway.domain.limits import TokenBuckets
from services.gateway.web.body import BODY_TIMEOUT_KEY
from services.gateway.web.middleware import add_headers, authentication, errors, measuring, rate_limit, request_ids
from services.gateway.web.routes import Route
from services.gateway.web.server_log import SERVER_LOG

KEEPALIVE_SECONDS = 75.0
SHUTDOWN_SECONDS = 3.0
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
"""Of a path. By itself aiohttp would not match a value with a brace in it, but a server may have such a name."""


@dataclass(frozen=True)
class Surroundings:
    """What the middlewares need."""

    authenticator: Authenticator
    buckets: TokenBuckets
    telemetry: Telemetry
    new_id: IdSource
    max_body_bytes: int
    body_timeout_seconds: float


def web_application(routes: tuple[Route, ...], around: Surroundings) -> web.Application:
    """The application that answers these routes; a GET route answers HEAD as well, unless it is a stream."""
    table: dict[web.AbstractRoute, Route] = {}

    def route_of(request: web.Request) -> Route | None:
        return table.get(request.match_info.route)

    middlewares: list[Middleware] = [
        request_ids(around.new_id),
        measuring(around.telemetry, route_of),
        errors,
        authentication(around.authenticator, route_of),
        rate_limit(around.buckets),
    ]
    application = web.Application(middlewares=middlewares, client_max_size=around.max_body_bytes)
    application[BODY_TIMEOUT_KEY] = around.body_timeout_seconds
    application.on_response_prepare.append(add_headers)
    for route in routes:
        path = _PARAMETER.sub(r"{\1:[^/]+}", route.path)
        table[application.router.add_route(route.method, path, route.handler)] = route
        if route.method == hdrs.METH_GET and not route.is_stream:
            table[application.router.add_route(hdrs.METH_HEAD, path, route.handler)] = route
    return application


class HttpServer:
    """Listens for an application."""

    def __init__(self, application: web.Application, listen: str) -> None:
        self._application = application
        self._listen = listen
        self._runner: web.AppRunner | None = None
        self._address: Address | None = None

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it; a wildcard address is reached through loopback."""
        if self._address is None:
            raise RuntimeError("the server has not started")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._address.host, self._address.host)  # noqa: S104
        return f"http://{Address(Transport.TCP, host, self._address.port)}"

    async def start(self) -> None:
        """Listen.

        Raises:
            InvalidArgumentError: the address is no `host:port`.
            RefusedError: with reason ADDRESS_IN_USE, ADDRESS_FORBIDDEN or ADDRESS_UNUSABLE.
        """
        address = parse_address(self._listen)
        if address.transport is not Transport.TCP:
            message = f"the HTTP API listens at host:port, not at {self._listen!r}"
            raise InvalidArgumentError(message, reason="INVALID_ADDRESS")
        # The request of a client that has left is not worth finishing: its handler is cancelled.
        runner = web.AppRunner(
            self._application,
            handle_signals=False,
            access_log=None,
            logger=SERVER_LOG,
            handler_cancellation=True,
            auto_decompress=False,  # `read_bytes` does, and refuses a body that breaks off
            keepalive_timeout=KEEPALIVE_SECONDS,
            shutdown_timeout=SHUTDOWN_SECONDS,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            await runner.cleanup()
            raise refusal(address, error) from error
        except asyncio.CancelledError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._address = Address(Transport.TCP, address.host, runner.addresses[0][1])

    async def stop(self) -> None:
        """Refuse new connections, give requests 3 seconds to end, then cut them off."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
