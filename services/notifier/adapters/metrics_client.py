"""The metrics service, as the notifier needs it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from typing import Final

import grpc.aio
import numpy as np
import numpy.typing as npt

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from services.common.errors import InvalidArgumentError, UnavailableError, from_rpc_error
from services.common.id_rows import IdRows
from services.notifier.domain.labels import METRIC_NAME, Labels
from services.notifier.domain.ports import Arrival, Sample

LOOP_SERIES: Final = 1000
"""Messages of more series than this are read in a thread; each series costs some microseconds."""
SELECTORS: Final = 200
"""At most this many selectors are asked for in one call."""


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

    async def held(self, names: Collection[str] | None, labels: Collection[Labels]) -> Sequence[bool]:
        """See the port."""
        bearing: dict[Columns, set[tuple[str, ...]]] = {_columns(wanted): set() for wanted in labels}
        selectors = [_selector(name, wanted) for wanted in labels for name in (names if names is not None else [None])]
        for start in range(0, len(selectors), SELECTORS):
            request = metrics_pb2.ListSeriesRequest(selectors=selectors[start : start + SELECTORS])
            try:
                response = await self._stub.ListSeries(request, timeout=self._timeout)
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error) from error
            if len(response.series) > LOOP_SERIES:
                await asyncio.to_thread(_note_series, response.series, bearing)
            else:
                _note_series(response.series, bearing)
        return [_row(wanted, _columns(wanted)) in bearing[_columns(wanted)] for wanted in labels]

    async def arrivals(self) -> AsyncGenerator[Arrival]:
        """See the port."""
        names = _SeriesNames()
        begins = True  # with a snapshot, which does not tell what was deleted before it
        call = self._stub.WatchSamples(metrics_pb2.WatchSamplesRequest())
        try:
            async for message in call:
                names.forget(np.frombuffer(message.removed, "<u8"))
                if len(message.series) > LOOP_SERIES:
                    await asyncio.to_thread(names.define, message.series)
                else:
                    names.define(message.series)
                came = names.of(np.frombuffer(message.samples.series_ids, "<u8"))
                yield Arrival(None if message.dropped else came, deleted=begins or bool(message.removed))
                begins = False
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


Columns = tuple[str, ...]
"""Names of labels, ascending."""


def _selector(name: str | None, labels: Labels) -> str:
    wanted = dict(labels) if name is None else {METRIC_NAME: name, **labels}
    return "{" + ",".join(f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in wanted.items()) + "}"


def _columns(labels: Labels) -> Columns:
    return tuple(sorted(labels))


def _row(labels: Labels, columns: Columns) -> tuple[str, ...]:
    return tuple(labels.get(column, "") for column in columns)


def _note_series(series: Iterable[label_pb2.LabelSet], rows: Mapping[Columns, set[tuple[str, ...]]]) -> None:
    """Adds what each of the series has in the columns of each entry."""
    for found in series:
        labels = {label.name: label.value for label in found.labels}
        for columns, seen in rows.items():
            seen.add(_row(labels, columns))


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

    def forget(self, ids: npt.NDArray[np.uint64]) -> None:
        """Says that these series are no more."""
        self._number_of_id.drop(ids)

    def of(self, ids: npt.NDArray[np.uint64]) -> frozenset[str]:
        """Names of the metrics that these series are of; a series that was never defined has none."""
        numbers = self._number_of_id.rows(ids)
        occurs = np.bincount(numbers + 1, minlength=1)[1:]  # what is not defined has the number -1
        return frozenset(self._names[number] for number in np.flatnonzero(occurs).tolist())
