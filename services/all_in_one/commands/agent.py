"""`openmanager agent`: this host's metrics to a gateway elsewhere."""

import asyncio
import os
import random
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path

import structlog

from services.all_in_one.commands.client import CommandError, GatewayClient
from services.all_in_one.commands.spool import Spool, SpoolError
from services.all_in_one.commands.spool_sender import SAY_EVERY_SECONDS, SpoolSender
from services.common.clock import Clock
from services.common.errors import RefusedError
from services.common.folder_lock import FolderLock
from services.common.host import HostReader
from services.common.ids import new_id

log = structlog.get_logger("agent")


class HostAgent:
    """Reads this host at an interval; each reading is on disk before it is sent.

    Args:
        reader: reads the figures.
        clock: times readings.
        spool: where they wait; open.
        sender: brings them to the gateway.
        server: name of this host.
        interval_seconds: between readings.
    """

    def __init__(
        self, reader: HostReader, clock: Clock, spool: Spool, sender: SpoolSender, *, server: str, interval_seconds: float
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._spool = spool
        self._sender = sender
        self._server = server
        self._interval_seconds = interval_seconds
        self._lost = 0
        self._said = 0
        self._said_at = float("-inf")

    async def run(self) -> None:
        """Read and send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(), name="read this host")
            tasks.create_task(self._sender.run(), name="send samples")

    async def _read(self) -> None:
        while True:
            if metrics := await asyncio.to_thread(self._reader.read):
                await self._keep(metrics)
            await self._clock.sleep(self._interval_seconds)

    async def _keep(self, metrics: dict[str, float]) -> None:
        time_ms = round(self._clock.now() * 1000)
        time = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()
        sample = {"server": self._server, "timestamp": time, "metrics": metrics, "labels": {"role": "host"}}
        problem = "the gateway has been away for too long"
        try:
            await asyncio.to_thread(self._spool.add, [sample], time_ms)
        except SpoolError as error:
            self._lost += 1
            problem = str(error)
        self._sender.notify()
        self._tell_of_losses(problem)

    def _tell_of_losses(self, reason: str) -> None:
        """Say once a minute how many readings are gone for good, if there are more of them than last time."""
        dropped = self._lost + self._spool.dropped
        if dropped > self._said and self._clock.monotonic() - self._said_at >= SAY_EVERY_SECONDS:
            log.warning("readings_dropped", reason=reason, dropped=dropped)
            self._said, self._said_at = dropped, self._clock.monotonic()


def find_spool_dir(given: Path | None) -> Path:
    """The agent's own folder: the flag, `agent` in OPENMANAGER_DATA_DIR, or where this user's programs keep their state."""
    if given is not None:
        return given
    if folder := os.environ.get("OPENMANAGER_DATA_DIR"):
        return Path(folder) / "agent"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "openmanager" / "agent"


async def run_agent(
    client: GatewayClient, clock: Clock, server: str | None, interval_seconds: float, spool_dir: Path, spool_bytes: int
) -> None:
    """Run the agent until SIGINT or SIGTERM.

    Raises:
        CommandError: the folder is another agent's, or cannot be used.
    """
    lock = FolderLock(spool_dir)
    try:
        lock.acquire()
    except RefusedError as error:
        raise CommandError(f"{error.message}\n  --spool-dir names the folder of this agent alone") from error
    spool = Spool(spool_dir, clock, new_id, max_bytes=spool_bytes)
    try:
        await asyncio.to_thread(spool.open)
        sender = SpoolSender(client, clock, spool, random.SystemRandom().random)
        reader = HostReader(clock)
        agent = HostAgent(reader, clock, spool, sender, server=server or socket.gethostname(), interval_seconds=interval_seconds)
        await _until_told(agent)
    finally:
        spool.close()
        lock.release()


async def _until_told(agent: HostAgent) -> None:
    work = asyncio.create_task(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info("stopped")
