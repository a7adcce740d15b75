"""The metrics service as the AI agent's reader of samples."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import grpc.aio
import numpy as np
from google.protobuf import timestamp_pb2

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1 import metrics_pb2_grpc
from services.ai_agent.domain.concepts import Concepts, Formula, FormulaKind, Measure
from services.ai_agent.domain.ports import Inventory, MetricsUnavailableError, QueryRejectedError, QueryResult, Sample, ServerInfo
from services.common.clock import Clock

NAMES_SECONDS = 30.0
"""How long the list of series names may be old: new names are rare, and the list is long."""
_HEALTH = {pb.HEALTH_OK: "ok", pb.HEALTH_WARNING: "warning", pb.HEALTH_CRITICAL: "critical"}
_KINDS = {
    pb.FORMULA_KIND_GAUGE: FormulaKind.GAUGE,
    pb.FORMULA_KIND_COUNTERS: FormulaKind.COUNTERS,
    pb.FORMULA_KIND_EXPRESSION: FormulaKind.EXPRESSION,
}
_REJECTED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.OUT_OF_RANGE)

T = TypeVar("T")


class GrpcMetricsReader:
    """Reads samples over MetricsService."""

    def __init__(self, channel: grpc.aio.Channel, clock: Clock, *, timeout_seconds: float = 5.0) -> None:
        self._stub = metrics_pb2_grpc.MetricsServiceStub(channel)
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._names: tuple[float, frozenset[str]] | None = None

    async def query(self, expr: str, time_ms: int) -> QueryResult:
        """Evaluate a PromQL expression at one instant; a scalar counts as one sample without labels."""
        request = pb.QueryRequest(expr=expr, time=_timestamp(time_ms))
        response = await _told(self._stub.Query(request, timeout=self._timeout_seconds))
        match response.WhichOneof("result"):
            case "vector":
                values = np.frombuffer(response.vector.values, "<f8").tolist()
                samples = tuple(
                    Sample(_labels(series), value) for series, value in zip(response.vector.series, values, strict=True)
                )
                return QueryResult(samples, response.samples_read)
            case "scalar":
                return QueryResult((Sample({}, response.scalar.value),), response.samples_read)
            case other:
                raise QueryRejectedError(f"{expr} gives a {other}, not a vector")

    async def inventory(self) -> Inventory:
        """The servers with their newest figures, the names of the series, and the concepts that they tell."""
        # The concepts are asked for each time: they say which sources the store holds by now, and cost less than the servers.
        response, concepts, names = await asyncio.gather(
            _told(self._stub.ListServers(pb.ListServersRequest(), timeout=self._timeout_seconds)),
            _told(self._stub.ListConcepts(pb.ListConceptsRequest(), timeout=self._timeout_seconds)),
            self._series_names(),
        )
        servers = tuple(
            ServerInfo(
                name=server.name,
                role=server.role,
                site=next((label.value for label in server.labels if label.name == "site"), ""),
                health=_HEALTH.get(server.health, "unknown"),
                last_seen_ms=_milliseconds(server.last_seen),
                figures=dict(server.metrics),
                expressions=dict(server.expressions),
            )
            for server in response.servers
        )
        ordered = tuple(sorted(servers, key=lambda server: server.name))
        return Inventory(ordered, _milliseconds(response.time), names, _concepts(concepts))

    async def _series_names(self) -> frozenset[str]:
        now = self._clock.monotonic()
        if self._names is None or now - self._names[0] >= NAMES_SECONDS:
            request = pb.ListLabelValuesRequest(name="__name__")
            response = await _told(self._stub.ListLabelValues(request, timeout=self._timeout_seconds))
            self._names = (now, frozenset(response.values))
        return self._names[1]


async def _told(call: Awaitable[T]) -> T:
    """The response, or the failure in the domain's words."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        message = error.details() or error.code().name
        if error.code() in _REJECTED:
            raise QueryRejectedError(message) from error
        raise MetricsUnavailableError(message) from error


def _concepts(response: pb.ListConceptsResponse) -> Concepts:
    """The concepts with the formulas that the store has series for; a kind of formula that is not known here is left out."""
    return Concepts(
        {
            concept.name: Measure(
                concept.name,
                concept.unit,
                tuple(
                    Formula(_KINDS[formula.kind], tuple(formula.selectors), formula.template)
                    for formula in concept.formulas
                    if formula.present and formula.kind in _KINDS
                ),
            )
            for concept in response.concepts
        }
    )


def _labels(series: label_pb2.LabelSet) -> dict[str, str]:
    return {label.name: label.value for label in series.labels}


def _timestamp(time_ms: int) -> timestamp_pb2.Timestamp:
    return timestamp_pb2.Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)


def _milliseconds(moment: timestamp_pb2.Timestamp) -> int:
    return moment.seconds * 1000 + moment.nanos // 1_000_000
