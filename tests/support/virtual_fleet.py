"""A fleet whose samples can be told from their time alone, served over gRPC as the real one is."""
# ruff: noqa: N802  the methods are named by their protos

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import grpc.aio
import numpy as np
from google.protobuf import timestamp_pb2
from numpy.typing import NDArray

from openmanager.common.v1 import label_pb2
from openmanager.server_gen.v1 import server_gen_pb2 as pb
from openmanager.server_gen.v1 import server_gen_pb2_grpc
from services.common.clock import Clock
from services.common.errors import ConflictError
from services.common.lifecycle import Lifecycle
from services.common.service import Connect, Service
from services.common.telemetry import Telemetry

METRICS = ("cpu", "memory", "sent_total")
STEP_MS, LIVE_MS = 60_000, 10_000


def value_of(generation: int, server: int, metric: int, times_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """The samples of a series: different for every generation, server, metric and time."""
    return generation % 1000 + server * 1000.0 + metric * 100_000.0 + (times_ms // 1000 % 1_000_000) / 1_000_000


async def unhindered(_request: pb.ReadFleetHistoryRequest) -> None:
    """Let a reader of history go on."""


class FakeFleet(server_gen_pb2_grpc.ServerGenServiceServicer):
    """Answers the RPCs that a collector needs.

    Attributes:
        history_requests: what was asked for.
        before_history: awaited before each part of a history is sent; a test may hold the reader there.
    """

    def __init__(self, clock: Clock, generation: int, servers: int) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        self.generation = generation
        self.servers = [f"s-{number:03d}" for number in range(servers)]
        self.history_requests: list[pb.ReadFleetHistoryRequest] = []
        self.before_history: Callable[[pb.ReadFleetHistoryRequest], Awaitable[None]] = unhindered

    def become(self, generation: int, servers: int) -> None:
        """Be another fleet, or the same with more servers."""
        self.generation = generation
        self.servers = [f"s-{number:03d}" for number in range(servers)]
        self._changed.set()
        self._changed = asyncio.Event()

    @staticmethod
    def of(clock: Clock, *, generation: int, servers: int) -> "FakeFleet":
        """A fleet; the RPCs that are not below answer UNIMPLEMENTED."""
        return FakeFleet(clock, generation, servers)  # type: ignore[abstract]

    def service(self, _connect: Connect, _telemetry: Telemetry) -> Service:
        """The fleet as a service."""

        def register(server: grpc.aio.Server) -> None:
            server_gen_pb2_grpc.add_ServerGenServiceServicer_to_server(self, server)

        async def start(_lifecycle: Lifecycle) -> None:
            pass

        return Service("server_gen", register, start)

    async def GetFleet(self, _request: pb.GetFleetRequest, _context: object) -> pb.GetFleetResponse:
        return pb.GetFleetResponse(
            generation=self.generation, servers=[pb.VirtualServer(hostname=name, role="web") for name in self.servers]
        )

    async def WatchFleetSamples(
        self, _request: pb.WatchFleetSamplesRequest, _context: object
    ) -> AsyncIterator[pb.WatchFleetSamplesResponse]:
        told: tuple[int, int] = (0, 0)
        while True:
            if told[0] != self.generation:
                told = (self.generation, 0)
            time_ms = math.floor(self._clock.now() * 1000 / LIVE_MS) * LIVE_MS
            columns, count = self._columns(self.servers, np.array([time_ms])), len(self.servers)
            yield pb.WatchFleetSamplesResponse(
                series=self._definitions(range(told[1], count)), samples=columns, generation=self.generation, server_count=count
            )
            told = (told[0], count)
            changed, slept = self._changed.wait(), self._clock.sleep((time_ms + LIVE_MS) / 1000 - self._clock.now())
            waiting = [asyncio.ensure_future(changed), asyncio.ensure_future(slept)]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()

    async def ReadFleetHistory(
        self, request: pb.ReadFleetHistoryRequest, _context: object
    ) -> AsyncIterator[pb.ReadFleetHistoryResponse]:
        self.history_requests.append(request)
        start_ms, end_ms = ms_of(request.start), min(ms_of(request.end), round(self._clock.now() * 1000))
        step_ms = request.step.ToMilliseconds() or STEP_MS
        times = np.arange(-(-start_ms // step_ms) * step_ms, end_ms, step_ms)
        rows = [self.servers.index(name) for name in request.servers] or list(range(len(self.servers)))
        half = -(-len(rows) // 2)
        for part in (rows[:half], rows[half:]):
            await self.before_history(request)
            if request.HasField("generation") and request.generation != self.generation:
                raise ConflictError("the fleet is another one now", reason="FLEET_CHANGED")
            yield pb.ReadFleetHistoryResponse(
                series=self._definitions(part),
                samples=self._columns([self.servers[row] for row in part], times),
                generation=self.generation,
            )

    def _columns(self, servers: Sequence[str], times_ms: NDArray[np.int64]) -> label_pb2.SampleColumns:
        """Each series whole, one after the other."""
        ids, values = [], []
        for name in servers:
            server = self.servers.index(name)
            for metric in range(len(METRICS)):
                ids.append(np.full(len(times_ms), server * len(METRICS) + metric + 1))
                values.append(value_of(self.generation, server, metric, times_ms))
        none = [np.empty(0)]
        return label_pb2.SampleColumns(
            series_ids=np.concatenate(ids or none).astype("<u8").tobytes(),
            timestamps_ms=np.tile(times_ms, len(ids)).astype("<i8").tobytes(),
            values=np.concatenate(values or none).astype("<f8").tobytes(),
        )

    def _definitions(self, servers: Sequence[int]) -> list[label_pb2.SeriesDefinition]:
        return [
            label_pb2.SeriesDefinition(
                id=server * len(METRICS) + number + 1,
                labels=[
                    label_pb2.Label(name="__name__", value=metric),
                    label_pb2.Label(name="fleet", value="demo"),
                    label_pb2.Label(name="server", value=self.servers[server]),
                ],
            )
            for server in servers
            for number, metric in enumerate(METRICS)
        ]


def ms_of(time: timestamp_pb2.Timestamp) -> int:
    """Unix milliseconds."""
    return time.ToMilliseconds()
