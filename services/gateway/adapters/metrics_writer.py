"""Writes samples to the metrics service in columns."""

import asyncio
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from services.common.errors import RefusedError
from services.gateway.adapters.calls import call
from services.gateway.domain.batch import MAX_ERRORS, Receipt, SampleBatch, SampleError
from services.gateway.domain.series_table import SeriesLabels, SeriesTable

MAX_SERIES_A_CALL: Final = 5_000
MAX_SAMPLES_A_CALL: Final = 200_000
"""As much as can be written to a message and read from it without holding up the event loop for more than some milliseconds."""
TIMEOUT_SECONDS: Final = 30.0
UNKNOWN_STORE: Final = "UNKNOWN_STORE"
UNKNOWN_SERIES: Final = "UNKNOWN_SERIES"

_Columns = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.float64]]
"""Ids, times and values of a batch, all of one length."""


class _Store:
    """The ids that one store gave to the series of one table; another store or table gets an object of its own."""

    def __init__(self, series: SeriesTable) -> None:
        self.series = series
        self.store_id = ""
        self._ids: NDArray[np.uint64] = np.zeros(0, "<u8")

    def ids(self, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Ids of series by number, 0 where there is none yet."""
        if len(self._ids) < len(self.series):
            self._ids = np.concatenate((self._ids, np.zeros(len(self.series), "<u8")))  # more than needed, so that it is rare
        return self._ids[numbers]

    def learn(self, numbers: NDArray[np.int64], ids: NDArray[np.uint64]) -> None:
        """Remember ids; numbers are those that `ids` was asked for."""
        self._ids[numbers] = ids


class MetricsWriter:
    """Keeps the ids of series, so that a batch of known series is one call with three byte strings."""

    def __init__(self, stub: "metrics_pb2_grpc.MetricsServiceAsyncStub") -> None:
        self._stub = stub
        self._store: _Store | None = None

    async def write(self, batch: SampleBatch) -> Receipt:
        """Store the batch; returns its receipt once it is durable.

        Raises:
            OpenManagerError: nothing is known to be durable; sending the same batch again is harmless.
        """
        try:
            return await self._write(batch)
        except RefusedError as error:
            if error.reason != UNKNOWN_STORE:
                raise
            self._store = None
            return await self._write(batch)

    async def _write(self, batch: SampleBatch) -> Receipt:
        tally = _Tally(batch)
        if len(batch):
            store, ids, refused = await self._register(batch.series, batch.numbers)
            columns = (ids, batch.timestamps_ms, batch.values)
            rows = np.arange(len(batch))
            if refused:
                tally.refuse(columns[0], refused)
                rows = np.flatnonzero(columns[0])
            for start in range(0, len(rows), MAX_SAMPLES_A_CALL):
                await self._write_rows(batch, store, columns, rows[start : start + MAX_SAMPLES_A_CALL], tally)
        return tally.receipt()

    async def _write_rows(
        self,
        batch: SampleBatch,
        store: _Store,
        columns: _Columns,
        rows: NDArray[np.int64],
        tally: "_Tally",
        *,
        retry: bool = True,
    ) -> None:
        """Store some rows of the batch; those of series that the store has deleted since are registered and sent once more."""
        chosen = columns if len(rows) == len(batch) else (columns[0][rows], columns[1][rows], columns[2][rows])
        response = await self._send(batch, store, chosen)
        if not retry or not any(error.reason == UNKNOWN_SERIES for error in response.errors):
            tally.add(response, rows)
            return
        self._store = None
        store, _, _ = await self._register(batch.series, batch.numbers[rows])
        ids = store.ids(batch.numbers)
        deleted = rows[(ids[rows] != columns[0][rows]) & (ids[rows] != 0)]  # an id is never given twice
        tally.add(response, rows, sent_again=len(deleted))
        await self._write_rows(batch, store, (ids, *columns[1:]), deleted, tally, retry=False)

    async def _send(self, batch: SampleBatch, store: _Store, columns: _Columns) -> metrics_pb2.WriteResponse:
        ids, times, values = columns
        request = metrics_pb2.WriteRequest(
            batch_id=batch.batch_id,
            store_id=store.store_id,
            samples=label_pb2.SampleColumns(
                series_ids=ids.astype("<u8", copy=False).tobytes(),
                timestamps_ms=times.astype("<i8", copy=False).tobytes(),
                values=values.astype("<f8", copy=False).tobytes(),
            ),
            mode=metrics_pb2.WRITE_MODE_IMPORT if batch.is_history else metrics_pb2.WRITE_MODE_LIVE,
        )
        return await call(self._stub.Write, request, TIMEOUT_SECONDS)

    async def _register(
        self, series: SeriesTable, numbers: NDArray[np.int64]
    ) -> tuple[_Store, NDArray[np.uint64], dict[int, metrics_pb2.RowError]]:
        """A store that knows the series of these numbers, their ids there, and why it refused some.

        A refusal is not remembered: the limit behind it may have been raised since.
        """
        store = self._store
        if store is None or store.series is not series:
            store = self._store = _Store(series)
        refused: dict[int, metrics_pb2.RowError] = {}
        ids = store.ids(numbers)
        if ids.all():
            return store, ids, refused
        missing = np.unique(numbers[ids == 0])
        for start in range(0, len(missing), MAX_SERIES_A_CALL):
            part = missing[start : start + MAX_SERIES_A_CALL]
            request = await asyncio.to_thread(_registration, [series.labels[number] for number in part.tolist()])
            response = await call(self._stub.RegisterSeries, request, TIMEOUT_SECONDS)
            if store.store_id not in ("", response.store_id):
                raise RefusedError("the store of samples was replaced", reason=UNKNOWN_STORE)
            store.store_id = response.store_id
            store.learn(part, np.frombuffer(response.ids, dtype="<u8"))
            refused.update({int(part[error.index]): error for error in response.errors})
        return store, store.ids(numbers), refused


class _Tally:
    """Adds up what became of the parts of a batch."""

    def __init__(self, batch: SampleBatch) -> None:
        self._batch = batch
        self._counts = {"accepted": 0, "rejected": batch.rejected, "duplicate": 0, "late": 0}
        self._errors = list(batch.errors)

    def refuse(self, ids: NDArray[np.uint64], refused: Mapping[int, metrics_pb2.RowError]) -> None:
        """Count the rows whose series were refused, those without an id."""
        rows = np.flatnonzero(ids == 0)
        self._counts["rejected"] += len(rows)
        for row in rows[:MAX_ERRORS].tolist():
            error = refused.get(int(self._batch.numbers[row]))
            reason, message = (error.reason, error.message) if error else (UNKNOWN_SERIES, "the store gave the series no id")
            self._errors.append(SampleError(self._batch.index_of(row), reason, message))

    def add(self, response: metrics_pb2.WriteResponse, rows: NDArray[np.int64], *, sent_again: int = 0) -> None:
        """Count what the store answered about these rows, of which some are on their way once more."""
        for name in self._counts:
            self._counts[name] += getattr(response, name)
        self._counts["rejected"] -= sent_again
        self._errors.extend(
            SampleError(self._batch.index_of(int(rows[error.index])), error.reason, error.message)
            for error in response.errors
            if not (sent_again and error.reason == UNKNOWN_SERIES)
        )

    def receipt(self) -> Receipt:
        """The whole."""
        self._errors.sort(key=lambda error: error.index)
        return Receipt(**self._counts, errors=tuple(self._errors[:MAX_ERRORS]))


def _registration(series: list[SeriesLabels]) -> metrics_pb2.RegisterSeriesRequest:
    return metrics_pb2.RegisterSeriesRequest(series=[_label_set(labels) for labels in series])


def _label_set(labels: SeriesLabels) -> label_pb2.LabelSet:
    return label_pb2.LabelSet(labels=[label_pb2.Label(name=name, value=value) for name, value in labels])
