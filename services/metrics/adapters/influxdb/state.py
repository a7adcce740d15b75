"""What the store knows without asking InfluxDB: series, their ids, and first and newest samples. Used from the event loop alone."""

from collections.abc import Iterable, Sequence

import numpy as np

from services.metrics.adapters.influxdb.names import line_key
from services.metrics.adapters.influxdb.spans import Positions, Spans
from services.metrics.domain.ports import MIN_TIME_MS, NAME_LABEL, IdArray, Labels, Matcher
from services.metrics.domain.series import SeriesIndex


class State:
    """Series in memory.

    Attributes:
        index: labels and ids.
        spans: first and newest samples, in the order of ids.
        keys: how the lines of each series begin.
        floor_ms: what is older has been deleted.
    """

    def __init__(self, floor_ms: int = MIN_TIME_MS) -> None:
        self.index = SeriesIndex()
        self.spans = Spans()
        self.keys: dict[int, str] = {}
        self.floor_ms = floor_ms

    def add(self, new: Iterable[tuple[int, Labels]]) -> None:
        """Add series, ids ascending and above all others."""
        ids = []
        for series_id, labels in new:
            self.index.add(series_id, labels)
            self.keys[series_id] = line_key(labels)
            ids.append(series_id)
        self.spans.add(np.array(ids, np.uint64))

    def remove(self, ids: IdArray) -> None:
        """Forget series."""
        self.index.remove(ids.tolist())
        for series_id in ids.tolist():
            self.keys.pop(series_id, None)
        self.spans.remove(ids)

    def labels_of(self, ids: IdArray) -> list[Labels]:
        """Label sets, empty where one is not known."""
        return [self.index.labels(series_id) for series_id in ids.tolist()]

    def counts(self, labels: Sequence[Labels]) -> dict[str, int]:
        """Number of all series of each metric name that occurs."""
        names = {dict(one)[NAME_LABEL] for one in labels}
        return {name: self.index.count(NAME_LABEL, name) for name in names}

    def in_range(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> IdArray:
        """Ids of the matching series whose span of samples touches the range, ascending."""
        ids = self.index.matching(matchers)
        rows = self.spans.rows(ids)
        start_ms = max(start_ms, self.floor_ms)
        touching = (self.spans.newest_ms[rows] >= start_ms) & (self.spans.first_ms[rows] <= end_ms)
        return ids if touching.all() else ids[touching]

    def outlived(self, floor_ms: int) -> IdArray:
        """Ids of the series whose samples are all older than the floor."""
        newest = self.spans.newest_ms[: self.spans.size]
        return self.spans.ids[: self.spans.size][(newest < floor_ms) & (newest > MIN_TIME_MS)].copy()

    def held(self, ids: IdArray) -> tuple[IdArray, Positions]:
        """Those of the ids whose newest sample is not deleted, with their rows in `spans`."""
        rows = self.spans.rows(ids)
        held = (rows >= 0) & (self.spans.newest_ms[rows] >= max(self.floor_ms, MIN_TIME_MS + 1))
        return ids[held], rows[held]
