"""`histogram_quantile` over classic histograms: cumulative buckets, one series for each upper bound `le`."""

from collections import defaultdict
from collections.abc import Iterator

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
    values = np.full((len(groups), rows.values.shape[1]), np.nan)
    present = np.zeros(values.shape, np.bool_)
    for bounds, histograms, members in _alike(list(groups.values())):
        inside = rows.present[members]
        present[histograms] = inside.any(axis=1)
        # Cells in which the same buckets are present are computed together; nearly always that is all of them.
        heights = rows.values[members].swapaxes(0, 1).reshape(len(bounds), -1)
        kinds, which = _kinds(inside.swapaxes(0, 1).reshape(len(bounds), -1))
        found = np.empty(heights.shape[1])
        wanted = np.tile(quantiles, len(histograms))
        for kind, used in enumerate(kinds):
            cells = np.flatnonzero(which == kind)
            found[cells] = _quantile(bounds[used], heights[np.ix_(used, cells)], wanted[cells])
        values[histograms] = found.reshape(len(histograms), -1)
    return compact(list(groups), values, present)


def _alike(groups: list[list[tuple[float, int]]]) -> Iterator[tuple[ValueArray, IndexArray, IndexArray]]:
    """Histograms with the same bounds: the bounds f64[b] ascending, numbers i64[h], and the rows of their buckets i64[h, b]."""
    by_bounds: dict[tuple[float, ...], list[int]] = defaultdict(list)
    for number, buckets in enumerate(groups):
        buckets.sort()
        by_bounds[tuple(bound for bound, _ in buckets)].append(number)
    for bounds, numbers in by_bounds.items():
        yield np.array(bounds), np.array(numbers), np.array([[index for _, index in groups[number]] for number in numbers])


def _kinds(inside: MaskArray) -> tuple[list[IndexArray], IndexArray]:
    """The different columns of bool[b, cells], each as the indexes of what is true in it, and which one each column is."""
    if inside.all():
        return [np.arange(len(inside))], np.zeros(inside.shape[1], np.int64)
    kinds, which = np.unique(inside, axis=1, return_inverse=True)
    return [np.flatnonzero(kind) for kind in kinds.T], which.ravel()


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
