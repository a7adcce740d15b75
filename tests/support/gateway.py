"""A running gateway over in-process peers, with a client for it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import orjson
from pydantic import SecretStr

from services.common.clock import ManualClock
from services.common.lifecycle import Lifecycle
from services.common.rpc.connect import connect
from services.common.rpc.inproc.network import InprocNetwork
from services.common.rpc.server import RpcServer
from services.common.telemetry import Telemetry
from services.gateway.app import Gateway, build
from services.gateway.settings import GatewaySettings
from tests.support.gateway_fake import NOW_MS
from tests.support.gateway_peers import Peers

TOKEN = "test-token"


@dataclass
class Reply:
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class RunningGateway:
    """The gateway under test and what is around it."""

    gateway: Gateway
    peers: Peers
    servers: dict[str, RpcServer]
    clock: ManualClock
    client: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.gateway.url

    async def __call__(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        body: Any = None,
        token: str | None = TOKEN,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        given = dict(headers or {})
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        if json is not None:
            body = orjson.dumps(json)
            given.setdefault("Content-Type", "application/json")
        skip = () if "Content-Type" in given else ("Content-Type",)
        async with self.client.request(
            method, self.url + path, data=body, headers=given, skip_auto_headers=skip, allow_redirects=False
        ) as response:
            return Reply(response.status, {name.lower(): value for name, value in response.headers.items()}, await response.read())


@contextlib.asynccontextmanager
async def running_gateway(
    folder: Path, *, clock: ManualClock | None = None, peers: Peers | None = None, **settings: Any
) -> AsyncIterator[RunningGateway]:
    """Start a gateway on a free port; `settings` are those of GatewaySettings."""
    network, clock, peers = InprocNetwork(), clock or ManualClock(NOW_MS / 1000), peers or Peers()
    async with contextlib.AsyncExitStack() as stack:
        servers = {}
        for name, register in peers.registrations().items():
            server = servers[name] = RpcServer(name, telemetry=Telemetry(name), network=network)
            register(server)
            await server.start(f"inproc:{name}")
            await server.set_ready(True)
            stack.push_async_callback(server.stop, 0.0)

        def to_peer(name: str) -> grpc.aio.Channel:
            return connect(f"inproc:{name}", caller="gateway", network=network)

        settings = {"listen": "127.0.0.1:0", "admin_token": SecretStr(TOKEN), "data_dir": folder} | settings
        gateway = build(GatewaySettings(**settings), to_peer, Telemetry("gateway"), clock)
        lifecycle = Lifecycle("gateway")
        stack.push_async_callback(lifecycle.stop)
        await gateway.service.start(lifecycle)
        lifecycle.mark_ready()
        client = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        yield RunningGateway(gateway, peers, servers, clock, client)


async def read_events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, str]]:
    """The events of a stream as `{event, data, id}`; a comment is `{comment}`."""
    event: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line.startswith(":"):
            yield {"comment": line[1:].strip()}
        elif line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            if "data" in event:
                yield event
            event = {}
