"""Starts services in order and stops them in reverse, in one process."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from services.common.folder_lock import FolderLock
from services.common.lifecycle import Lifecycle
from services.common.rpc.server import RpcServer
from services.common.service import Service

STOP_SECONDS = 15.0
GRACE_SECONDS = 5.0


class Supervisor:
    """Runs services and notices when one of them fails.

    A service answers RPCs only between its `start` and its stop: its server opens after the one and closes before the other.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._parts: list[Lifecycle] = []

    def lock(self, folder: Path) -> None:
        """Keep every other process out of this data folder until the stop.

        Raises:
            RefusedError: another process uses the folder, or it cannot be written.
        """
        lock = FolderLock(folder)
        lock.acquire()
        self._lifecycle.on_stop(f"lock of {folder}", lock.release)

    async def start(self, service: Service, server: RpcServer | None = None, addresses: Sequence[str] = ()) -> Lifecycle:
        """Start one service and serve it at `addresses`; returns when it is ready."""
        part = Lifecycle(service.name)
        self._parts.append(part)
        self._lifecycle.on_stop(service.name, part.stop, STOP_SECONDS)
        await service.start(part)
        if server is not None:
            service.register(server)
            part.on_stop("rpc server", lambda: server.stop(GRACE_SECONDS), GRACE_SECONDS + 1.0)
            for address in addresses:
                await server.start(address)
            await server.set_ready(True)
        part.mark_ready()
        return part

    async def wait_failed(self) -> None:
        """Wait until a service fails, and raise what it failed with; never returns otherwise."""
        failures = [part.failed for part in self._parts]
        done, _ = await asyncio.wait(failures, return_when=asyncio.FIRST_COMPLETED)
        for failure in done:
            failure.result()
