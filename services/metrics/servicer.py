"""The metrics service over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar

import structlog

from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1 import metrics_pb2_grpc
from services.common.clock import Clock
from services.common.errors import FieldError, InvalidArgumentError, RefusedError
from services.metrics import wire
from services.metrics.domain.concepts import CONCEPTS
from services.metrics.domain.feed import Feed
from services.metrics.domain.inventory import Inventory
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS, Labels, Matcher, SampleStore, WriteMode
from services.metrics.domain.promql import BadDataError, QueryLimits, evaluate_instant, evaluate_range, parse_selector
from services.metrics.domain.stored_fleet import StoredFleet
from services.metrics.domain.subscription import Delivery, Subscription
from services.metrics.domain.write import SampleWriter, Source
from services.metrics.instruments import Instruments
from services.metrics.write_stream import in_order

MAX_WRITE_SAMPLES: Final = 1_000_000
MAX_REGISTER_SERIES: Final = 100_000
_LOOP_ITEMS: Final = 1_000
"""Messages of more series than this are built in a thread; each series costs some microseconds."""
_WRITES_AHEAD: Final = 16
"""Batches of one stream that are stored at a time."""

T = TypeVar("T")

log = structlog.get_logger("metrics.rpc")


class MetricsServicer(metrics_pb2_grpc.MetricsServiceServicer):
    """Answers MetricsService; see metrics.proto for what each RPC promises."""

    def __init__(
        self,
        store: SampleStore,
        writer: SampleWriter,
        feed: Feed,
        inventory: Inventory,
        stored_fleet: StoredFleet,
        clock: Clock,
        instruments: Instruments,
        query_limits: QueryLimits,
    ) -> None:
        self._store = store
        self._writer = writer
        self._feed = feed
        self._inventory = inventory
        self._stored_fleet = stored_fleet
        self._clock = clock
        self._instruments = instruments
        self._query_limits = query_limits

    async def RegisterSeries(self, request: pb.RegisterSeriesRequest, _context: object) -> pb.RegisterSeriesResponse:
        """Gives each series its id."""
        count = len(request.series)
        if count > MAX_REGISTER_SERIES:
            message = f"{count} series; at most {MAX_REGISTER_SERIES} a call are taken, so send them in parts"
            raise InvalidArgumentError(message, reason="TOO_MANY_SERIES", fields=[FieldError("series", message)])
        series = await _built(count, lambda: [wire.pairs_of(labels.labels) for labels in request.series])
        registration = await self._store.register(series)
        return pb.RegisterSeriesResponse(
            ids=registration.ids.astype("<u8", copy=False).tobytes(),
            store_id=self._store.store_id,
            errors=wire.row_errors(registration.errors),
        )

    async def Write(self, request: pb.WriteRequest, _context: object) -> pb.WriteResponse:
        """Stores a batch."""
        return await self._write(request)

    async def WriteStream(
        self, requests: AsyncIterator[pb.WriteStreamRequest], _context: object
    ) -> AsyncIterator[pb.WriteStreamResponse]:
        """Stores batches as they come."""
        async with aclosing(in_order(requests, lambda request: self._write(request.batch), _WRITES_AHEAD)) as results:
            async for result in results:
                yield pb.WriteStreamResponse(result=result)

    async def _write(self, request: pb.WriteRequest) -> pb.WriteResponse:
        if request.store_id != self._store.store_id:
            message = "the series ids are of another store; register the series again"
            raise RefusedError(message, reason="UNKNOWN_STORE")
        columns = wire.columns_of(request.samples, max_samples=MAX_WRITE_SAMPLES)
        mode = WriteMode.IMPORT if request.mode == pb.WRITE_MODE_IMPORT else WriteMode.LIVE
        receipt = await self._writer.write(columns, Source.RPC, mode)
        return pb.WriteResponse(
            accepted=receipt.accepted,
            rejected=receipt.rejected,
            duplicate=receipt.duplicate,
            late=receipt.late,
            errors=wire.row_errors(receipt.errors),
        )

    async def WatchSamples(self, request: pb.WatchSamplesRequest, _context: object) -> AsyncIterator[pb.WatchSamplesResponse]:
        """Streams batches as they are stored."""
        selectors = [parse_selector(text) for text in request.selectors]
        cursor = request.cursor if request.HasField("cursor") else None
        with self._instruments.feed_readers.track_inprogress():
            async for delivery in Subscription(self._store, self._feed, selectors).deliveries(cursor):
                self._instruments.feed_dropped.inc(delivery.dropped)
                yield await _built(len(delivery.series), partial(_watch_response, delivery))

    async def Query(self, request: pb.QueryRequest, _context: object) -> pb.QueryResponse:
        """Evaluates an expression at one instant."""
        time_ms = wire.milliseconds_of(request.time) if request.HasField("time") else self._now_ms()
        with self._instruments.query_seconds.labels("instant").time():
            result = await evaluate_instant(request.expr, self._store, time_ms, limits=self._query_limits)
            return await _built(len(getattr(result.value, "labels", ())), lambda: wire.query_response(result))

    async def QueryRange(self, request: pb.QueryRangeRequest, _context: object) -> pb.QueryRangeResponse:
        """Evaluates an expression at each step of a range."""
        for name in ("start", "end", "step"):
            if not request.HasField(name):
                raise BadDataError(f"{name} is missing", fields=[FieldError(name, "is missing")])
        start_ms, end_ms = wire.milliseconds_of(request.start), wire.milliseconds_of(request.end)
        step_ms = request.step.seconds * 1000 + request.step.nanos // 1_000_000
        with self._instruments.query_seconds.labels("range").time():
            result = await evaluate_range(request.expr, self._store, start_ms, end_ms, step_ms, limits=self._query_limits)
            matrix = await _built(len(result.matrix.labels), lambda: wire.matrix_message(result.matrix))
        return pb.QueryRangeResponse(matrix=matrix, samples_read=result.samples_read)

    async def ListSeries(self, request: pb.ListSeriesRequest, _context: object) -> pb.ListSeriesResponse:
        """Lists the series that match any of the selectors."""
        if not request.selectors:
            raise BadDataError("at least one selector is needed", fields=[FieldError("selectors", "is empty")])
        start_ms, end_ms = self._range(request)
        found: dict[int, Labels] = {}
        for matchers in _matchers(request.selectors):
            found.update(await self._store.select_series(matchers, start_ms, end_ms))
        series = sorted(found.values())[: request.limit or None]
        return pb.ListSeriesResponse(series=await _built(len(series), lambda: wire.label_sets(series)))

    async def ListLabelNames(self, request: pb.ListLabelNamesRequest, _context: object) -> pb.ListLabelNamesResponse:
        """Lists the names of labels."""
        start_ms, end_ms = self._range(request)
        names: set[str] = set()
        for matchers in _matchers(request.selectors) or [[]]:
            names.update(await self._store.label_names(matchers, start_ms, end_ms))
        return pb.ListLabelNamesResponse(names=sorted(names))

    async def ListLabelValues(self, request: pb.ListLabelValuesRequest, _context: object) -> pb.ListLabelValuesResponse:
        """Lists the values of one label."""
        start_ms, end_ms = self._range(request)
        values: set[str] = set()
        for matchers in _matchers(request.selectors) or [[]]:
            values.update(await self._store.label_values(request.name, matchers, start_ms, end_ms))
        return pb.ListLabelValuesResponse(values=sorted(values))

    async def DeleteSeries(self, request: pb.DeleteSeriesRequest, _context: object) -> pb.DeleteSeriesResponse:
        """Forgets the series that match any of the selectors."""
        if not request.selectors:
            raise BadDataError("at least one selector is needed", fields=[FieldError("selectors", "is empty")])
        # All of them are read before anything is deleted; one that everything could match is refused while it is read.
        selectors = _matchers(request.selectors)
        deleted = 0
        for matchers in selectors:
            deleted += await self._writer.delete_series(matchers)
        log.info("series_deleted", selectors=list(request.selectors), series=deleted)
        return pb.DeleteSeriesResponse(deleted=deleted)

    async def ForgetFleet(self, request: pb.ForgetFleetRequest, _context: object) -> pb.ForgetFleetResponse:
        """Forgets everything of earlier generations of the virtual fleet."""
        if request.generation <= 0:
            message = f"{request.generation} is no generation of the fleet; they are above 0"
            raise InvalidArgumentError(message, reason="INVALID_GENERATION", fields=[FieldError("generation", message)])
        return pb.ForgetFleetResponse(deleted=await self._stored_fleet.forget(request.generation))

    async def ListServers(self, request: pb.ListServersRequest, _context: object) -> pb.ListServersResponse:
        """Lists the servers with their newest figures."""
        now_ms = self._now_ms()
        states = await self._inventory.servers(now_ms, request.name)
        servers = await _built(len(states), lambda: [wire.server_message(state) for state in states])
        return pb.ListServersResponse(servers=servers, time=wire.timestamp_message(now_ms))

    async def ListConcepts(self, _request: pb.ListConceptsRequest, _context: object) -> pb.ListConceptsResponse:
        """Lists the concepts and their formulas."""
        return pb.ListConceptsResponse(concepts=[wire.concept_message(concept, self._inventory.holds) for concept in CONCEPTS])

    def _now_ms(self) -> int:
        return round(self._clock.now() * 1000)

    def _range(self, request: pb.ListSeriesRequest | pb.ListLabelNamesRequest | pb.ListLabelValuesRequest) -> tuple[int, int]:
        start_ms = wire.milliseconds_of(request.start) if request.HasField("start") else MIN_TIME_MS
        # Without an end there is none, for samples may be a little ahead of this clock.
        end_ms = wire.milliseconds_of(request.end) if request.HasField("end") else MAX_TIME_MS
        return start_ms, end_ms


def _matchers(selectors: Sequence[str]) -> list[list[Matcher]]:
    return [parse_selector(text) for text in selectors]


def _watch_response(delivery: Delivery) -> pb.WatchSamplesResponse:
    return pb.WatchSamplesResponse(
        cursor=delivery.cursor,
        snapshot=delivery.snapshot,
        series=wire.definitions(delivery.series),
        samples=wire.columns_message(delivery.columns),
        dropped=delivery.dropped,
        removed=delivery.removed.astype("<u8", copy=False).tobytes(),
    )


async def _built(items: int, build: Callable[[], T]) -> T:
    """What `build` gives, computed in a thread when it handles many items."""
    return build() if items <= _LOOP_ITEMS else await asyncio.to_thread(build)
