"""A webhook receiver on loopback that keeps what it got and answers as it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass
class Delivery:
    """One request that arrived."""

    headers: dict[str, str]
    raw: bytes
    status: int

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = orjson.loads(self.raw)
        return parsed

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


@dataclass
class Receiver:
    """What arrived so far, in order."""

    url: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    answer: Callable[[int], int] = lambda _number: 200
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, server: str, status: str) -> list[Delivery]:
        """Accepted deliveries that tell of this server in this state."""
        return [
            delivery
            for delivery in self.deliveries
            if delivery.status < 300
            and delivery.body["status"] == status
            and any(alert["labels"].get("server") == server for alert in delivery.body["alerts"])
        ]


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens while the context is open."""
    receiver = Receiver()

    async def handle(request: web.Request) -> web.Response:
        status = receiver.answer(len(receiver.deliveries))
        headers = {name.lower(): value for name, value in request.headers.items()}
        receiver.deliveries.append(Delivery(headers, await request.read(), status))
        receiver.arrived.set()
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
