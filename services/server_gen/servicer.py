"""The virtual fleet over gRPC."""

from collections.abc import AsyncIterator
from typing import Final

import numpy as np
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from openmanager.common.v1.label_pb2 import SeriesDefinition
from openmanager.server_gen.v1 import server_gen_pb2 as pb
from openmanager.server_gen.v1 import server_gen_pb2_grpc
from services.common import paging
from services.common.clock import Clock
from services.common.errors import FieldError, InvalidArgumentError
from services.common.pools.pool import Pool
from services.server_gen import wire
from services.server_gen.domain.fleet import Fleet, PlannedFault
from services.server_gen.domain.history import Part, past_range, read_history
from services.server_gen.domain.snapshot import Snapshot
from services.server_gen.domain.truths import Truths
from services.server_gen.domain.watching import COMPUTE_SECONDS, Step, Watch, interval_ms
from services.server_gen.series import Definitions, range_columns, series_ids, step_columns

HISTORY_STEP_SECONDS: Final = 60.0
MAX_AHEAD_SECONDS: Final = 31 * 86_400.0
_SERIES_AT_ONCE: Final = 200_000
"""Definitions in one message; each takes some 140 bytes, and a message may have 64 MiB."""
_COPIED_AT_ONCE: Final = 2_000
_LIST: Final = "faults"


