"""`openmanager agent`: this host's metrics to a gateway elsewhere."""

import asyncio
import signal
import socket
from collections import deque
from datetime import UTC, datetime
from typing import Any

import structlog

from services.all_in_one.commands.client import GatewayClient, GatewayError
from services.common.clock import Clock
from services.common.host import HostReader

log = structlog.get_logger("agent")

Sample = dict[str, Any]
MAX_BACKOFF_SECONDS = 60.0


class HostAgent:
    """Reads this host at an interval and hands the samples to a gateway.

    Samples wait in memory, the newest `max_waiting` of them, while the gateway is away; each is let go only once the gateway has
    said that it is durable. Sending one again is harmless: the gateway drops duplicates.
    """

    def __init__(
        self,
        client: GatewayClient,
        clock: Clock,
        reader: HostReader,
        *,
        server: str,
        interval_seconds: float,
        max_waiting: int = 8640,
    ) -> None:
        self._client = client
        self._clock = clock
        self._reader = reader
        self._server = server
        self._interval_seconds = interval_seconds
        self._waiting: deque[Sample] = deque(maxlen=max_waiting)
        self._arrived = asyncio.Event()

    async def run(self) -> None:
        """Read and send until cancelled; raises GatewayError when the gateway refuses for good (a wrong token)."""
        reading = asyncio.create_task(self._read(), name="read this host")
        sending = asyncio.create_task(self._send(), name="send samples")
        try:
            # Neither ends by itself, so the first to be done has failed.
            done, _ = await asyncio.wait((reading, sending), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (reading, sending):
                task.cancel()
            await asyncio.wait((reading, sending))

    async def _read(self) -> None:
        while True:
            metrics = await asyncio.to_thread(self._reader.read)
            time = datetime.fromtimestamp(self._clock.now(), UTC).isoformat()
            if len(self._waiting) == self._waiting.maxlen:
                log.warning("sample_dropped", reason="the gateway has been away for too long", waiting=len(self._waiting))
            self._waiting.append({"server": self._server, "timestamp": time, "metrics": metrics, "labels": {"role": "host"}})
            self._arrived.set()
            await self._clock.sleep(self._interval_seconds)

    async def _send(self) -> None:
        backoff = 1.0
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                batch = [self._waiting[k] for k in range(min(len(self._waiting), 500))]
                try:
                    receipt = await self._client.post("/api/v1/metrics", {"samples": batch})
                except GatewayError as error:
                    if not error.retryable:
                        raise
                    pause = max(backoff, min(error.retry_after_seconds, MAX_BACKOFF_SECONDS))
                    log.warning("gateway_away", error=str(error), waiting=len(self._waiting), retry_seconds=pause)
                    await self._clock.sleep(pause)
                    backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
                    continue
                backoff = 1.0
                for sample in batch:
                    if self._waiting and self._waiting[0] is sample:
                        self._waiting.popleft()
                if receipt.get("rejected") or receipt.get("late"):
                    log.warning("samples_refused", receipt=receipt)


async def run_agent(client: GatewayClient, clock: Clock, server: str | None, interval_seconds: float) -> None:
    """Run the agent until SIGINT or SIGTERM."""
    agent = HostAgent(client, clock, HostReader(clock), server=server or socket.gethostname(), interval_seconds=interval_seconds)
    work = asyncio.create_task(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info("stopped")
