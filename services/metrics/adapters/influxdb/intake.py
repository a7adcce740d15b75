"""From judged samples to those that InfluxDB is given.

InfluxDB keeps the last of two samples at one time; the contract keeps the first. So nothing may be written at a time that is held.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.influxdb.spans import Positions, Spans
from services.metrics.domain.admission import Verdict, Verdicts
from services.metrics.domain.ports import MaskArray, TimeArray

RowNumbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Rows of a batch: `fresh` ones are newer than their series, `doubtful` ones may be held already, both in the order given."""

    fresh: RowNumbers
    doubtful: RowNumbers


def arrange(spans: Spans, rows: Positions, times: TimeArray, verdicts: Verdicts) -> Arrangement:
    """Sort out the accepted samples; those that come twice, or are the newest of their series, become duplicates."""
    accepted = np.flatnonzero(verdicts == Verdict.ACCEPTED)
    order = accepted[np.lexsort((times[accepted], rows[accepted]))]  # stable: the first of two equal ones stays in front
    own, own_times = rows[order], times[order]
    again = np.zeros(len(order), np.bool_)
    again[1:] = (own[1:] == own[:-1]) & (own_times[1:] == own_times[:-1])
    again |= own_times == spans.newest_ms[own]
    verdicts[order[again]] = Verdict.DUPLICATE
    accepted = np.flatnonzero(verdicts == Verdict.ACCEPTED)
    own, own_times = rows[accepted], times[accepted]
    # Before the first sample of its series nothing can be held either.
    fresh = (own_times > spans.newest_ms[own]) | (own_times < spans.first_ms[own])
    return Arrangement(accepted[fresh], accepted[~fresh])


def contained(wanted_rows: Positions, wanted_times: TimeArray, held_rows: Positions, held_times: TimeArray) -> MaskArray:
    """Which (row, time) pairs are among the held ones: bool, one a wanted pair."""
    if not len(held_rows) or not len(wanted_rows):
        return np.zeros(len(wanted_rows), np.bool_)
    base = min(int(held_times.min()), int(wanted_times.min()))
    width = max(int(held_times.max()), int(wanted_times.max())) - base + 1
    return np.isin(wanted_rows * width + (wanted_times - base), held_rows * width + (held_times - base))
