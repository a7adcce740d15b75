"""Collects the samples of the virtual fleet from the service that simulates it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import grpc
import grpc.aio
import numpy as np
import structlog

from openmanager.server_gen.v1 import server_gen_pb2, server_gen_pb2_grpc
from services.common.clock import Clock
from services.common.errors import OpenManagerError, from_rpc_error
from services.common.rpc.streams import cancelling
from services.metrics.adapters.fleet_history import STEP_MS, FleetHistory
from services.metrics.adapters.fleet_messages import define, samples_of
from services.metrics.domain.collect import CollectedSeries
from services.metrics.domain.ports import Columns, SampleStore
from services.metrics.domain.stored_fleet import GENERATION_SERIES, FleetChangedError, StoredFleet

log = structlog.get_logger("metrics.fleet")

FIRST_WAIT_SECONDS: Final = 0.5
MOST_WAIT_SECONDS: Final = 15.0
_GENERATION_NUMBER: Final = 2**64 - 1
"""Stands for the series of the generation among the numbers of a stream, which count up from 1."""


class FleetCollector:
    """Writes the fleet's samples as they come, and its past beside them; comes back by itself whenever the stream ends.

    Args:
        channel: to the service that simulates the fleet.
        store: tells what it holds already.
        stored: lets one generation of the fleet into the store at a time.
        make_series: gives what takes the samples of one stream; numbers of series hold for one stream alone.
        clock: waits between attempts.
        history_ms: how much of the past to store.
        on_connected: is told when samples can come and when they cannot.
        on_refused: is told how many samples the store would not take at each step.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        store: SampleStore,
        stored: StoredFleet,
        make_series: Callable[[], CollectedSeries],
        clock: Clock,
        history_ms: int,
        on_connected: Callable[[bool], None],
        on_refused: Callable[[int], None],
    ) -> None:
        self._stub = server_gen_pb2_grpc.ServerGenServiceStub(channel)
        self._stored = stored
        self._history = FleetHistory(self._stub, store, stored, make_series, clock, history_ms)
        self._make_series = make_series
        self._clock = clock
        self._on_connected = on_connected
        self._on_refused = on_refused
        self._connected = False
        self._wait_seconds = FIRST_WAIT_SECONDS
        self._settled = asyncio.Event()

    async def settled(self) -> None:
        """Wait until the past has been stored once, or the fleet has turned out to be away."""
        await self._settled.wait()

    async def run(self) -> None:
        """Collect for ever, waiting longer after each attempt that brought nothing."""
        try:
            while True:
                try:
                    await self._attempt()
                    self._lost("the stream ended")
                except FleetChangedError:
                    log.info("fleet_changed")
                    if self._wait_seconds == FIRST_WAIT_SECONDS:  # the new one is there already
                        self._wait_seconds *= 2
                        continue
                except (grpc.aio.AioRpcError, OpenManagerError, ValueError) as error:
                    self._lost(_message(error))
                await self._clock.sleep(self._wait_seconds)
                self._wait_seconds = min(2 * self._wait_seconds, MOST_WAIT_SECONDS)
        finally:
            await self._stored.settle()

    async def _attempt(self) -> None:
        fences = self._stored.fences
        fleet = await self._stub.GetFleet(server_gen_pb2.GetFleetRequest())
        await self._stored.begin(fleet.generation, fences)
        present = _Present(fleet)
        work = [
            asyncio.create_task(self._write_live(present)),
            asyncio.create_task(self._write_past(present)),
            asyncio.create_task(self._stored.fenced(fences)),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if work[-1] in done:
                raise FleetChangedError
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            present.end_run(self._history)

    async def _write_live(self, present: "_Present") -> None:
        """Write each step until the stream ends."""
        series = self._make_series()
        series.define(_GENERATION_NUMBER, GENERATION_SERIES)
        with cancelling(self._stub.WatchFleetSamples(server_gen_pb2.WatchFleetSamplesRequest())) as stream:
            async for step in stream:
                if step.generation != present.generation:
                    raise FleetChangedError
                await define(series, step.series)
                samples = samples_of(step.samples)
                self._on_refused(await self._write_step(series, samples, present.generation))
                present.advance(samples, step.server_count, self._history)
                self._set_connected(True)
                self._wait_seconds = FIRST_WAIT_SECONDS

    async def _write_step(self, series: CollectedSeries, samples: Columns, generation: int) -> int:
        if not len(samples):
            return 0
        # The generation comes with each step, so that the store knows it for as long as it has samples of the fleet.
        numbers = np.append(samples.ids, np.uint64(_GENERATION_NUMBER))
        times = np.append(samples.timestamps_ms, samples.timestamps_ms.max())
        values = np.append(samples.values, float(generation))
        return await self._stored.write(generation, lambda: series.write(numbers, times, values))

    async def _write_past(self, present: "_Present") -> None:
        """Store what is missing of the past whenever something may be."""
        wait_seconds = FIRST_WAIT_SECONDS
        while True:
            until_ms = await present.past_wanted()
            try:
                if present.server_count != len(present.servers):
                    present.take(await self._stub.GetFleet(server_gen_pb2.GetFleetRequest()))
                await self._history.fill(present.generation, present.servers, until_ms)
            except (grpc.aio.AioRpcError, OpenManagerError, ValueError) as error:
                log.warning("fleet_history_failed", why=_message(error), retry_seconds=wait_seconds)
                self._settled.set()
                await self._clock.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, MOST_WAIT_SECONDS)
                present.want_past()
            else:
                self._settled.set()
                wait_seconds = FIRST_WAIT_SECONDS

    def _lost(self, why: str) -> None:
        self._settled.set()
        self._set_connected(False, why)

    def _set_connected(self, connected: bool, why: str = "") -> None:
        self._on_connected(connected)
        if connected != self._connected:
            self._connected = connected
            log.info("fleet_connected" if connected else "fleet_lost", **({"why": why} if why else {}))
        elif not connected:
            log.debug("fleet_away", why=why, retry_seconds=self._wait_seconds)


