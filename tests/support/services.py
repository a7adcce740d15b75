"""Services of the suite in the test's own process, reached through the in-process channel."""

import contextlib
from collections.abc import AsyncIterator, Callable

import grpc.aio

from services.common.lifecycle import Lifecycle
from services.common.rpc.connect import connect
from services.common.rpc.inproc.network import InprocNetwork
from services.common.rpc.server import RpcServer
from services.common.service import Connect, Service
from services.common.telemetry import Telemetry


class InProcess:
    """Starts services one by one; each is stopped by itself or with all others at the end."""

    def __init__(self) -> None:
        self._network = InprocNetwork()
        self._running: dict[str, tuple[Lifecycle, RpcServer]] = {}
        self._channels: list[grpc.aio.Channel] = []
        self.telemetry: dict[str, Telemetry] = {}

    def channel(self, name: str) -> grpc.aio.Channel:
        """A channel to the service of this name, whether it runs already or not."""
        channel = connect(f"inproc:{name}", caller="test", network=self._network)
        self._channels.append(channel)
        return channel

    async def start(self, name: str, build: Callable[[Connect, Telemetry], Service]) -> Lifecycle:
        """Build, start and serve one service."""
        telemetry = self.telemetry[name] = Telemetry(name)
        service = build(self.channel, telemetry)
        lifecycle, server = Lifecycle(name), RpcServer(name, telemetry=telemetry, network=self._network)
        self._running[name] = (lifecycle, server)
        await service.start(lifecycle)
        service.register(server)
        await server.start(f"inproc:{name}")
        await server.set_ready(True)
        lifecycle.mark_ready()
        return lifecycle

    async def stop(self, name: str) -> None:
        """Stop one service as the supervisor does: first its server, then the rest of it."""
        lifecycle, server = self._running.pop(name)
        await server.stop(1.0)
        await lifecycle.stop()

    async def stop_all(self) -> None:
        """Stop everything, the last started first."""
        for name in reversed(list(self._running)):
            await self.stop(name)
        for channel in self._channels:
            await channel.close()


@contextlib.asynccontextmanager
async def in_process() -> AsyncIterator[InProcess]:
    """Services that are stopped when the block is left."""
    services = InProcess()
    try:
        yield services
    finally:
        await services.stop_all()
