"""First and newest sample of every series, in memory."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS, Columns, IdArray, TimeArray, ValueArray

Positions = NDArray[np.intp]
_INITIAL: Final = 1024


class Spans:
    """Columns with one row a series, ascending by id; a row is found by bisection. Used from the event loop alone.

    Attributes:
        size: rows in use; the columns are longer.
        ids: u64.
        first_ms: i64, lower bound of the times held, `MAX_TIME_MS` without samples.
        newest_ms: i64, `MIN_TIME_MS` without samples.
        newest_value: f64.
    """

    def __init__(self) -> None:
        self.size = 0
        self.ids: IdArray = np.empty(_INITIAL, np.uint64)
        self.first_ms: TimeArray = np.empty(_INITIAL, np.int64)
        self.newest_ms: TimeArray = np.empty(_INITIAL, np.int64)
        self.newest_value: ValueArray = np.empty(_INITIAL, np.float64)

    def rows(self, ids: IdArray) -> Positions:
        """Row of each id, -1 where there is none."""
        if not self.size:
            return np.full(len(ids), -1, np.intp)
        held = self.ids[: self.size]
        at = np.minimum(np.searchsorted(held, ids), self.size - 1)
        return np.where(held[at] == ids, at, -1)

    def add(self, ids: IdArray) -> None:
        """Add series without samples; ids ascending and above all others."""
        end = self.size + len(ids)
        if end > len(self.ids):
            self._resize(max(end, 2 * len(self.ids)))
        new = slice(self.size, end)
        self.ids[new] = ids
        self.first_ms[new] = MAX_TIME_MS
        self.newest_ms[new] = MIN_TIME_MS
        self.newest_value[new] = 0.0
        self.size = end

    def remove(self, ids: IdArray) -> None:
        """Remove series; unknown ids are ignored."""
        rows = self.rows(ids)
        kept = np.delete(np.arange(self.size), rows[rows >= 0])
        for name in ("ids", "first_ms", "newest_ms", "newest_value"):
            column = getattr(self, name)
            column[: len(kept)] = column[: self.size][kept]
        self.size = len(kept)

    def advance(self, rows: Positions, samples: Columns) -> None:
        """Note samples that are stored; `rows` has the row of each, and a row may come often."""
        order = np.lexsort((samples.timestamps_ms, rows))
        rows, times, values = rows[order], samples.timestamps_ms[order], samples.values[order]
        first = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]]) if len(rows) else np.empty(0, np.intp)
        last = np.r_[first[1:], len(rows)] - 1 if len(rows) else first
        own = rows[first]
        self.first_ms[own] = np.minimum(self.first_ms[own], times[first])
        newer = times[last] > self.newest_ms[own]
        self.newest_ms[own[newer]] = times[last[newer]]
        self.newest_value[own[newer]] = values[last[newer]]

    def forget_samples(self) -> None:
        """Every series is without samples again."""
        self.first_ms[: self.size] = MAX_TIME_MS
        self.newest_ms[: self.size] = MIN_TIME_MS

    def _resize(self, capacity: int) -> None:
        for name in ("ids", "first_ms", "newest_ms", "newest_value"):
            column = getattr(self, name)
            grown = np.empty(capacity, column.dtype)
            grown[: self.size] = column[: self.size]
            setattr(self, name, grown)
