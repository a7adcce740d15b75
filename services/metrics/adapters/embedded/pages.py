"""Samples of many series in pages out of one pool.

A series' samples stand in pages of 16 rows, chained backwards: appending a batch is a handful of numpy calls whatever the number
of series, reading a series touches its own pages alone, and a series that is seldom heard of wastes one page (256 bytes) at most.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.segments import Positions, Rows, offsets_of, row_numbers, runs_of
from services.metrics.domain.ports import TimeArray, ValueArray

PAGE_ROWS: Final = 16
_INITIAL_PAGES: Final = 1024


class Pages:
    """Samples by slot, ascending in time within each; `fit` must have made room for every slot that is used."""

    def __init__(self) -> None:
        self._page = np.empty(0, np.int64)  # newest page of each slot, -1 without one
        self._fill = np.empty(0, np.int64)  # rows used in it
        self._used = 0
        self._previous = np.empty(_INITIAL_PAGES, np.int64)
        self._times: TimeArray = np.empty(_INITIAL_PAGES * PAGE_ROWS, np.int64)
        self._values: ValueArray = np.empty(_INITIAL_PAGES * PAGE_ROWS, np.float64)

    @property
    def size_bytes(self) -> int:
        """Memory of the pool and of what stands beside each slot."""
        columns = (self._times, self._values, self._previous, self._page, self._fill)
        return sum(int(column.nbytes) for column in columns)

    def fit(self, slots: int) -> None:
        """Make room for this many slots."""
        missing = slots - len(self._page)
        if missing > 0:
            self._page = np.concatenate([self._page, np.full(missing, -1, np.int64)])
            self._fill = np.concatenate([self._fill, np.full(missing, PAGE_ROWS, np.int64)])

    def append_each(self, slots: Positions, times: TimeArray, values: ValueArray) -> None:
        """Add one sample to each of these different slots, newer than all that the slot has."""
        page, fill = self._page[slots], self._fill[slots]
        full = np.flatnonzero(fill == PAGE_ROWS)
        if len(full):
            new = self._take(len(full))
            self._previous[new] = page[full]
            page[full] = new
            fill[full] = 0
            self._page[slots[full]] = new
        rows = page * PAGE_ROWS + fill
        self._times[rows] = times
        self._values[rows] = values
        self._fill[slots] = fill + 1

    def append_runs(self, slots: Positions, times: TimeArray, values: ValueArray) -> None:
        """Add samples grouped by slot and ascending in time, newer than all that each slot has."""
        if not len(slots):
            return
        starts = runs_of(slots)
        counts = np.diff(np.append(starts, len(slots)))
        own = slots[starts]
        page, fill = self._page[own], self._fill[own]
        new_pages = -(-(fill + counts) // PAGE_ROWS) - 1
        base = self._used + np.cumsum(new_pages) - new_pages
        new = self._take(int(new_pages.sum()))
        self._previous[new] = new - 1
        grew = new_pages > 0
        self._previous[base[grew]] = page[grew]
        place = np.repeat(fill, counts) + row_numbers(np.zeros(len(own), np.int64), counts)
        ordinal = place // PAGE_ROWS
        page_of_row = np.where(ordinal == 0, np.repeat(page, counts), np.repeat(base, counts) + ordinal - 1)
        rows = page_of_row * PAGE_ROWS + place % PAGE_ROWS
        self._times[rows] = times
        self._values[rows] = values
        self._page[own] = np.where(grew, base + new_pages - 1, page)
        self._fill[own] = fill + counts - new_pages * PAGE_ROWS

    def rows(self, slots: Positions, start_ms: int, end_ms: int) -> Rows | None:
        """Copies of the samples of these slots; some outside the range may be among them. Positions index `slots`."""
        position = np.arange(len(slots))
        page, fill = self._page[slots], self._fill[slots]
        walked: list[tuple[Positions, NDArray[np.int64], NDArray[np.int64]]] = []
        while True:
            held = page >= 0
            position, page, fill = position[held], page[held], fill[held]
            if not len(page):
                break
            first_ms = self._times[page * PAGE_ROWS]
            wanted = first_ms <= end_ms
            walked.append((position[wanted], page[wanted], fill[wanted]))
            older = first_ms > start_ms
            position, page = position[older], self._previous[page[older]]
            fill = np.full(len(page), PAGE_ROWS, np.int64)
        if not walked:
            return None
        walked.reverse()
        position, page, fill = (np.concatenate(parts) for parts in zip(*walked, strict=True))
        order = np.argsort(position, kind="stable")
        position, page, fill = position[order], page[order], fill[order]
        rows = row_numbers(page * PAGE_ROWS, fill)
        first = runs_of(position)
        counts = np.add.reduceat(fill, first) if len(first) else fill
        return Rows(position[first], offsets_of(counts), self._times[rows], self._values[rows])

    def forget(self, slots: Positions) -> None:
        """Drop the samples of these slots; their pages come back with the next `clear`."""
        self._page[slots] = -1
        self._fill[slots] = PAGE_ROWS

    def clear(self) -> None:
        """Drop everything; the pool keeps its memory for what comes next."""
        self._page.fill(-1)
        self._fill.fill(PAGE_ROWS)
        self._used = 0

    def _take(self, count: int) -> NDArray[np.int64]:
        end = self._used + count
        if end > len(self._previous):
            room = max(end, 2 * len(self._previous))
            self._previous = grown(self._previous, room)
            self._times = grown(self._times, room * PAGE_ROWS)
            self._values = grown(self._values, room * PAGE_ROWS)
        new = np.arange(self._used, end, dtype=np.int64)
        self._used = end
        return new


def grown(column: NDArray[Any], size: int) -> NDArray[Any]:
    """A longer column that begins with this one; the rest is not set."""
    longer = np.empty(size, column.dtype)
    longer[: len(column)] = column
    return longer