class ServerGenServicer(server_gen_pb2_grpc.ServerGenServiceServicer):
    """Answers ServerGenService.

    Samples stand at whole multiples of the interval, so a reader that comes back gets the same samples again and not others
    beside them.
    """

    def __init__(self, fleet: Fleet, truths: Truths, pool: Pool, clock: Clock, interval_seconds: float) -> None:
        self._fleet = fleet
        self._truths = truths
        self._pool = pool
        self._clock = clock
        self._interval_seconds = interval_seconds

    async def GenerateServer(self, request: pb.GenerateServerRequest, _context: object) -> pb.GenerateServerResponse:
        """Adds one server; see Fleet.grow."""
        believed_size = request.current_count if request.HasField("current_count") else None
        growth = await self._fleet.grow(believed_size=believed_size, reset=request.reset)
        response = pb.GenerateServerResponse(current_count=len(growth.snapshot.servers), target_count=self._fleet.target_size)
        if growth.server is not None:
            response.server.CopyFrom((await self._with_figures(growth.snapshot, len(growth.snapshot.servers) - 1))[0])
        return response

    async def GetFleetStatus(self, _request: pb.GetFleetStatusRequest, _context: object) -> pb.GetFleetStatusResponse:
        """Tells the size, and every server with its figures."""
        snapshot = await self._fleet.current()
        servers = await self._with_figures(snapshot)
        return pb.GetFleetStatusResponse(current_count=len(servers), target_count=self._fleet.target_size, servers=servers)

    async def ResetFleet(self, _request: pb.ResetFleetRequest, _context: object) -> pb.ResetFleetResponse:
        """Removes every server and every fault."""
        emptied = await self._fleet.empty()
        return pb.ResetFleetResponse(removed=emptied.removed, target_count=self._fleet.target_size, generation=emptied.generation)

    async def GetFleet(self, _request: pb.GetFleetRequest, _context: object) -> pb.GetFleetResponse:
        """Describes the fleet."""
        snapshot = await self._fleet.current()
        return await self._pool.run(COMPUTE_SECONDS, wire.fleet_message, snapshot, self._fleet.world, self._fleet.target_size)

    async def WatchFleetSamples(
        self, request: pb.WatchFleetSamplesRequest, _context: object
    ) -> AsyncIterator[pb.WatchFleetSamplesResponse]:
        """Sends the first step at once, then every step as its time comes."""
        interval = wire.seconds_of(request.interval) if request.HasField("interval") else self._interval_seconds
        start = wire.seconds_of(request.start) if request.HasField("start") else None
        speed = request.speed if request.HasField("speed") else None
        definitions = Definitions()
        async for step in Watch(self._fleet, self._pool, self._clock, interval_ms(interval), start, speed).steps():
            for message in await self._pool.run(COMPUTE_SECONDS, _step_messages, step, definitions):
                yield message

    async def ReadFleetHistory(
        self, request: pb.ReadFleetHistoryRequest, _context: object
    ) -> AsyncIterator[pb.ReadFleetHistoryResponse]:
        """Sends the past part by part."""
        step = wire.seconds_of(request.step) if request.HasField("step") else HISTORY_STEP_SECONDS
        steps = past_range(wire.seconds_of(request.start), wire.seconds_of(request.end), step, self._clock.now())
        generation = request.generation if request.HasField("generation") else None
        definitions = Definitions()
        async for part in read_history(self._fleet, self._pool, steps, request.servers, generation):
            yield await self._pool.run(COMPUTE_SECONDS, _part_message, part, definitions)

    async def InjectFault(self, request: pb.InjectFaultRequest, _context: object) -> pb.InjectFaultResponse:
        """Plans a fault."""
        return pb.InjectFaultResponse(fault=await self._told(await self._fleet.inject(wire.fault_wish(request))))

    async def ListFaults(self, request: pb.ListFaultsRequest, _context: object) -> pb.ListFaultsResponse:
        """Lists faults with their truth, the latest start first."""
        if request.page_size < 0:
            raise _wrong("page_size", "is below 0", "INVALID_PAGE_SIZE")
        size = paging.page_size(request.page_size)
        after = paging.read_token(request.page_token, _LIST, float, str)
        start = wire.seconds_of(request.start) if request.HasField("start") else None
        end = wire.seconds_of(request.end) if request.HasField("end") else None
        if end is not None and end > self._clock.now() + MAX_AHEAD_SECONDS:
            raise _wrong("end", "is more than 31 days ahead", "INVALID_TIME_RANGE")
        if start is not None and end is not None and start >= end:
            raise _wrong("end", "is not after the start", "INVALID_TIME_RANGE")
        snapshot, faults = await self._truths.between(start, end, cancelled=request.cancelled)
        if after is not None:
            faults = [fault for fault in faults if [fault.start, fault.id] < after]
        page = faults[:size]
        truths = await self._truths.of(snapshot, page)
        now = self._clock.now()
        return pb.ListFaultsResponse(
            faults=[wire.fault_message(fault, truth, now) for fault, truth in zip(page, truths, strict=True)],
            next_page_token=paging.write_token(_LIST, page[-1].start, page[-1].id) if len(faults) > size else "",
        )

    async def CancelFault(self, request: pb.CancelFaultRequest, _context: object) -> pb.CancelFaultResponse:
        """Withdraws a fault."""
        return pb.CancelFaultResponse(fault=await self._told(await self._fleet.cancel(request.id)))

    async def _told(self, planned: PlannedFault) -> pb.Fault:
        (truth,) = await self._truths.of(planned.snapshot, [planned.fault])
        return wire.fault_message(planned.fault, truth, self._clock.now())

    async def _with_figures(self, snapshot: Snapshot, first: int = 0) -> list[pb.VirtualServer]:
        """The servers from this place on, with the figures of the present step."""
        milliseconds = interval_ms(self._interval_seconds)
        time_seconds = int(self._clock.now() * 1000 // milliseconds) * milliseconds / 1000

        def compute() -> list[pb.VirtualServer]:
            figures = snapshot.figures(np.array([time_seconds]))[:, 0]
            return wire.server_messages(snapshot.servers[first:], figures[:, first:], time_seconds)

        return await self._pool.run(COMPUTE_SECONDS, compute)


def _step_messages(step: Step, definitions: Definitions) -> list[pb.WatchFleetSamplesResponse]:
    """The step in one message; what is too much to define in it comes in messages before."""
    snapshot = step.snapshot
    ids, columns = step_columns(series_ids(snapshot.servers), step.time_ms, step.figures)
    new = definitions.new(snapshot.generation, snapshot.servers, ids)
    messages = []
    for start in range(0, max(1, len(new)), _SERIES_AT_ONCE):
        message = pb.WatchFleetSamplesResponse(generation=snapshot.generation, server_count=len(snapshot.servers))
        _extend(message.series, new[start : start + _SERIES_AT_ONCE])
        messages.append(message)
    messages[-1].samples.CopyFrom(columns)
    return messages


def _part_message(part: Part, definitions: Definitions) -> pb.ReadFleetHistoryResponse:
    ids, columns = range_columns(series_ids(part.servers), part.times_ms, part.figures)
    generation = part.snapshot.generation
    message = pb.ReadFleetHistoryResponse(samples=columns, generation=generation)
    _extend(message.series, definitions.new(generation, part.servers, ids))
    return message


def _extend(field: "RepeatedCompositeFieldContainer[SeriesDefinition]", definitions: list[SeriesDefinition]) -> None:
    """In pieces: one call copies all that it gets without letting another thread run."""
    for start in range(0, len(definitions), _COPIED_AT_ONCE):
        field.extend(definitions[start : start + _COPIED_AT_ONCE])


def _wrong(field: str, message: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{field} {message}", reason=reason, fields=[FieldError(field, message)])
