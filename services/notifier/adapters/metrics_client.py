"""The metrics service, as the notifier needs it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Final

import grpc.aio
import numpy as np
import numpy.typing as npt

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from services.common.errors import InvalidArgumentError, UnavailableError, from_rpc_error
from services.common.id_rows import IdRows
from services.notifier.domain.labels import METRIC_NAME
from services.notifier.domain.ports import Sample

LOOP_SERIES: Final = 1000
"""Messages of more series than this are read in a thread; each series costs some microseconds."""


class MetricsClient:
    """Implements `Metrics` over the service's RPCs."""

    def __init__(self, channel: grpc.aio.Channel, query_timeout_seconds: float) -> None:
        self._stub = metrics_pb2_grpc.MetricsServiceStub(channel)
        self._timeout = query_timeout_seconds

    async def query(self, expr: str, time: float) -> Sequence[Sample]:
        """See the port."""
        request = metrics_pb2.QueryRequest(expr=expr)
        request.time.FromNanoseconds(round(time * 1000) * 1_000_000)
        try:
            response = await self._stub.Query(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        kind = response.WhichOneof("result")
        if kind not in (None, "vector"):
            raise InvalidArgumentError(
                f"the expression is a {kind}; a rule needs one that gives series, such as cpu > 90", reason="NOT_A_VECTOR"
            )
        if len(response.vector.series) > LOOP_SERIES:
            return await asyncio.to_thread(_samples, response.vector)
        return _samples(response.vector)

    async def arrivals(self) -> AsyncGenerator[frozenset[str] | None]:
        """See the port."""
        names = _SeriesNames()
        call = self._stub.WatchSamples(metrics_pb2.WatchSamplesRequest())
        try:
            async for message in call:
                if len(message.series) > LOOP_SERIES:
                    await asyncio.to_thread(names.define, message.series)
                else:
                    names.define(message.series)
                yield None if message.dropped else names.of(np.frombuffer(message.samples.series_ids, "<u8"))
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()
        raise UnavailableError("the metrics service ended the stream of samples")


def _samples(vector: metrics_pb2.Vector) -> list[Sample]:
    values = np.frombuffer(vector.values, "<f8").tolist()
    return [
        Sample({label.name: label.value for label in series.labels}, value)
        for series, value in zip(vector.series, values, strict=True)
    ]


class _SeriesNames:
    """Metric names by series id, looked up for a whole batch at once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._number_of_id = IdRows()

    def define(self, definitions: Iterable[label_pb2.SeriesDefinition]) -> None:
        """Says which metrics the series are of."""
        for series in definitions:
            name = next((label.value for label in series.labels if label.name == METRIC_NAME), "")
            if name not in self._numbers:
                self._numbers[name] = len(self._names)
                self._names.append(name)
            self._number_of_id.put(series.id, self._numbers[name])

    def of(self, ids: npt.NDArray[np.uint64]) -> frozenset[str]:
        """Names of the metrics that these series are of; a series that was never defined has none."""
        numbers = self._number_of_id.rows(ids)
        occurs = np.bincount(numbers + 1, minlength=1)[1:]  # what is not defined has the number -1
        return frozenset(self._names[number] for number in np.flatnonzero(occurs).tolist())