class _Present:
    """The fleet as one attempt has it: its servers, and since when their live samples have come without a gap."""

    def __init__(self, fleet: server_gen_pb2.GetFleetResponse) -> None:
        self.generation = fleet.generation
        self.servers: Sequence[str] = ()
        self.server_count = 0
        self.take(fleet)
        self._run: tuple[int, int] | None = None
        self._past_wanted = asyncio.Event()

    def take(self, fleet: server_gen_pb2.GetFleetResponse) -> None:
        """Take over the servers that there are now.

        Raises:
            FleetChangedError: they are of another generation.
        """
        if fleet.generation != self.generation:
            raise FleetChangedError
        self.servers = [server.hostname for server in fleet.servers]
        self.server_count = len(self.servers)

    def advance(self, samples: Columns, server_count: int, history: FleetHistory) -> None:
        """Note a step that was written; a gap before it, or another number of servers, lets the past be looked at."""
        first = self._run is None
        joined, self.server_count = server_count != self.server_count, server_count
        gap = False
        if len(samples):
            time_ms = int(samples.timestamps_ms.max())
            gap = self._run is not None and time_ms - self._run[1] > STEP_MS
            if gap:
                self.end_run(history)
            self._run = (self._run[0] if self._run else time_ms, time_ms)
        if first or joined or gap:
            self.want_past()

    def end_run(self, history: FleetHistory) -> None:
        """Note that the live samples do not go on without a gap."""
        if self._run is not None:
            history.live_was_whole(*self._run)
            self._run = None

    def want_past(self) -> None:
        """Let the past be looked at."""
        self._past_wanted.set()

    async def past_wanted(self) -> int:
        """Wait until the past is to be looked at; gives the time where the live samples are (ms), which it ends before."""
        await self._past_wanted.wait()
        self._past_wanted.clear()
        return self._run[1] if self._run else 0


def _message(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return from_rpc_error(error).message
    return str(error)
