"""`histogram_quantile` over classic histograms: cumulative buckets, one series for each upper bound `le`."""

from collections import defaultdict

import numpy as np

from services.metrics.domain.ports import NAME_LABEL, Labels, MaskArray, ValueArray
from services.metrics.domain.promql.rows import compact
from services.metrics.domain.promql.values import IndexArray, Rows

_BOUND = "le"


def histogram_quantile(quantiles: ValueArray, rows: Rows) -> Rows:
    """The quantile (f64[steps]) of each histogram, interpolated linearly within its bucket.

    NaN without a bucket for +Inf, with fewer than two buckets or without observations; -Inf and +Inf for quantiles below 0 and
    above 1. Series without a readable `le` are left out. Source: Prometheus, `histogram_quantile` (classic histograms).
    """
    groups: dict[Labels, list[tuple[float, int]]] = defaultdict(list)
    for index, labels in enumerate(rows.labels):
        bound = _bound(dict(labels).get(_BOUND))
        if bound is not None:
            key = tuple(pair for pair in labels if pair[0] not in (_BOUND, NAME_LABEL))
            groups[key].append((bound, index))
    values = np.empty((len(groups), rows.values.shape[1]))
    present = np.zeros(values.shape, np.bool_)
    for row, buckets in enumerate(groups.values()):
        buckets.sort()
        members = np.array([index for _, index in buckets])
        inside = rows.present[members]
        present[row] = inside.any(axis=0)
        # Steps at which the same buckets are present are computed together; nearly always that is all of them.
        kinds, which = np.unique(inside, axis=1, return_inverse=True)
        for kind in range(kinds.shape[1]):
            steps = np.flatnonzero(which.ravel() == kind)
            used = kinds[:, kind]
            bounds = np.array([bound for bound, _ in buckets])[used]
            values[row, steps] = _quantile(bounds, rows.values[np.ix_(members[used], steps)], quantiles[steps])
    return compact(list(groups), values, present)


def _bound(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _quantile(bounds: ValueArray, counts: ValueArray, quantiles: ValueArray) -> ValueArray:
    """Quantiles f64[steps] of one histogram: upper bounds f64[b] ascending, cumulative counts f64[b, steps]."""
    outside = np.where(np.isnan(quantiles), np.nan, np.where(quantiles < 0, -np.inf, np.inf))
    usable = (quantiles >= 0) & (quantiles <= 1)
    bounds, starts = np.unique(bounds, return_index=True)
    if len(bounds) < 2 or not np.isposinf(bounds[-1]):
        return np.where(usable, np.nan, outside)
    # Bounds written differently (`1` and `1.0`) are one bucket.
    counts = _lifted(np.add.reduceat(counts, starts, axis=0))
    total = counts[-1]
    rank = quantiles * total
    bucket = _first_reaching(counts, rank)
    return np.where(usable, np.where(total == 0, np.nan, _interpolate(bounds, counts, rank, bucket)), outside)


def _lifted(counts: ValueArray) -> ValueArray:
    """Counts that never fall: scraping in between may leave some that do. NaN stays, and as the first one lifts nothing."""
    lifted = np.where(np.isnan(counts), np.nan, np.fmax.accumulate(counts, axis=0))
    return np.where(np.isnan(counts[0]), counts, lifted)


def _first_reaching(counts: ValueArray, rank: ValueArray) -> IndexArray:
    """First bucket but the last that reaches the rank, else the last: a binary search, so that NaN leads to the same as in Go."""
    low = np.zeros(counts.shape[1], np.int64)
    high = np.full(counts.shape[1], len(counts) - 1)
    steps = np.arange(counts.shape[1])
    while (low < high).any():
        middle = (low + high) // 2
        reaches = counts[middle, steps] >= rank
        open_ = low < high
        low, high = np.where(open_ & ~reaches, middle + 1, low), np.where(open_ & reaches, middle, high)
    return low


def _interpolate(bounds: ValueArray, counts: ValueArray, rank: ValueArray, bucket: IndexArray) -> ValueArray:
    steps = np.arange(counts.shape[1])
    below: MaskArray = bucket > 0
    floor = np.where(below, bounds[np.maximum(bucket - 1, 0)], 0.0)
    before = np.where(below, counts[np.maximum(bucket - 1, 0), steps], 0.0)
    inside = floor + (bounds[bucket] - floor) * ((rank - before) / (counts[bucket, steps] - before))
    inside = np.where(~below & (bounds[0] <= 0), bounds[0], inside)
    return np.where(bucket == len(bounds) - 1, bounds[-2], inside)
