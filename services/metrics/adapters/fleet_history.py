"""Fills in the past of the virtual fleet: what the store lacks."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import grpc
import grpc.aio
import numpy as np
import structlog

from openmanager.server_gen.v1 import server_gen_pb2, server_gen_pb2_grpc
from services.common.clock import Clock
from services.common.errors import from_rpc_error
from services.common.rpc.streams import cancelling
from services.metrics.adapters.fleet_messages import define, samples_of
from services.metrics.domain.collect import CollectedSeries
from services.metrics.domain.directory import SERVER_LABEL
from services.metrics.domain.history import Range, missing_ranges, windows_back
from services.metrics.domain.ports import NAME_LABEL, Columns, Matcher, MatchOp, SampleStore, SeriesData
from services.metrics.domain.stored_fleet import FLEET, FleetChangedError, StoredFleet
from services.metrics.wire import timestamp_message

log = structlog.get_logger("metrics.fleet")

STEP_MS: Final = 60_000
WINDOW_MS: Final = 14 * 86_400_000
"""Long, because the fleet works out what befell it for each range anew."""
BATCH_SAMPLES: Final = 1_000_000
"""About so many samples are asked for and stored at once: enough to be packed well, few enough that live samples do not wait long."""
SERIES_A_SERVER: Final = 40
"""For the size of a batch alone."""
SERVERS_A_WINDOW: Final = 20
"""Whose samples are looked through together for what is missing."""
PROBE: Final = "cpu"
"""The series that every server has. A batch is stored whole or not at all, so where this one is, the others are as well."""


class FleetHistory:
    """Reads from the fleet what the store has no samples of.

    What is missing is seen from the samples in the store themselves, so a fill that was interrupted at any point goes on where it
    was, and so does one after a time without samples. What has been seen to be complete is not looked at again.

    Args:
        stub: asks the fleet.
        store: tells what it holds.
        stored: guards the writes against a change of the fleet.
        make_series: gives what takes the samples of one stream.
        clock: tells the present, which the length counts back from.
        length_ms: how far back to fill.
    """

    def __init__(
        self,
        stub: "server_gen_pb2_grpc.ServerGenServiceAsyncStub",
        store: SampleStore,
        stored: StoredFleet,
        make_series: Callable[[], CollectedSeries],
        clock: Clock,
        length_ms: int,
    ) -> None:
        self._stub = stub
        self._store = store
        self._stored = stored
        self._make_series = make_series
        self._clock = clock
        self._length_ms = length_ms
        self._generation: int | None = None
        self._complete_until_ms: dict[str, int] = {}

    async def fill(self, generation: int, servers: Sequence[str], until_ms: int) -> None:
        """Store what is missing of these servers before `until_ms`, where their live samples begin.

        Raises:
            FleetChangedError: the fleet, or what is to be stored, is of another generation now.
            UnavailableError: the store cannot write.
            grpc.aio.AioRpcError: the fleet does not answer.
        """
        if generation != self._generation:
            self._generation, self._complete_until_ms = generation, {}
        start_ms = round(self._clock.now() * 1000) - self._length_ms
        wanting = [server for server in servers if self._complete_until_ms.get(server, start_ms) < until_ms]
        samples = 0
        for window in windows_back(start_ms, until_ms, WINDOW_MS):
            for first in range(0, len(wanting), SERVERS_A_WINDOW):
                missing = await self._missing(wanting[first : first + SERVERS_A_WINDOW], window)
                for part, lacking in missing.items():
                    samples += await self._fill_range(generation, lacking, part)
        self._complete_until_ms |= dict.fromkeys(wanting, until_ms)
        if samples:
            log.info("fleet_history_filled", servers=len(wanting), samples=samples, start_ms=start_ms, end_ms=until_ms)

    def live_was_whole(self, start_ms: int, end_ms: int) -> None:
        """Note that live samples of all servers came without a gap over this time."""
        for server, until_ms in self._complete_until_ms.items():
            if start_ms <= until_ms < end_ms:
                self._complete_until_ms[server] = end_ms

    async def _missing(self, servers: Sequence[str], window: Range) -> dict[Range, list[str]]:
        """Which servers lack which parts of a window."""
        start_ms, end_ms = window
        names = "|".join(map(re.escape, servers))
        probes = [Matcher(NAME_LABEL, MatchOp.EQUAL, PROBE), FLEET, Matcher(SERVER_LABEL, MatchOp.REGEX, names)]
        data = await self._store.select(probes, start_ms, end_ms)
        times = {
            dict(labels)[SERVER_LABEL]: data.timestamps_ms[rows] for labels, rows in zip(data.labels, _slices(data), strict=True)
        }
        found: dict[Range, list[str]] = {}
        for server in servers:
            complete_ms = self._complete_until_ms.get(server, start_ms)
            for part in missing_ranges(times.get(server, _NO_TIMES), max(start_ms, complete_ms), end_ms, STEP_MS):
                found.setdefault(part, []).append(server)
        return found

    async def _fill_range(self, generation: int, servers: Sequence[str], part: Range) -> int:
        steps = -(-(part[1] - part[0]) // STEP_MS)
        at_once = max(1, BATCH_SAMPLES // (steps * SERIES_A_SERVER))
        return sum(
            [
                await self._fill_batch(generation, servers[first : first + at_once], part)
                for first in range(0, len(servers), at_once)
            ]
        )

    async def _fill_batch(self, generation: int, servers: Sequence[str], part: Range) -> int:
        series = self._make_series()
        request = server_gen_pb2.ReadFleetHistoryRequest(
            start=timestamp_message(part[0]), end=timestamp_message(part[1]), servers=servers, generation=generation
        )
        request.step.FromMilliseconds(STEP_MS)
        received: list[Columns] = []
        try:
            with cancelling(self._stub.ReadFleetHistory(request)) as stream:
                async for message in stream:
                    if message.generation != generation:
                        raise FleetChangedError
                    await define(series, message.series)
                    received.append(samples_of(message.samples))
        except grpc.aio.AioRpcError as error:
            if from_rpc_error(error).reason == "FLEET_CHANGED":
                raise FleetChangedError from error
            raise
        columns = Columns.concatenated(received)
        if len(columns):
            ids, times, values = columns.ids, columns.timestamps_ms, columns.values
            await self._stored.write(generation, lambda: series.write(ids, times, values, past=True))
        return len(columns)


_NO_TIMES: Final = np.empty(0, np.int64)


def _slices(data: SeriesData) -> Iterator[slice]:
    """The rows of each series."""
    bounds = data.offsets.tolist()
    return map(slice, bounds[:-1], bounds[1:])
