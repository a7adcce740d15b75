"""A gateway on loopback that stores each sample once, and does what a test tells it to do before or after."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

Behaviour = Callable[["FakeGateway", web.Request, list[dict[str, Any]]], Awaitable[web.StreamResponse]]


@dataclass
class FakeGateway:
    """What it has been sent, and how it behaves.

    Attributes:
        script: how it answers the next requests, one entry each; afterwards it stores.
        otherwise: how it answers once the script has been played.
        batches: samples of each request to the live door, in order of arrival.
        batch_ids: their ids.
        stored: samples in the order in which they were first stored.
        imported: bodies of requests to the door for history.
    """

    script: deque[Behaviour] = field(default_factory=deque)
    otherwise: Behaviour | None = None
    batches: list[list[dict[str, Any]]] = field(default_factory=list)
    batch_ids: list[str] = field(default_factory=list)
    stored: list[dict[str, Any]] = field(default_factory=list)
    imported: list[bytes] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def store(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """Store what is new; the receipt."""
        values = duplicate = 0
        for sample in samples:
            values += len(sample["metrics"])
            if sample in self.stored:
                duplicate += len(sample["metrics"])
            else:
                self.stored.append(sample)
        return {"accepted": values - duplicate, "rejected": 0, "duplicate": duplicate, "late": 0, "errors": []}

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """`POST /api/v1/metrics`."""
        document = orjson.loads(await request.read())
        self.batches.append(document["samples"])
        self.batch_ids.append(document["batch_id"])
        behaviour = self.script.popleft() if self.script else self.otherwise
        if behaviour is not None:
            return await behaviour(self, request, document["samples"])
        return web.json_response(self.store(document["samples"]))

    async def history(self, request: web.Request) -> web.StreamResponse:
        """`POST /api/v1/import`."""
        body = await request.read()
        self.imported.append(body)
        count = sum(len(orjson.loads(line)["values"]) for line in body.splitlines())
        return web.json_response({"accepted": count, "rejected": 0, "duplicate": 0, "late": 0, "errors": []})


def refuses(status: int, reason: str = "", **headers: str) -> Behaviour:
    """Answers with a problem; one without a reason is not the gateway's own."""

    async def behave(_gateway: FakeGateway, _request: web.Request, _samples: list[dict[str, Any]]) -> web.StreamResponse:
        document = {"title": "refused", "detail": "it is refused", **({"reason": reason} if reason else {})}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(document, status=status, headers=named)

    return behave


async def loses_the_answer(gateway: FakeGateway, request: web.Request, samples: list[dict[str, Any]]) -> web.StreamResponse:
    """Stores, and breaks the connection instead of saying so."""
    gateway.store(samples)
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def breaks_off(_gateway: FakeGateway, request: web.Request, _samples: list[dict[str, Any]]) -> web.StreamResponse:
    """Breaks the connection without having stored anything, as one that is killed."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hangs(gateway: FakeGateway, _request: web.Request, samples: list[dict[str, Any]]) -> web.StreamResponse:
    """Stores, and answers only when the test releases it."""
    receipt = gateway.store(samples)
    await gateway.released.wait()
    return web.json_response(receipt)


@contextlib.asynccontextmanager
async def fake_gateway() -> AsyncIterator[FakeGateway]:
    """A gateway that listens."""
    gateway = FakeGateway()
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/api/v1/metrics", gateway.metrics)
    app.router.add_post("/api/v1/import", gateway.history)
    async with TestServer(app) as server:
        gateway.url = str(server.make_url("")).rstrip("/")
        try:
            yield gateway
        finally:
            gateway.released.set()
