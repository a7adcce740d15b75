"""The virtual fleet over gRPC."""

import math
from collections.abc import AsyncIterator, Iterable

import numpy as np

from openmanager.common.v1 import label_pb2
from openmanager.server_gen.v1 import server_gen_pb2 as pb
from openmanager.server_gen.v1 import server_gen_pb2_grpc
from services.common.clock import Clock
from services.common.errors import InvalidArgumentError
from services.server_gen.domain.fleet import Fleet
from services.server_gen.domain.roster import VirtualServer
from services.server_gen.domain.simulation import GAUGES, METRICS, Simulation

MIN_INTERVAL_SECONDS = 1.0
MAX_INTERVAL_SECONDS = 3600.0


class ServerGenServicer(server_gen_pb2_grpc.ServerGenServiceServicer):
    """Answers ServerGenService.

    Samples stand at whole multiples of the interval, so a reader that comes back gets the same samples again and not others
    beside them.
    """

    def __init__(self, fleet: Fleet, clock: Clock, interval_seconds: float) -> None:
        self._fleet = fleet
        self._clock = clock
        self._interval_seconds = interval_seconds

    async def GenerateServer(self, request: pb.GenerateServerRequest, _context: object) -> pb.GenerateServerResponse:
        """Adds one server; see Fleet.grow."""
        believed_size = request.current_count if request.HasField("current_count") else None
        growth = await self._fleet.grow(believed_size=believed_size, reset=request.reset)
        response = pb.GenerateServerResponse(current_count=growth.size, target_count=self._fleet.target_size)
        if growth.server is not None:
            time_seconds = self._step(self._interval_seconds)
            response.server.CopyFrom(_messages(Simulation(self._fleet.seed, [growth.server]), time_seconds)[0])
        return response

    async def GetFleetStatus(self, _request: pb.GetFleetStatusRequest, _context: object) -> pb.GetFleetStatusResponse:
        """Tells the size, and every server with its figures."""
        servers = _messages(self._fleet.simulation, self._step(self._interval_seconds))
        return pb.GetFleetStatusResponse(current_count=len(servers), target_count=self._fleet.target_size, servers=servers)

    async def ResetFleet(self, _request: pb.ResetFleetRequest, _context: object) -> pb.ResetFleetResponse:
        """Removes every server."""
        return pb.ResetFleetResponse(removed=await self._fleet.empty(), target_count=self._fleet.target_size)

    async def WatchFleetSamples(
        self, request: pb.WatchFleetSamplesRequest, _context: object
    ) -> AsyncIterator[pb.WatchFleetSamplesResponse]:
        """Sends the present step at once, then every step as its time comes."""
        interval = self._interval_seconds
        if request.HasField("interval"):
            interval = request.interval.ToNanoseconds() / 1e9
        if not MIN_INTERVAL_SECONDS <= interval <= MAX_INTERVAL_SECONDS:
            limits = f"{MIN_INTERVAL_SECONDS:g} to {MAX_INTERVAL_SECONDS:g} s"
            raise InvalidArgumentError(
                f"an interval of {interval:g} s is not possible; ask for {limits}", reason="INVALID_INTERVAL"
            )
        defined: set[int] = set()
        time_seconds = self._step(interval)
        while True:
            yield _samples(self._fleet.simulation, time_seconds, defined)
            await self._clock.sleep(time_seconds + interval - self._clock.now())
            # After a stall the newest step is sent, not all that were missed.
            time_seconds = max(time_seconds + interval, self._step(interval))

    def _step(self, interval_seconds: float) -> float:
        return math.floor(self._clock.now() / interval_seconds) * interval_seconds


def _messages(simulation: Simulation, time_seconds: float) -> list[pb.VirtualServer]:
    """Every server of the simulation with its gauges."""
    figures = simulation.at(time_seconds)
    messages = []
    for column, server in enumerate(simulation.servers):
        message = pb.VirtualServer(id=server.id, hostname=server.hostname, role=server.role.name, location=server.site.name)
        for name, value in zip(GAUGES, figures[: len(GAUGES), column].tolist(), strict=True):
            if not math.isnan(value):
                message.metrics[name] = value
        message.time.FromNanoseconds(round(time_seconds * 1e9))
        messages.append(message)
    return messages


def _samples(simulation: Simulation, time_seconds: float, defined: set[int]) -> pb.WatchFleetSamplesResponse:
    """One step of the fleet; `defined` are the series that this stream has had, and is brought up to date."""
    figures = simulation.at(time_seconds)
    metric, column = np.nonzero(~np.isnan(figures))
    index = np.array([server.index for server in simulation.servers], dtype=np.uint64)
    ids = index[column] * np.uint64(len(METRICS)) + metric.astype(np.uint64) + np.uint64(1)
    new = [row for row, series_id in enumerate(ids.tolist()) if series_id not in defined]
    defined.update(ids[new].tolist())
    return pb.WatchFleetSamplesResponse(
        series=[_definition(int(ids[row]), METRICS[metric[row]], simulation.servers[column[row]]) for row in new],
        samples=label_pb2.SampleColumns(
            series_ids=ids.astype("<u8").tobytes(),
            timestamps_ms=np.full(len(ids), round(time_seconds * 1000), dtype="<i8").tobytes(),
            values=figures[metric, column].astype("<f8").tobytes(),
        ),
    )


def _definition(series_id: int, metric: str, server: VirtualServer) -> label_pb2.SeriesDefinition:
    labels = {
        "__name__": metric,
        "fleet": "demo",
        "role": server.role.name,
        "server": server.hostname,
        "site": server.site.name,
    }
    return label_pb2.SeriesDefinition(id=series_id, labels=_labels(labels.items()))


def _labels(pairs: Iterable[tuple[str, str]]) -> list[label_pb2.Label]:
    return [label_pb2.Label(name=name, value=value) for name, value in sorted(pairs)]
