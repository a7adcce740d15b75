"""Batches that repeat: most writers send the same series in the same order again and again, with a new time and new values.

What is true of a column of ids is found out once and remembered with it, so that such a batch needs no lookup, no sorting and no
search for duplicates: its rows are known to be different, known series, and all newer than what the store has or not.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.segments import Positions
from services.metrics.adapters.embedded.table import SeriesTable
from services.metrics.domain.ports import IdArray, MaskArray

_MAX_LAYOUTS: Final = 256
_MAX_IDS: Final = 4_000_000

_Key = tuple[int, int, int, int]


@dataclass(eq=False, slots=True)
class Layout:
    """A column of different series that exist.

    Attributes:
        ids: u64[n].
        slots: intp[n], where the series table has them.
        where: the slots as a slice where they follow one another, which is many times faster; else the same as `slots`.
        number: name in the journal, 0 until it is there.
        all_accepted: bool[n], all true: the mask of a receipt.
        lowest, highest: bounds of the ids.
    """

    ids: IdArray
    slots: Positions
    where: "Positions | slice"
    number: int = 0
    all_accepted: MaskArray = field(init=False)
    lowest: int = field(init=False)
    highest: int = field(init=False)
    _order: NDArray[np.int64] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.all_accepted = np.ones(len(self.ids), np.bool_)
        self.all_accepted.flags.writeable = False
        self.lowest, self.highest = int(self.ids.min()), int(self.ids.max())

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, ids: IdArray, slots: Positions, number: int = 0) -> "Layout":
        """The layout of a column whose ids are known to be different."""
        follows = len(slots) > 0 and int(slots[-1] - slots[0]) == len(slots) - 1 and bool((np.diff(slots) == 1).all())
        return cls(ids, slots, slice(int(slots[0]), int(slots[-1]) + 1) if follows else slots, number)

    def columns_of(self, slots: Positions) -> tuple[Positions, NDArray[np.int64]]:
        """Which of these (different) slots it has: their positions in the list asked, ascending, and their columns here."""
        if isinstance(self.where, slice):
            first = self.where.start
            position = np.flatnonzero((slots >= first) & (slots < self.where.stop))
            return position, slots[position] - first
        if self._order is None:
            self._order = np.argsort(self.slots)
        at = np.minimum(np.searchsorted(self.slots, slots, sorter=self._order), len(self.slots) - 1)
        column = self._order[at]
        position = np.flatnonzero(self.slots[column] == slots)
        return position, column[position]


class Layouts:
    """The layouts of late, the least recently used forgotten first; used by the writer thread alone.

    Args:
        min_rows: shorter columns are not remembered: the calls cost more than their rows.
    """

    def __init__(self, min_rows: int) -> None:
        self._min_rows = max(1, min_rows)
        self._layouts: OrderedDict[_Key, Layout] = OrderedDict()
        self._ids = 0
        self._apart: dict[frozenset[Layout], bool] = {}

    def find(self, ids: IdArray) -> Layout | None:
        """The layout of exactly these ids in this order."""
        if len(ids) < self._min_rows:
            return None
        key = _key(ids)
        layout = self._layouts.get(key)
        if layout is None or not bool((layout.ids == ids).all()):
            return None
        self._layouts.move_to_end(key)
        return layout

    def remember(self, ids: IdArray, table: SeriesTable) -> None:
        """Note a column that may come again, unless a series in it does not exist or comes twice."""
        if not self._min_rows <= len(ids) <= _MAX_IDS or self.find(ids) is not None:
            return
        slots = table.slots(ids)
        if int(slots.min()) < 0:
            return
        ordinal = np.arange(len(slots))
        table.mark[slots] = ordinal
        if not bool((table.mark[slots] == ordinal).all()):
            return
        key = _key(ids)
        replaced = self._layouts.pop(key, None)
        self._ids += len(ids) - (len(replaced) if replaced else 0)
        # A copy, because the column may be part of a message many times its size.
        self._layouts[key] = Layout.of(ids.copy(), slots)
        while len(self._layouts) > _MAX_LAYOUTS or self._ids > _MAX_IDS:
            _, dropped = self._layouts.popitem(last=False)
            self._ids -= len(dropped)
            self._apart.clear()

    def apart(self, left: Layout, right: Layout) -> bool:
        """Whether two layouts have no series in common."""
        if left.highest < right.lowest or right.highest < left.lowest:
            return True
        pair = frozenset((left, right))
        known = self._apart.get(pair)
        if known is None:
            known = self._apart[pair] = not bool(np.isin(left.ids, right.ids).any())
        return known

    def clear(self) -> None:
        """Forget everything: slots have changed their meaning."""
        self._layouts.clear()
        self._apart.clear()
        self._ids = 0

    def numbers(self) -> set[int]:
        """Names in the journal that batches to come will use."""
        return {layout.number for layout in self._layouts.values()}


def _key(ids: IdArray) -> _Key:
    return len(ids), int(ids[0]), int(ids[len(ids) // 2]), int(ids[-1])
