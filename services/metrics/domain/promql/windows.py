"""Which samples fall into which window, and reductions over all windows of all series at once.

No loop runs over samples or windows in Python. Sums are never taken as a difference of running totals: that loses digits when
large values leave a window and poisons everything after a NaN. Instead windows are put together from blocks of 1, 2, 4, ...
samples (binary lifting), which costs O((samples + windows) log(longest window)) and adds in pairs.
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import numpy as np

from services.metrics.domain.ports import MaskArray, TimeArray, ValueArray
from services.metrics.domain.promql.values import IndexArray

State: TypeAlias = tuple[ValueArray, ...]
Count: TypeAlias = IndexArray | int
Merge: TypeAlias = Callable[[State, Count, State, Count], State]
"""State of two neighbouring blocks from the state and size of each."""

STALE_NAN_BITS: Final = 0x7FF0000000000002
"""The NaN with which Prometheus marks the end of a series."""


def is_stale(values: ValueArray) -> MaskArray:
    """Where values are staleness markers; a plain NaN is not one."""
    return np.equal(values.view(np.uint64), np.uint64(STALE_NAN_BITS))


def positions(offsets: IndexArray, timestamps_ms: TimeArray, times_ms: TimeArray, *, after_equal: bool) -> IndexArray:
    """For each series and time, the index of the first sample at or after it (or after it, with `after_equal`).

    Args:
        offsets: i64[n + 1], where each series begins.
        timestamps_ms: i64[m], ascending within a series.
        times_ms: i64[steps].
        after_equal: skip samples that are exactly at the time.

    Returns:
        i64[n, steps], from `offsets[i]` to `offsets[i + 1]` in row i.
    """
    series = len(offsets) - 1
    if series == 0 or len(timestamps_ms) == 0:
        return np.repeat(offsets[:-1, None], len(times_ms), axis=1)
    # One search serves all series: keys put each series into a numeric range of its own.
    first = int(timestamps_ms.min())
    width = int(timestamps_ms.max()) - first + 3
    base = np.arange(series, dtype=np.int64) * width
    keys = np.repeat(base - first + 1, np.diff(offsets)) + timestamps_ms
    wanted = np.clip(times_ms, first - 1, first + width - 2) - first + 1
    side: Literal["left", "right"] = "right" if after_equal else "left"
    return np.searchsorted(keys, base[:, None] + wanted[None, :], side=side).astype(np.int64, copy=False)


def centre(values: ValueArray, low: IndexArray) -> tuple[ValueArray, ValueArray]:
    """Values less the first one of their series, so that moments of a small spread around a large value keep their digits.

    Args:
        values: f64[m], series one after the other.
        low: i64[n, steps], first sample of the windows of each series.

    Returns:
        The differences f64[m], and what was taken away from each series, f64[n].
    """
    first = low.min(axis=1, initial=len(values))
    reference = values[first]
    reference = np.where(np.isfinite(reference), reference, 0.0)
    sizes = np.diff(first, append=len(values))
    skipped = len(values) - int(sizes.sum())
    return values - np.concatenate([np.zeros(skipped), np.repeat(reference, sizes)]), reference


def fold(leaves: State, merge: Merge, low: IndexArray, high: IndexArray, empty: tuple[float, ...]) -> State:
    """Merge the states of the samples `low:high` of each window, in order.

    Args:
        leaves: state of each single sample, arrays [m].
        merge: joins two neighbouring states; must be associative up to rounding.
        low: first sample of each window, any shape.
        high: index after the last one, same shape.
        empty: state of no sample, the identity of `merge`.

    Returns:
        One array of the shape of `low` for each part of the state.
    """
    start, length = low.ravel().copy(), (high - low).ravel()
    taken = np.zeros_like(length)
    result = tuple(np.full(len(length), part) for part in empty)
    longest = int(length.max(initial=0))
    block, size = leaves, 1
    while size <= longest:
        chosen = np.flatnonzero(length & size)
        at = start[chosen]
        merged = merge(tuple(part[chosen] for part in result), taken[chosen], tuple(part[at] for part in block), size)
        for part, new in zip(result, merged, strict=True):
            part[chosen] = new
        start[chosen] += size
        taken[chosen] += size
        if 2 * size <= longest:
            block = merge(tuple(part[:-size] for part in block), size, tuple(part[size:] for part in block), size)
        size *= 2
    return tuple(part.reshape(low.shape) for part in result)


def reduce(operation: np.ufunc, values: ValueArray, low: IndexArray, high: IndexArray, identity: float) -> ValueArray:
    """Reduce the samples of each window with an associative ufunc; empty windows give the identity."""
    length = high - low
    if int(length.sum()) <= 2 * len(values):
        return _reduce_disjoint(operation, values, low, length, identity)

    def merge(left: State, _left_size: Count, right: State, _right_size: Count) -> State:
        return (operation(left[0], right[0]),)

    return fold((values,), merge, low, high, (identity,))[0]


def _reduce_disjoint(operation: np.ufunc, values: ValueArray, low: IndexArray, length: IndexArray, identity: float) -> ValueArray:
    """One pass over the samples; right where windows hardly overlap, as those of one instant."""
    bounds = np.stack([low.ravel(), (low + length).ravel()], axis=1).ravel()
    padded = np.append(values, identity)
    reduced: ValueArray = operation.reduceat(padded, bounds)[::2] if len(bounds) else np.empty(0)
    return np.where(length > 0, reduced.reshape(low.shape), identity)
