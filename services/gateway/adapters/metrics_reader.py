"""Reads stored samples through the metrics service."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from services.common.errors import InternalError
from services.gateway.adapters.calls import call, labels_dict, timestamp, timestamp_text
from services.gateway.domain.ports import Document
from services.gateway.domain.promql import Labels, Matrix, MatrixRow, Result, Scalar, Text, Vector

LIST_TIMEOUT_SECONDS: Final = 10.0
_LARGEST_LIMIT: Final = 2**32 - 1  # of a uint32
_HEALTH: Final = {
    metrics_pb2.HEALTH_OK: "ok",
    metrics_pb2.HEALTH_WARNING: "warning",
    metrics_pb2.HEALTH_CRITICAL: "critical",
}


class MetricsReader:
    """Turns messages into columns and documents."""

    def __init__(self, stub: "metrics_pb2_grpc.MetricsServiceAsyncStub") -> None:
        self._stub = stub

    async def query(self, expr: str, time_ms: int | None, timeout_seconds: float) -> Result:
        """The value of a PromQL expression at one instant, now when not given."""
        request = metrics_pb2.QueryRequest(expr=expr, time=None if time_ms is None else timestamp(time_ms))
        response = await call(self._stub.Query, request, timeout_seconds)
        match response.WhichOneof("result"):
            case "vector":
                vector = response.vector
                series = [_labels(labels) for labels in vector.series]
                return Vector(series, np.frombuffer(vector.timestamps_ms, "<i8"), np.frombuffer(vector.values, "<f8"))
            case "matrix":
                return _matrix(response.matrix)
            case "scalar":
                return Scalar(response.scalar.timestamp_ms, response.scalar.value)
            case "text":
                return Text(response.text.timestamp_ms, response.text.value)
            case _:
                raise InternalError("the metrics service answered a query without a result")

    async def query_range(self, expr: str, start_ms: int, end_ms: int, step_ms: int, timeout_seconds: float) -> Matrix:
        """The values of a PromQL expression at each step of a range, both ends included."""
        request = metrics_pb2.QueryRangeRequest(expr=expr, start=timestamp(start_ms), end=timestamp(end_ms))
        request.step.FromMilliseconds(step_ms)
        response = await call(self._stub.QueryRange, request, timeout_seconds)
        return _matrix(response.matrix)

    async def series(self, selectors: Sequence[str], start_ms: int | None, end_ms: int | None, limit: int) -> list[Labels]:
        """The series that match any selector; limit 0 is none."""
        request = metrics_pb2.ListSeriesRequest(selectors=selectors, limit=min(limit, _LARGEST_LIMIT))
        _set_range(request, start_ms, end_ms)
        response = await call(self._stub.ListSeries, request, LIST_TIMEOUT_SECONDS)
        return [_labels(labels) for labels in response.series]

    async def label_names(self, selectors: Sequence[str], start_ms: int | None, end_ms: int | None) -> list[str]:
        """Names of labels in use."""
        request = metrics_pb2.ListLabelNamesRequest(selectors=selectors)
        _set_range(request, start_ms, end_ms)
        response = await call(self._stub.ListLabelNames, request, LIST_TIMEOUT_SECONDS)
        return list(response.names)

    async def label_values(self, name: str, selectors: Sequence[str], start_ms: int | None, end_ms: int | None) -> list[str]:
        """Values of one label."""
        request = metrics_pb2.ListLabelValuesRequest(name=name, selectors=selectors)
        _set_range(request, start_ms, end_ms)
        response = await call(self._stub.ListLabelValues, request, LIST_TIMEOUT_SECONDS)
        return list(response.values)

    async def servers(self, name: str = "") -> list[Document]:
        """Servers in ascending order of name, or the one of this name."""
        response = await call(self._stub.ListServers, metrics_pb2.ListServersRequest(name=name), LIST_TIMEOUT_SECONDS)
        return [_server(server) for server in response.servers]


def _set_range(
    request: metrics_pb2.ListSeriesRequest | metrics_pb2.ListLabelNamesRequest | metrics_pb2.ListLabelValuesRequest,
    start_ms: int | None,
    end_ms: int | None,
) -> None:
    if start_ms is not None:
        request.start.CopyFrom(timestamp(start_ms))
    if end_ms is not None:
        request.end.CopyFrom(timestamp(end_ms))


def _matrix(matrix: metrics_pb2.Matrix) -> Matrix:
    return Matrix(
        [
            MatrixRow(_labels(row.labels), np.frombuffer(row.timestamps_ms, "<i8"), np.frombuffer(row.values, "<f8"))
            for row in matrix.rows
        ]
    )


def _labels(labels: label_pb2.LabelSet) -> Labels:
    return labels_dict(labels.labels)


def _server(server: metrics_pb2.Server) -> Document:
    return {
        "server": server.name,
        "role": server.role or None,
        "health": _HEALTH.get(server.health, "unknown"),
        "last_seen": timestamp_text(server.last_seen) if server.HasField("last_seen") else None,
        "labels": labels_dict(server.labels),
        "metrics": dict(server.metrics),
        "expressions": dict(server.expressions),
        "reasons": list(server.reasons),
    }
