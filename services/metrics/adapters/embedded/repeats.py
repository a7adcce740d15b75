"""Judges and places batches that repeat a layout: some array operations a batch, none of them a sort or a search."""

from dataclasses import dataclass

import numpy as np

from services.metrics.adapters.embedded.frames import Times
from services.metrics.adapters.embedded.journal import FrameRow
from services.metrics.adapters.embedded.layouts import Layout, Layouts
from services.metrics.adapters.embedded.state import State
from services.metrics.domain.ports import MIN_TIME_MS, Columns, Receipt, StoreLimits, ValueArray


@dataclass(frozen=True, slots=True)
class _Taken:
    layout: Layout
    times: Times
    latest_ms: int
    values: ValueArray
    started: bool


class Repeats:
    """Batches of one transaction, each known to be accepted as a whole.

    Args:
        state: what the store has.
        layouts: the layouts of late.
        limits: what the store takes in.
    """

    def __init__(self, state: State, layouts: Layouts, limits: StoreLimits) -> None:
        self._state = state
        self._layouts = layouts
        self._limits = limits
        self._taken: list[_Taken] = []
        self._last: dict[Layout, _Taken] = {}

    @property
    def rows(self) -> list[FrameRow]:
        """The batches as the journal wants them."""
        return [FrameRow(taken.layout, taken.times, taken.values) for taken in self._taken]

    def take(self, columns: Columns, now_ms: int) -> bool:
        """Take a batch, unless it has to be looked at more closely: one that may not be accepted as a whole, or a new layout."""
        layout = self._layouts.find(columns.ids)
        if layout is None:
            return False
        times = columns.timestamps_ms
        first = int(times[0])
        constant = bool((times == first).all())
        earliest, latest = (first, first) if constant else (int(times.min()), int(times.max()))
        limits = self._limits
        if latest > now_ms + limits.future_ms or earliest < max(now_ms - limits.retention_ms, self._state.floor_ms):
            return False
        before = self._last.get(layout)
        started = True
        if before is not None:
            # The batch in front of it in this transaction is the newest that its series have.
            if earliest <= before.latest_ms:
                return False
        else:
            if not all(self._layouts.apart(layout, other) for other in self._last):
                return False
            newest = self._state.table.newest_ms[layout.where]
            started = int(newest.min()) > MIN_TIME_MS
            if not (int(newest.max()) < earliest or bool((newest < times).all())):
                return False
        taken = _Taken(layout, first if constant else times, latest, _owned(columns.values), started)
        self._taken.append(taken)
        self._last[layout] = taken
        return True

    def place(self) -> list[Receipt]:
        """Make the batches, which are durable now, visible."""
        for taken in self._taken:
            self._state.place_frame(taken.layout, taken.times, taken.values, started=taken.started)
        return [Receipt(len(taken.values), 0, 0, 0, (), taken.layout.all_accepted) for taken in self._taken]


def _owned(values: ValueArray) -> ValueArray:
    """The values, copied when they are a part of something larger that would be kept with them."""
    base = values.base
    while isinstance(base, np.ndarray) and isinstance(base.base, np.ndarray):
        base = base.base
    if isinstance(base, np.ndarray) and base.nbytes > 2 * values.nbytes:
        return values.copy()
    return np.ascontiguousarray(values)
