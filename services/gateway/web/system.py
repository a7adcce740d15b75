"""The suite itself: health, readiness, metrics, what runs here, and the description of the API."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata

import orjson
from aiohttp import web

from services.common.clock import Clock
from services.gateway.domain.ports import Suite
from services.gateway.domain.times import format_ms
from services.gateway.web.respond import json_response


class SystemHandlers:
    """`/healthz`, `/readyz`, `/metrics`, `/openapi.json` and `/api/v1/system`."""

    def __init__(self, suite: Suite, clock: Clock) -> None:
        self._suite = suite
        self._clock = clock
        self._started_at = clock.now()
        self._openapi = b"{}"

    def describe(self, openapi: Mapping[str, object]) -> None:
        """Set the description of the API, which is made from the table of routes that these handlers stand in."""
        self._openapi = orjson.dumps(openapi)

    async def healthz(self, _request: web.Request) -> web.Response:
        """The process answers."""
        return json_response({"status": "ok"})

    async def readyz(self, _request: web.Request) -> web.Response:
        """Whether every part serves; 503 names those that do not."""
        parts = await self._suite.check()
        is_ready = all(part.is_serving for part in parts.values())
        body = {"status": "ready" if is_ready else "not_ready", "parts": {name: asdict(part) for name, part in parts.items()}}
        return json_response(body, 200 if is_ready else 503, {} if is_ready else {"Retry-After": "1"})

    async def metrics(self, _request: web.Request) -> web.Response:
        """Metrics of the suite itself."""
        body = await self._suite.exposition()
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def openapi(self, _request: web.Request) -> web.Response:
        """The OpenAPI 3.1 document of this API."""
        return web.Response(body=self._openapi, content_type="application/json")

    async def system(self, _request: web.Request) -> web.Response:
        """What runs here."""
        parts = await self._suite.check()
        return json_response(
            {
                "version": version(),
                "started_at": format_ms(round(self._started_at * 1000)),
                "uptime_seconds": round(self._clock.now() - self._started_at, 3),
                "services": [{"name": name, **asdict(part)} for name, part in parts.items()],
            }
        )


def version() -> str:
    """The version of the installed suite; `unknown` in a tree that is not installed."""
    try:
        return metadata.version("openmanager")
    except metadata.PackageNotFoundError:
        return "unknown"
