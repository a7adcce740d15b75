"""The head: samples since the last seal, in memory.

Batches that repeat a layout are kept as they came, other samples in pages by series. Those that came out of order are few and wait
in columns of their own.
"""

from collections.abc import Sequence

import numpy as np

from services.metrics.adapters.embedded.frames import Frame, FrameView, Times
from services.metrics.adapters.embedded.layouts import Layout
from services.metrics.adapters.embedded.pages import Pages, grown
from services.metrics.adapters.embedded.segments import Positions, Rows, runs_of
from services.metrics.domain.ports import TimeArray, ValueArray

_INITIAL_STRAYS = 64

HeadPart = Rows | FrameView
"""Samples copied already, or to be copied when they are read."""


class Head:
    """Samples by slot; not safe to share between threads without a lock."""

    def __init__(self, slots: int = 0) -> None:
        self.pages = Pages()
        self.pages.fit(slots)
        self.strays = Strays()
        self.frames: dict[Layout, Frame] = {}
        self._paged = 0
        self._framed = 0

    @property
    def samples(self) -> int:
        """Samples held, those of series deleted since the last seal included."""
        return self._paged + self._framed + len(self.strays)

    @property
    def size_bytes(self) -> int:
        """Memory of the samples."""
        return self.pages.size_bytes + self.strays.size_bytes + sum(frame.size_bytes for frame in self.frames.values())

    def append(self, slots: Positions, times: TimeArray, values: ValueArray, *, sorted_runs: bool) -> None:
        """Add samples newer than all that their slots have: one a slot, or grouped by slot and ascending (`sorted_runs`)."""
        if sorted_runs:
            self.pages.append_runs(slots, times, values)
        else:
            self.pages.append_each(slots, times, values)
        self._paged += len(slots)

    def append_frame(self, layout: Layout, times: Times, values: ValueArray) -> None:
        """Add one sample to each series of a layout, newer than all that the series has. The arrays are kept as they are."""
        frame = self.frames.get(layout)
        if frame is None:
            frame = self.frames[layout] = Frame(layout)
        frame.append(times, values)
        self._framed += len(values)

    def parts(self, slots: Positions, start_ms: int, end_ms: int) -> list[HeadPart]:
        """The samples of these slots; some outside the range may be among them. Positions index `slots`."""
        found: list[HeadPart | None] = [frame.view(slots, start_ms, end_ms) for frame in self.frames.values()]
        if self._paged:
            found.append(self.pages.rows(slots, start_ms, end_ms))
        found.append(self.strays.rows(slots, start_ms, end_ms))
        return [part for part in found if part is not None]

    def forget(self, slots: Positions) -> None:
        """Drop the samples of these slots."""
        self.pages.forget(slots)
        self.strays.forget(slots)
        rest = [frame.without(slots) for frame in self.frames.values()]
        self.frames = {frame.layout: frame for frame in rest if frame is not None}


def copied(parts: Sequence[HeadPart]) -> list[Rows]:
    """The samples of the parts."""
    return [part.rows() if isinstance(part, FrameView) else part for part in parts]


class Strays:
    """Samples that are older than the newest of their series, in the order they came."""

    def __init__(self) -> None:
        self._count = 0
        self._slots: Positions = np.empty(_INITIAL_STRAYS, np.intp)
        self._times: TimeArray = np.empty(_INITIAL_STRAYS, np.int64)
        self._values: ValueArray = np.empty(_INITIAL_STRAYS, np.float64)

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """Memory of the samples."""
        return int(self._slots.nbytes + self._times.nbytes + self._values.nbytes)

    def append(self, slots: Positions, times: TimeArray, values: ValueArray) -> None:
        """Add samples in any order."""
        end = self._count + len(slots)
        if end > len(self._slots):
            room = max(end, 2 * len(self._slots))
            self._slots, self._times, self._values = (grown(c, room) for c in (self._slots, self._times, self._values))
        rows = slice(self._count, end)
        self._slots[rows], self._times[rows], self._values[rows] = slots, times, values
        self._count = end

    def rows(self, slots: Positions, start_ms: int, end_ms: int) -> Rows | None:
        """Samples of these slots in the range, ascending in time within each. Positions index `slots`."""
        if not self._count or not len(slots):
            return None
        own, times = self._slots[: self._count], self._times[: self._count]
        position_of = np.full(max(int(own.max()), int(slots.max())) + 1, -1, np.intp)
        position_of[slots] = np.arange(len(slots))
        chosen = np.flatnonzero((position_of[own] >= 0) & (times >= start_ms) & (times <= end_ms))
        if not len(chosen):
            return None
        position = position_of[own[chosen]]
        order = np.lexsort((times[chosen], position))
        chosen, position = chosen[order], position[order]
        first = runs_of(position)
        return Rows(position[first], np.append(first, len(position)).astype(np.int64), times[chosen], self._values[chosen])

    def forget(self, slots: Positions) -> None:
        """Drop the samples of these slots."""
        if self._count:
            kept = np.flatnonzero(~np.isin(self._slots[: self._count], slots))
            rest = self._slots[kept], self._times[kept], self._values[kept]
            self._count = 0
            self.append(*rest)
