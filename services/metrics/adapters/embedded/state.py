"""What the writer changes and the readers look at."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.metrics.adapters.embedded.frames import Times
from services.metrics.adapters.embedded.head import Head, HeadPart
from services.metrics.adapters.embedded.intake import advance_table
from services.metrics.adapters.embedded.layouts import Layout
from services.metrics.adapters.embedded.segments import Positions
from services.metrics.adapters.embedded.table import SeriesTable
from services.metrics.domain.ports import MIN_TIME_MS, Columns, IdArray, Labels, Matcher, ValueArray
from services.metrics.domain.series import SeriesIndex


@dataclass
class State:
    """The store in memory. Its threads change it under `lock`; everybody reads it under `lock`.

    `frozen` is a head that is being packed into blocks; nothing is added to it any more. It goes, under the lock, when its blocks are
    durable. A reader that takes its rows of both heads first and reads the blocks then sees every sample, and what it sees twice,
    because a seal ended in between, is the same sample and counts once.
    """

    index: SeriesIndex = field(default_factory=SeriesIndex)
    table: SeriesTable = field(default_factory=SeriesTable)
    head: Head = field(default_factory=Head)
    frozen: Head | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    floor_ms: int = MIN_TIME_MS

    @property
    def heads(self) -> list[Head]:
        """The heads that hold samples, the older first."""
        return [self.head] if self.frozen is None else [self.frozen, self.head]

    def in_range(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> tuple[IdArray, Positions]:
        """Ids, ascending, and slots of the matching series whose span of samples touches the range; call it under `lock`."""
        ids = self.index.matching(matchers)
        slots = self.table.slots(ids)
        start_ms = max(start_ms, self.floor_ms)
        touching = (self.table.newest_ms[slots] >= start_ms) & (self.table.first_ms[slots] <= end_ms)
        return (ids, slots) if touching.all() else (ids[touching], slots[touching])

    def snapshot(self, ids: IdArray, slots: Positions, start_ms: int, end_ms: int) -> "Snapshot":
        """What the heads hold of these series; call it under `lock`."""
        start_ms = max(start_ms, self.floor_ms)
        parts = [part for head in self.heads for part in head.parts(slots, start_ms, end_ms)]
        return Snapshot(ids, self.table.groups[slots], start_ms, end_ms, parts)

    def place(self, slots: Positions, fresh: Columns, stray_slots: Positions, strays: Columns, *, sorted_runs: bool) -> None:
        """Make samples that are durable visible in the head; see `Arrangement` for the two kinds."""
        with self.lock:
            self.head.append(slots, fresh.timestamps_ms, fresh.values, sorted_runs=sorted_runs)
            advance_table(self.table, slots, fresh, one_each=not sorted_runs)
            if len(strays):
                self.head.strays.append(stray_slots, strays.timestamps_ms, strays.values)
                np.minimum.at(self.table.first_ms, stray_slots, strays.timestamps_ms)

    def place_frame(self, layout: Layout, times: Times, values: ValueArray, *, started: bool) -> None:
        """Make a durable batch of a layout visible; `started` says that all its series have samples already."""
        with self.lock:
            self.head.append_frame(layout, times, values)
            table, where = self.table, layout.where
            table.newest_ms[where] = times
            table.newest_value[where] = values
            if not started:
                table.first_ms[where] = np.minimum(table.first_ms[where], times)

    def freeze(self) -> Head:
        """Begin a new head; gives the one that was written to until now. There must not be a frozen one."""
        with self.lock:
            self.frozen, self.head = self.head, Head(self.table.capacity)
            return self.frozen


@dataclass(frozen=True)
class Snapshot:
    """The heads' part of a selection, and what is needed to read the rest from blocks.

    Attributes:
        ids: u64[k], ascending.
        groups: i64[k], group of each series.
        start_ms, end_ms: the range, cut to what is still held.
        heads: runs whose positions index `ids`.
    """

    ids: IdArray
    groups: Positions
    start_ms: int
    end_ms: int
    heads: list[HeadPart]


def labels_of(index: SeriesIndex, ids: IdArray) -> list[Labels]:
    """Label sets of series, empty where one is not known."""
    return [index.labels(series_id) for series_id in ids.tolist()]
