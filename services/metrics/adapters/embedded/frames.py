"""Batches of one layout as they came: a list of value columns, one a time.

Nothing is copied when a batch arrives. A series is a column through all of them, which is put together when it is asked for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.layouts import Layout
from services.metrics.adapters.embedded.segments import Positions, Rows
from services.metrics.domain.ports import TimeArray, ValueArray

Times = int | TimeArray
"""The time of all samples of a batch, or of each."""


class Frame:
    """Batches of one layout, every one newer than the one before in each of its series."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.times: list[Times] = []
        self.values: list[ValueArray] = []

    @property
    def samples(self) -> int:
        """Samples held."""
        return len(self.layout) * len(self.values)

    @property
    def size_bytes(self) -> int:
        """Memory of the samples."""
        own = sum(1 for times in self.times if not isinstance(times, int))
        return 8 * len(self.layout) * (len(self.values) + own)

    def append(self, times: Times, values: ValueArray) -> None:
        """Add a batch."""
        self.times.append(times)
        self.values.append(values)

    def view(self, slots: Positions, start_ms: int, end_ms: int) -> "FrameView | None":
        """What it has of these slots, to be copied later; some outside the range may be among it. Positions index `slots`."""
        position, columns = self.layout.columns_of(slots)
        if not len(position) or not self.values:
            return None
        first, last = 0, len(self.values)
        while first < last and _latest(self.times[first]) < start_ms:
            first += 1
        while last > first and _earliest(self.times[last - 1]) > end_ms:
            last -= 1
        return FrameView(position, columns, self.times[first:last], self.values[first:last]) if last > first else None

    def without(self, slots: Positions) -> "Frame | None":
        """The frame without these slots, itself when it has none of them, None when nothing is left."""
        kept = np.flatnonzero(~np.isin(self.layout.slots, slots))
        if len(kept) == len(self.layout):
            return self
        if not len(kept):
            return None
        rest = Frame(Layout.of(self.layout.ids[kept], self.layout.slots[kept]))
        for times, values in zip(self.times, self.values, strict=True):
            rest.append(times if isinstance(times, int) else times[kept], values[kept])
        return rest


@dataclass(frozen=True, slots=True)
class FrameView:
    """Chosen columns of some batches. The batches never change, so that they can be copied without the lock."""

    position: Positions
    columns: NDArray[np.int64]
    times: list[Times]
    values: list[ValueArray]

    @property
    def samples(self) -> int:
        """Samples that `rows` gives."""
        return len(self.position) * len(self.values)

    def rows(self) -> Rows:
        """The samples, one run a position."""
        series, steps = len(self.position), len(self.values)
        offsets = np.arange(0, (series + 1) * steps, steps, dtype=np.int64)
        values = transposed(self.values, self.columns)
        return Rows(self.position, offsets, self.row_times(), values.ravel())

    def row_times(self) -> TimeArray:
        """Time of each sample, in the order of `rows`."""
        shared = self.shared_times()
        if shared is not None:
            return np.tile(shared, len(self.position))
        full = len(self.columns)
        columns = [np.full(full, times) if isinstance(times, int) else times[self.columns] for times in self.times]
        return np.stack(columns, axis=1).ravel()

    def shared_times(self) -> TimeArray | None:
        """The times that all its series have, None where they differ."""
        if all(isinstance(times, int) for times in self.times):
            return np.array(self.times, np.int64)
        return None


def transposed(batches: list[ValueArray], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """f64[columns, batches]: each chosen column through all batches."""
    table = np.empty((len(batches), len(columns)))
    for row, values in enumerate(batches):
        values.take(columns, out=table[row], mode="clip")  # "raise" would buffer the output
    return np.ascontiguousarray(table.T)


def _earliest(times: Times) -> int:
    return times if isinstance(times, int) else int(times.min())


def _latest(times: Times) -> int:
    return times if isinstance(times, int) else int(times.max())
