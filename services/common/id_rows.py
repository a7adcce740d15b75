"""Looking many numeric ids up at once, without a step of Python for each."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

IdArray: TypeAlias = NDArray[np.uint64]
RowArray: TypeAlias = NDArray[np.int64]


def find(ids: IdArray, ascending: IdArray) -> RowArray:
    """For each id its place in an array of distinct ids in ascending order, -1 where it is not there."""
    if not len(ascending):
        return np.full(len(ids), -1, np.int64)
    places = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    return np.where(ascending[places] == ids, places, -1)


class IdRows:
    """Which row each id stands for."""

    def __init__(self) -> None:
        self._ids: IdArray = np.empty(0, np.uint64)
        self._rows: RowArray = np.empty(0, np.int64)
        self._new: dict[int, int] = {}

    def put(self, identifier: int, row: int) -> None:
        """Let an id stand for a row, whatever it stood for before."""
        self._new[identifier] = row

    def rows(self, ids: IdArray) -> RowArray:
        """The row of each id, -1 where it stands for none."""
        if self._new:
            self._merge()
        places = find(ids, self._ids)
        if not len(self._rows):
            return places
        return np.where(places >= 0, self._rows[places], -1)

    def _merge(self) -> None:
        """Sort what came since the last look-up in, all of it at once."""
        new = np.fromiter(self._new.keys(), np.uint64, len(self._new))
        new_rows = np.fromiter(self._new.values(), np.int64, len(self._new))
        kept = ~np.isin(self._ids, new)
        ids = np.concatenate((self._ids[kept], new))
        rows = np.concatenate((self._rows[kept], new_rows))
        order = np.argsort(ids, kind="stable")
        self._ids, self._rows = ids[order], rows[order]
        self._new = {}
