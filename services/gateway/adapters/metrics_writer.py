"""Writes samples to the metrics service in columns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from services.common.errors import RefusedError
from services.gateway.adapters.calls import call
from services.gateway.domain.ports import Document
from services.gateway.domain.samples import MAX_ERRORS, SampleBatch, SampleError, SeriesLabels

MAX_SERIES_A_CALL: Final = 100_000
MAX_SAMPLES_A_CALL: Final = 1_000_000
MAX_CACHED_SERIES: Final = 1_000_000
TIMEOUT_SECONDS: Final = 30.0
UNKNOWN_STORE: Final = "UNKNOWN_STORE"


@dataclass
class _Store:
    """The ids that one store gave; another store gives others, so a new one replaces the whole object."""

    store_id: str = ""
    ids: dict[SeriesLabels, int] = field(default_factory=dict)


class MetricsWriter:
    """Keeps the ids of series, so that a batch of known series is one call with three byte strings."""

    def __init__(self, stub: "metrics_pb2_grpc.MetricsServiceAsyncStub") -> None:
        self._stub = stub
        self._store = _Store()

    async def write(self, batch: SampleBatch) -> Document:
        """Store the batch; returns its receipt once it is durable.

        Raises:
            OpenManagerError: nothing is known to be durable; sending the same batch again is harmless.
        """
        try:
            return await self._write(batch)
        except RefusedError as error:
            if error.reason != UNKNOWN_STORE:
                raise
            self._store = _Store()
            return await self._write(batch)

    async def _write(self, batch: SampleBatch) -> Document:
        receipt = {"accepted": 0, "rejected": batch.rejected, "duplicate": 0, "late": 0}
        errors = list(batch.errors)
        if batch.values:
            store, refused = await self._register(batch.series)
            ids = np.array([store.ids.get(labels, 0) for labels in batch.series], dtype="<u8")
            columns = (ids[batch.series_index], np.array(batch.timestamps_ms, dtype="<i8"), np.array(batch.values, dtype="<f8"))
            rows = np.arange(len(batch.values))
            if refused:
                rows = np.flatnonzero(columns[0])
                receipt["rejected"] += len(batch.values) - len(rows)
                errors.extend(_errors_of_refused(batch, columns[0], refused))
            for start in range(0, len(rows), MAX_SAMPLES_A_CALL):
                part = rows[start : start + MAX_SAMPLES_A_CALL]
                response = await self._send(batch, store, [column[part] for column in columns])
                for name in receipt:
                    receipt[name] += getattr(response, name)
                errors.extend(
                    SampleError(batch.sample_index[part[error.index]], error.reason, error.message) for error in response.errors
                )
        errors.sort(key=lambda error: error.index)
        shown = [{"index": e.index, "reason": e.reason, "message": e.message} for e in errors[:MAX_ERRORS]]
        return {**receipt, "errors": shown}

    async def _send(self, batch: SampleBatch, store: _Store, columns: list[NDArray[np.generic]]) -> metrics_pb2.WriteResponse:
        ids, times, values = (column.tobytes() for column in columns)
        request = metrics_pb2.WriteRequest(
            batch_id=batch.batch_id,
            store_id=store.store_id,
            samples=label_pb2.SampleColumns(series_ids=ids, timestamps_ms=times, values=values),
            mode=metrics_pb2.WRITE_MODE_IMPORT if batch.is_history else metrics_pb2.WRITE_MODE_LIVE,
        )
        return await call(self._stub.Write, request, TIMEOUT_SECONDS)

    async def _register(self, series: list[SeriesLabels]) -> tuple[_Store, dict[SeriesLabels, metrics_pb2.RowError]]:
        """A store that knows the series, and why it refused some.

        A refusal is not remembered: the limit behind it may have been raised since.
        """
        store = self._store
        refused: dict[SeriesLabels, metrics_pb2.RowError] = {}
        missing = [labels for labels in series if labels not in store.ids]
        if missing and len(store.ids) + len(missing) > MAX_CACHED_SERIES:
            store = self._store = _Store(store.store_id)
            missing = series
        for start in range(0, len(missing), MAX_SERIES_A_CALL):
            part = missing[start : start + MAX_SERIES_A_CALL]
            request = metrics_pb2.RegisterSeriesRequest(series=[_label_set(labels) for labels in part])
            response = await call(self._stub.RegisterSeries, request, TIMEOUT_SECONDS)
            if response.store_id != store.store_id:
                if store.ids:
                    raise RefusedError("the store of samples was replaced", reason=UNKNOWN_STORE)
                store = self._store = _Store(response.store_id)
            refused.update({part[error.index]: error for error in response.errors})
            ids = np.frombuffer(response.ids, dtype="<u8").tolist()
            store.ids.update((labels, series_id) for labels, series_id in zip(part, ids, strict=True) if series_id)
        return store, refused


def _errors_of_refused(
    batch: SampleBatch, ids: NDArray[np.uint64], refused: dict[SeriesLabels, metrics_pb2.RowError]
) -> Iterable[SampleError]:
    for row in np.flatnonzero(ids == 0)[:MAX_ERRORS].tolist():
        error = refused.get(batch.series[batch.series_index[row]])
        reason, message = (error.reason, error.message) if error else ("UNKNOWN_SERIES", "the store gave the series no id")
        yield SampleError(batch.sample_index[row], reason, message)


def _label_set(labels: SeriesLabels) -> label_pb2.LabelSet:
    return label_pb2.LabelSet(labels=[label_pb2.Label(name=name, value=value) for name, value in labels])
