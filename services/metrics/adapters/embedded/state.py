"""What the writer changes and the readers look at."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.metrics.adapters.embedded.head import Head
from services.metrics.adapters.embedded.intake import advance_table
from services.metrics.adapters.embedded.segments import Positions, Rows
from services.metrics.adapters.embedded.table import SeriesTable
from services.metrics.domain.ports import MIN_TIME_MS, Columns, IdArray, Labels, Matcher
from services.metrics.domain.series import SeriesIndex


@dataclass
class State:
    """The store in memory. The writer thread alone changes it, under `lock`; everybody else reads it under `lock`.

    `last_block` parts the samples between head and blocks: a reader that takes its head rows and this number together, and then
    reads the blocks up to this number, sees every sample exactly once, whatever is sealed meanwhile.
    """

    index: SeriesIndex = field(default_factory=SeriesIndex)
    table: SeriesTable = field(default_factory=SeriesTable)
    head: Head = field(default_factory=Head)
    lock: threading.Lock = field(default_factory=threading.Lock)
    last_block: int = 0
    floor_ms: int = MIN_TIME_MS

    def in_range(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> tuple[IdArray, Positions]:
        """Ids, ascending, and slots of the matching series whose span of samples touches the range; call it under `lock`."""
        ids = self.index.matching(matchers)
        slots = self.table.slots(ids)
        start_ms = max(start_ms, self.floor_ms)
        touching = (self.table.newest_ms[slots] >= start_ms) & (self.table.first_ms[slots] <= end_ms)
        return (ids, slots) if touching.all() else (ids[touching], slots[touching])

    def snapshot(self, ids: IdArray, slots: Positions, start_ms: int, end_ms: int) -> "Snapshot":
        """Copies of what the head holds of these series; call it under `lock`."""
        start_ms = max(start_ms, self.floor_ms)
        head = self.head.rows(slots, start_ms, end_ms)
        return Snapshot(ids, self.table.groups[slots], start_ms, end_ms, self.last_block, head)

    def place(self, slots: Positions, fresh: Columns, stray_slots: Positions, strays: Columns, *, sorted_runs: bool) -> None:
        """Make samples that are durable visible in the head; see `Arrangement` for the two kinds."""
        with self.lock:
            self.head.append(slots, fresh.timestamps_ms, fresh.values, sorted_runs=sorted_runs)
            advance_table(self.table, slots, fresh, one_each=not sorted_runs)
            if len(strays):
                self.head.strays.append(stray_slots, strays.timestamps_ms, strays.values)
                np.minimum.at(self.table.first_ms, stray_slots, strays.timestamps_ms)


@dataclass(frozen=True)
class Snapshot:
    """The head's part of a selection, and what is needed to read the rest from blocks.

    Attributes:
        ids: u64[k], ascending.
        groups: i64[k], group of each series.
        start_ms, end_ms: the range, cut to what is still held.
        last_block: blocks above this number are in `head`.
        head: runs whose positions index `ids`.
    """

    ids: IdArray
    groups: Positions
    start_ms: int
    end_ms: int
    last_block: int
    head: list[Rows]


def labels_of(index: SeriesIndex, ids: IdArray) -> list[Labels]:
    """Label sets of series, empty where one is not known."""
    return [index.labels(series_id) for series_id in ids.tolist()]
