"""Looking many numeric ids up at once, without a step of Python for each."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

IdArray: TypeAlias = NDArray[np.uint64]
RowArray: TypeAlias = NDArray[np.int64]

_DENSE_SPAN: Final = 8
"""Ids that lie within a span of this many times their number, and a few, have a table of the whole span."""
_SMALL_SPAN: Final = 4096


def find(ids: IdArray, ascending: IdArray) -> RowArray:
    """For each id its place in an array of distinct ids in ascending order, -1 where it is not there."""
    if not len(ascending):
        return np.full(len(ids), -1, np.int64)
    places = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    return np.where(ascending[places] == ids, places, -1)


class IdPlaces:
    """`find` in an array that stays, several times as fast where the ids lie close together, as those of one store do.

    Attributes:
        ids: distinct and in ascending order.
    """

    def __init__(self, ascending: IdArray) -> None:
        self.ids = ascending
        self._first = ascending[0] if len(ascending) else np.uint64(0)
        self._table: RowArray | None = None
        span = int(ascending[-1]) - int(self._first) + 1 if len(ascending) else 0
        if span <= _DENSE_SPAN * len(ascending) + _SMALL_SPAN:
            self._table = np.full(span + 1, -1, np.int64)  # the last entry is for all ids beyond the span
            self._table[(ascending - self._first).astype(np.intp)] = np.arange(len(ascending))

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, ids: IdArray) -> RowArray:
        """The place of each id, -1 where it is not there."""
        if self._table is None:
            return find(ids, self.ids)
        # What is below the first one wraps around and is beyond the span too.
        offsets = np.minimum(ids - self._first, np.uint64(len(self._table) - 1))
        return self._table[offsets.astype(np.intp)]


class IdRows:
    """Which row each id stands for."""

    def __init__(self) -> None:
        self._places = IdPlaces(np.empty(0, np.uint64))
        self._rows: RowArray = np.full(1, -1, np.int64)  # the last entry is for ids that are not there, whose place is -1
        self._new: dict[int, int] = {}

    def put(self, identifier: int, row: int) -> None:
        """Let an id stand for a row, whatever it stood for before."""
        self._new[identifier] = row

    def drop(self, ids: IdArray) -> None:
        """Let ids stand for nothing any more, whether they stood for something or not."""
        if not len(ids):
            return
        self._merge()
        kept = ~np.isin(self._places.ids, ids)
        self._rows = np.append(self._rows[:-1][kept], -1)
        self._places = IdPlaces(self._places.ids[kept])

    def rows(self, ids: IdArray) -> RowArray:
        """The row of each id, -1 where it stands for none."""
        if self._new:
            self._merge()
        return self._rows[self._places.find(ids)]

    def _merge(self) -> None:
        """Sort what came since the last look-up in, all of it at once."""
        new = np.fromiter(self._new.keys(), np.uint64, len(self._new))
        new_rows = np.fromiter(self._new.values(), np.int64, len(self._new))
        kept = ~np.isin(self._places.ids, new)
        ids = np.concatenate((self._places.ids[kept], new))
        rows = np.concatenate((self._rows[:-1][kept], new_rows))
        order = np.argsort(ids, kind="stable")
        self._places, self._rows = IdPlaces(ids[order]), np.append(rows[order], -1)
        self._new = {}
