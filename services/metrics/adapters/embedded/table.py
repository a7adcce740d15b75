"""What the store keeps about every series, as columns indexed by slot.

Ids grow for ever; slots are dense and used again, so that the columns stay as long as the number of living series.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.segments import Positions
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS, Columns, IdArray, TimeArray

_INITIAL_SLOTS: Final = 1024


class SeriesTable:
    """Columns of all series; not safe to share between threads without a lock.

    Attributes:
        ids: u64, 0 in a free slot.
        groups: i64, the group whose blocks hold the series.
        first_ms: i64, lower bound of the times held, `MAX_TIME_MS` without samples.
        newest_ms, newest_value: newest sample, `MIN_TIME_MS` without samples.
        sealed_ms, sealed_value: the same, of the samples in blocks alone.
        places: u8, decimals that held all values of the series when it was last packed, or `RAW`: where to begin looking.
        mark: i64, scratch of the writer.
    """

    def __init__(self) -> None:
        self.size = 0
        self.ids: IdArray = np.zeros(_INITIAL_SLOTS, np.uint64)
        self.groups = np.zeros(_INITIAL_SLOTS, np.int64)
        self.first_ms = np.full(_INITIAL_SLOTS, MAX_TIME_MS, np.int64)
        self.newest_ms = np.full(_INITIAL_SLOTS, MIN_TIME_MS, np.int64)
        self.newest_value = np.zeros(_INITIAL_SLOTS, np.float64)
        self.sealed_ms = np.full(_INITIAL_SLOTS, MIN_TIME_MS, np.int64)
        self.sealed_value = np.zeros(_INITIAL_SLOTS, np.float64)
        self.places = np.zeros(_INITIAL_SLOTS, np.uint8)
        self.mark = np.zeros(_INITIAL_SLOTS, np.int64)
        # The last entry stands for every id beyond the end.
        self._slot_of_id = np.full(_INITIAL_SLOTS, -1, np.intp)
        self._free: list[int] = []

    @property
    def capacity(self) -> int:
        """Slots there is room for now."""
        return len(self.ids)

    @property
    def size_bytes(self) -> int:
        """Memory of the columns."""
        return int(self._slot_of_id.nbytes) + sum(int(getattr(self, name).nbytes) for name in _COLUMNS)

    def slots(self, ids: IdArray) -> Positions:
        """Slot of each id, -1 where there is none."""
        bounded = np.minimum(ids, np.uint64(len(self._slot_of_id) - 1)).astype(np.intp)
        return self._slot_of_id[bounded]

    def add(self, ids: IdArray, groups: NDArray[np.int64]) -> None:
        """Add series that are not in the table."""
        if not len(ids):
            return
        reused = [self._free.pop() for _ in range(min(len(self._free), len(ids)))]
        fresh = len(ids) - len(reused)
        slots = np.concatenate([np.array(reused, np.intp), np.arange(self.size, self.size + fresh)])
        self.size += fresh
        if self.size > self.capacity:
            self._grow(max(self.size, 2 * self.capacity))
        highest = int(ids.max())
        if highest >= len(self._slot_of_id) - 1:
            known = self._slot_of_id
            self._slot_of_id = np.full(max(highest + 2, 2 * len(known)), -1, np.intp)
            self._slot_of_id[: len(known)] = known
        self.ids[slots] = ids
        self.groups[slots] = groups
        self._slot_of_id[ids.astype(np.intp)] = slots

    def remove(self, ids: IdArray) -> Positions:
        """Remove series; gives the slots that are free now. Unknown ids are ignored."""
        slots = self.slots(ids)
        slots = slots[slots >= 0]
        self._slot_of_id[self.ids[slots].astype(np.intp)] = -1
        self.ids[slots] = 0
        self.first_ms[slots] = MAX_TIME_MS
        self.newest_ms[slots] = self.sealed_ms[slots] = MIN_TIME_MS
        self._free.extend(slots.tolist())
        return slots

    def restore(self, ids: IdArray, first_ms: TimeArray, newest: Columns) -> None:
        """Take over what the blocks hold of these series, as read back from disk; unknown ids are ignored."""
        slots = self.slots(ids)
        known = slots >= 0
        slots = slots[known]
        self.first_ms[slots] = first_ms[known]
        self.newest_ms[slots] = self.sealed_ms[slots] = newest.timestamps_ms[known]
        self.newest_value[slots] = self.sealed_value[slots] = newest.values[known]

    def advance(self, slots: Positions, first_ms: TimeArray, last_ms: TimeArray, last_value: NDArray[np.float64]) -> None:
        """Note samples that each of these (different) series received: its earliest time, its newest time and value."""
        self.first_ms[slots] = np.minimum(self.first_ms[slots], first_ms)
        newer = last_ms > self.newest_ms[slots]
        if not newer.all():
            slots, last_ms, last_value = slots[newer], last_ms[newer], last_value[newer]
        self.newest_ms[slots] = last_ms
        self.newest_value[slots] = last_value

    def living(self) -> Positions:
        """Slots in use."""
        return np.flatnonzero(self.ids[: self.size])

    def _grow(self, capacity: int) -> None:
        for name, fill in _COLUMNS.items():
            column: NDArray[Any] = getattr(self, name)
            grown = np.full(capacity, fill, column.dtype)
            grown[: len(column)] = column
            setattr(self, name, grown)


_COLUMNS: Final[dict[str, int]] = {
    "ids": 0,
    "groups": 0,
    "first_ms": MAX_TIME_MS,
    "newest_ms": MIN_TIME_MS,
    "newest_value": 0,
    "sealed_ms": MIN_TIME_MS,
    "sealed_value": 0,
    "places": 0,
    "mark": 0,
}
