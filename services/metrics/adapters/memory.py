"""A store that keeps everything in dictionaries: for tests, and for telling what the contract means."""

from collections.abc import Sequence

import numpy as np

from services.common.errors import RefusedError, ResourceExhaustedError
from services.common.ids import IdSource, new_id
from services.metrics.domain.admission import Verdict, receipt_of, screen
from services.metrics.domain.ports import (
    MAX_TIME_MS,
    MIN_TIME_MS,
    Columns,
    IdArray,
    Labels,
    Matcher,
    Receipt,
    Registration,
    SeriesData,
    StoreLimits,
    StoreStats,
    WriteMode,
)
from services.metrics.domain.registration import plan_registration
from services.metrics.domain.series import SeriesIndex


class MemoryStore:
    """`SampleStore` without a disk: nothing survives the process."""

    def __init__(self, limits: StoreLimits | None = None, id_source: IdSource = new_id) -> None:
        self._store_id = id_source()
        self._limits = limits or StoreLimits()
        self._index = SeriesIndex()
        self._samples: dict[int, dict[int, float]] = {}
        self._next_id = 1
        self._floor_ms = MIN_TIME_MS
        self._closed = False

    @property
    def store_id(self) -> str:
        """Names this store for as long as its ids are valid."""
        return self._store_id

    @property
    def limits(self) -> StoreLimits:
        """What the store takes in."""
        return self._limits

    async def register(self, series: Sequence[Sequence[tuple[str, str]]]) -> Registration:
        """Give each series its id."""
        self._check_open()
        plan = plan_registration(self._index, series, self._limits, self._next_id)
        for series_id, labels in plan.new:
            self._index.add(series_id, labels)
            self._samples[series_id] = {}
        self._next_id += len(plan.new)
        return plan.registration

    async def append(self, columns: Columns, *, mode: WriteMode = WriteMode.LIVE, now_ms: int) -> Receipt:
        """Store a batch."""
        self._check_open()
        rows = [self._samples.get(series_id) for series_id in columns.ids.tolist()]
        known = np.array([row is not None for row in rows], np.bool_)
        newest = np.array([max(row) if row else MIN_TIME_MS for row in rows], np.int64)
        limits, floor_ms = self._limits, self._floor_ms
        verdicts = screen(columns, known, newest, mode=mode, now_ms=now_ms, limits=limits, floor_ms=floor_ms)
        samples = zip(rows, columns.timestamps_ms.tolist(), columns.values.tolist(), strict=True)
        for position, (row, time_ms, value) in enumerate(samples):
            if row is None or verdicts[position] != Verdict.ACCEPTED:
                continue
            if time_ms in row:
                verdicts[position] = Verdict.DUPLICATE
            else:
                row[time_ms] = value
        return receipt_of(columns, verdicts)

    def labels_of(self, ids: IdArray) -> list[Labels]:
        """Label sets of the series."""
        return [self._index.labels(series_id) for series_id in ids.tolist()]

    def matching(self, matchers: Sequence[Matcher]) -> IdArray:
        """Ids of the series that meet every matcher."""
        return self._index.matching(matchers)

    async def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, *, max_samples: int | None = None
    ) -> SeriesData:
        """Samples in the range of the series that meet every matcher."""
        self._check_open()
        found = []
        for series_id in self._index.matching(matchers).tolist():
            rows = sorted((t, v) for t, v in self._samples[series_id].items() if max(start_ms, self._floor_ms) <= t <= end_ms)
            if rows:
                found.append((series_id, rows))
        counts = [len(rows) for _, rows in found]
        if max_samples is not None and sum(counts) > max_samples:
            raise ResourceExhaustedError(f"the query reads more than {max_samples} samples", reason="TOO_MANY_SAMPLES")
        return SeriesData(
            ids=np.array([series_id for series_id, _ in found], np.uint64),
            labels=[self._index.labels(series_id) for series_id, _ in found],
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)]),
            timestamps_ms=np.array([t for _, rows in found for t, _ in rows], np.int64),
            values=np.array([v for _, rows in found for _, v in rows], np.float64),
        )

    async def select_series(
        self, matchers: Sequence[Matcher], start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[tuple[int, Labels]]:
        """Series that meet every matcher and whose span touches the range."""
        self._check_open()
        return [(series_id, self._index.labels(series_id)) for series_id in self._in_range(matchers, start_ms, end_ms).tolist()]

    async def latest(self, matchers: Sequence[Matcher] = (), *, ids: IdArray | None = None) -> Columns:
        """The newest sample of each series."""
        self._check_open()
        wanted = self._index.matching(matchers) if ids is None else np.unique(ids)
        rows = [(series_id, self._samples.get(series_id)) for series_id in wanted.tolist()]
        newest = [(series_id, max(row), row[max(row)]) for series_id, row in rows if row]
        newest = [row for row in newest if row[1] >= self._floor_ms]
        return Columns(
            np.array([row[0] for row in newest], np.uint64),
            np.array([row[1] for row in newest], np.int64),
            np.array([row[2] for row in newest], np.float64),
        )

    async def label_names(
        self, matchers: Sequence[Matcher] = (), start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[str]:
        """Names of the labels in use."""
        self._check_open()
        return self._index.names(self._in_range(matchers, start_ms, end_ms))

    async def label_values(
        self, name: str, matchers: Sequence[Matcher] = (), start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[str]:
        """Values of one label."""
        self._check_open()
        return self._index.values(name, self._in_range(matchers, start_ms, end_ms))

    async def delete_before(self, time_ms: int) -> int:
        """Forget old samples and the series that held nothing else."""
        self._check_open()
        self._floor_ms = max(self._floor_ms, time_ms)
        dead = [series_id for series_id, row in self._samples.items() if row and max(row) < self._floor_ms]
        return self._forget(dead)

    async def delete_series(self, matchers: Sequence[Matcher]) -> int:
        """Forget the series that meet every matcher."""
        self._check_open()
        return self._forget(self._index.matching(matchers).tolist())

    async def flush(self) -> None:
        """Nothing to do: there is only one form."""
        self._check_open()

    async def close(self) -> None:
        """Refuse later calls."""
        self._closed = True

    def stats(self) -> StoreStats:
        """Present figures."""
        return StoreStats(series=len(self._index), head_samples=sum(len(row) for row in self._samples.values()))

    def _in_range(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> IdArray:
        start_ms = max(start_ms, self._floor_ms)
        ids = [
            series_id
            for series_id in self._index.matching(matchers).tolist()
            if (row := self._samples[series_id]) and max(row) >= start_ms and min(row) <= end_ms
        ]
        return np.array(ids, np.uint64)

    def _forget(self, ids: list[int]) -> int:
        for series_id in ids:
            del self._samples[series_id]
        self._index.remove(ids)
        return len(ids)

    def _check_open(self) -> None:
        if self._closed:
            raise RefusedError("the store is closed", reason="STORE_CLOSED")
