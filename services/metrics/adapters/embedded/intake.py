"""From judged samples to rows that the head, the journal or a block can take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.segments import Positions, Rows, runs_of
from services.metrics.adapters.embedded.table import SeriesTable
from services.metrics.domain.admission import Verdict, Verdicts
from services.metrics.domain.ports import Columns, TimeArray


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Rows of a batch by where they go.

    Attributes:
        fresh: rows newer than all that their series has.
        sorted_runs: `fresh` is grouped by slot and ascending in time; otherwise it has one row a slot at most.
        strays: rows that are older than the newest of their series.
    """

    fresh: NDArray[np.int64]
    sorted_runs: bool
    strays: NDArray[np.int64]


def arrange(table: SeriesTable, slots: Positions, times: TimeArray, verdicts: Verdicts) -> Arrangement:
    """Sort out the accepted rows; times that come twice within the batch, or are the newest of their series, become duplicates.

    Strays may still be duplicates of what the store has: see `absent`.
    """
    rows = np.flatnonzero(verdicts == Verdict.ACCEPTED)
    own = slots[rows]
    ordinal = np.arange(len(rows))
    table.mark[own] = ordinal
    sorted_runs = not bool((table.mark[own] == ordinal).all())
    if sorted_runs:
        own_times = times[rows]
        if not _in_runs(own, own_times):
            # A stable sort keeps the first of two equal rows in front.
            rows = rows[np.lexsort((own_times, own))]
            own, own_times = slots[rows], times[rows]
        again = np.zeros(len(rows), np.bool_)
        again[1:] = (own[1:] == own[:-1]) & (own_times[1:] == own_times[:-1])
        if again.any():
            verdicts[rows[again]] = Verdict.DUPLICATE
            rows = rows[~again]
            own = slots[rows]
    own_times, newest = times[rows], table.newest_ms[own]
    is_fresh = own_times > newest
    if is_fresh.all():
        return Arrangement(rows, sorted_runs, rows[:0])
    newest_again = own_times == newest
    verdicts[rows[newest_again]] = Verdict.DUPLICATE
    return Arrangement(rows[is_fresh], sorted_runs, rows[~is_fresh & ~newest_again])


def _in_runs(slots: Positions, times: TimeArray) -> bool:
    """Whether the rows stand as they should already: each slot's together, ascending in time. History mostly comes so."""
    first = runs_of(slots)
    if len(first) > len(slots) // 4:
        return False
    own = np.sort(slots[first])
    if (own[1:] == own[:-1]).any():
        return False
    ascending = times[1:] >= times[:-1]
    ascending[first[1:] - 1] = True
    return bool(ascending.all())


def absent(held: Rows, position: Positions, times: TimeArray) -> NDArray[np.bool_]:
    """Which (position, time) pairs are not among the rows held: bool, one a pair."""
    if not len(held.timestamps_ms) or not len(times):
        return np.ones(len(times), np.bool_)
    base = min(int(held.timestamps_ms.min()), int(times.min()))
    width = max(int(held.timestamps_ms.max()), int(times.max())) - base + 1
    keys = np.repeat(held.position, held.counts) * width + (held.timestamps_ms - base)
    wanted = position * width + (times - base)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    missing: NDArray[np.bool_] = keys[at] != wanted
    return missing


def advance_table(table: SeriesTable, slots: Positions, samples: Columns, *, one_each: bool) -> None:
    """Note samples that were stored: one a slot, or grouped by slot and ascending in time."""
    if not len(slots):
        return
    if one_each:
        table.advance(slots, samples.timestamps_ms, samples.timestamps_ms, samples.values)
        return
    first = runs_of(slots)
    last = np.append(first[1:], len(slots)) - 1
    table.advance(slots[first], samples.timestamps_ms[first], samples.timestamps_ms[last], samples.values[last])
