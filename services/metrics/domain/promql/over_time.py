"""The `*_over_time` family, `changes` and `resets`: one value for each window of samples.

Each function takes `Windows` and gives values [n, steps]; where a window is empty the value means nothing.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from services.metrics.domain.ports import MaskArray, ValueArray
from services.metrics.domain.promql.values import IndexArray, Windows
from services.metrics.domain.promql.windows import Count, State, centre, fold, reduce

_CHUNK_CELLS: Final = 4_000_000


def sum_over_time(windows: Windows) -> ValueArray:
    """Sum of the samples; where they may cancel each other out, the rounding errors are carried along."""
    return _sum(windows, windows.values)


def _sum(windows: Windows, values: ValueArray) -> ValueArray:
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() >= 0 or finite.max() <= 0:
        return reduce(np.add, values, windows.low, windows.high, 0.0)
    total, lost = fold((values, np.zeros(len(values))), _add_exactly, windows.low, windows.high, (0.0, 0.0))
    return np.where(np.isfinite(total), total + lost, total)


def _add_exactly(left: State, _left_size: Count, right: State, _right_size: Count) -> State:
    """Sum, and what its rounding lost (Knuth's TwoSum), of two neighbouring blocks."""
    total = left[0] + right[0]
    kept = total - left[0]
    return total, left[1] + right[1] + ((left[0] - (total - kept)) + (right[0] - kept))


def avg_over_time(windows: Windows) -> ValueArray:
    """Mean of the samples."""
    counts = windows.counts
    means = sum_over_time(windows) / counts
    if np.isinf(means).any():
        # Either an infinite sample or a sum beyond the largest float; with smaller terms the second kind comes out right.
        longest = max(int(counts.max()), 1)
        small = _sum(windows, windows.values / longest) / (counts / longest)
        means = np.where(np.isinf(means), small, means)
    return means


def min_over_time(windows: Windows) -> ValueArray:
    """Smallest sample; NaN only where there is nothing else."""
    return reduce(np.fmin, windows.values, windows.low, windows.high, np.nan)


def max_over_time(windows: Windows) -> ValueArray:
    """Largest sample; NaN only where there is nothing else."""
    return reduce(np.fmax, windows.values, windows.low, windows.high, np.nan)


def count_over_time(windows: Windows) -> ValueArray:
    """Number of samples."""
    return windows.counts.astype(np.float64)


def last_over_time(windows: Windows) -> ValueArray:
    """Newest sample."""
    return _pick(windows.values, windows.high - 1)


def present_over_time(windows: Windows) -> ValueArray:
    """1 for every window with a sample."""
    return np.ones(windows.low.shape)


def stdvar_over_time(windows: Windows) -> ValueArray:
    """Population variance; moments of blocks are merged, so that a large mean costs no digits.

    Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
    """

    def merge(left: State, left_size: Count, right: State, right_size: Count) -> State:
        delta = right[0] - left[0]
        share = right_size / (left_size + right_size)
        return left[0] + delta * share, left[1] + right[1] + delta * delta * (left_size * share)

    values, _ = centre(windows.values, windows.low)
    leaves = (values, values - values)  # zero, but NaN for infinite samples
    return fold(leaves, merge, windows.low, windows.high, (0.0, 0.0))[1] / windows.counts


def stddev_over_time(windows: Windows) -> ValueArray:
    """Population standard deviation."""
    return np.sqrt(stdvar_over_time(windows))


def quantile_over_time(windows: Windows, quantiles: ValueArray) -> ValueArray:
    """The quantile of each window, interpolated; quantiles f64[steps], one an evaluation time."""
    wanted = np.broadcast_to(quantiles, windows.low.shape).ravel()
    result = np.empty(len(wanted))
    for rows, padded, lengths in window_chunks(windows):
        result[rows] = quantiles_of_sorted(np.sort(padded, axis=1), lengths, wanted[rows])
    return result.reshape(windows.low.shape)


def quantiles_of_sorted(ordered: ValueArray, lengths: IndexArray, quantiles: ValueArray) -> ValueArray:
    """Quantile of each row by linear interpolation between neighbours, NaN counting as the smallest value.

    Args:
        ordered: f64[r, w], each row ascending with NaN last, of which NaN is also the padding.
        lengths: i64[r], values of each row without the padding.
        quantiles: f64[r]; below 0 gives -Inf, above 1 gives +Inf.
    """
    rows = np.arange(len(ordered))
    nans = lengths - np.count_nonzero(~np.isnan(ordered), axis=1)
    inside = np.where(np.isnan(quantiles), 0.0, np.clip(quantiles, 0.0, 1.0))
    rank = inside * (lengths - 1)
    lower = np.maximum(np.floor(rank).astype(np.int64), 0)
    upper = np.minimum(lower + 1, lengths - 1)
    weight = rank - np.floor(rank)

    def value_at(place: IndexArray) -> ValueArray:
        column = np.clip(place - nans, 0, max(ordered.shape[1] - 1, 0))
        return np.where(place < nans, np.nan, ordered[rows, column])

    result = value_at(lower) * (1 - weight) + value_at(upper) * weight
    result = np.where(quantiles < 0, -np.inf, np.where(quantiles > 1, np.inf, result))
    return np.where(np.isnan(quantiles) | (lengths == 0), np.nan, result)


def changes(windows: Windows) -> ValueArray:
    """How often the value differs from the one before it; NaN equals NaN."""
    before, after = windows.values[:-1], windows.values[1:]
    return _count_steps(windows, (before != after) & ~(np.isnan(before) & np.isnan(after)))


def resets(windows: Windows) -> ValueArray:
    """How often the value is lower than the one before it."""
    return _count_steps(windows, windows.values[1:] < windows.values[:-1])


def _count_steps(windows: Windows, marks: MaskArray) -> ValueArray:
    """Marks between neighbours inside each window; `marks[i]` stands between samples i and i + 1. Integers: exact."""
    totals = np.concatenate(([0], np.cumsum(marks))) if len(windows.values) else np.zeros(1, np.int64)
    last = np.clip(windows.high - 1, 0, len(totals) - 1)
    return (totals[last] - totals[np.minimum(windows.low, last)]).astype(np.float64)


def _pick(values: ValueArray, index: IndexArray) -> ValueArray:
    """Values at the indexes; those of empty windows may point outside and give anything."""
    if len(values) == 0:
        return np.zeros(index.shape)
    return values[np.clip(index, 0, len(values) - 1)]


def window_chunks(windows: Windows) -> Iterator[tuple[slice, ValueArray, IndexArray]]:
    """Windows as rows of equal width, padded with NaN, in chunks of bounded size."""
    low, lengths = windows.low.ravel(), windows.counts.ravel()
    width = max(int(lengths.max(initial=0)), 1)
    rows_a_chunk = max(_CHUNK_CELLS // width, 1)
    columns = np.arange(width)
    for begin in range(0, len(low), rows_a_chunk):
        rows = slice(begin, begin + rows_a_chunk)
        inside = columns < lengths[rows, None]
        padded = np.where(inside, _pick(windows.values, low[rows, None] + columns), np.nan)
        yield rows, padded, lengths[rows]
