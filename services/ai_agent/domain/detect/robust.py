"""Robust figures of columns, each cheap enough to be taken for every request."""

from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Floats = npt.NDArray[np.float64]

_SPREAD_LEVELS: Final = (0.15, 0.85)
_SPREAD_OF_NORMAL: Final = 2.0728
"""Distance between these two quantiles of a standard normal variable."""
_ENOUGH_VALUES: Final = 480
_GOLDEN: Final = 0.6180339887498949


def spread(values: Floats) -> Floats:
    """Robust standard deviation along the last axis: the distance between the 15th and the 85th percentile, scaled.

    Up to 15 % outliers on either side leave it finite, and a column whose half is one value still has one. Of a long column every
    k-th value is looked at, which leaves an error of about 4 %.
    """
    return _spread_of(np.sort(_thinned(values), axis=-1))


def middle(values: Floats) -> Floats:
    """Median along the last axis. Sorting beats selecting here: numpy sorts doubles with vector instructions."""
    return _middle_of(np.sort(values, axis=-1))


def middle_and_spread(values: Floats) -> tuple[Floats, Floats]:
    """Both from one sort, of a long column from every k-th value."""
    ordered = np.sort(_thinned(values), axis=-1)
    return _middle_of(ordered), _spread_of(ordered)


def _thinned(values: Floats) -> Floats:
    return np.asarray(values[..., :: max(values.shape[-1] // _ENOUGH_VALUES, 1)])


def _spread_of(ordered: Floats) -> Floats:
    low, high = (round(level * (ordered.shape[-1] - 1)) for level in _SPREAD_LEVELS)
    return np.asarray((ordered[..., high] - ordered[..., low]) / _SPREAD_OF_NORMAL)


def _middle_of(ordered: Floats) -> Floats:
    count = ordered.shape[-1]
    return np.asarray(0.5 * (ordered[..., (count - 1) // 2] + ordered[..., count // 2]))


def filled(values: Floats) -> Floats:
    """The columns (float64[d, n]) with missing values drawn in between their neighbours; an empty column becomes zeros."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    whole = values.copy()
    rows = np.arange(values.shape[1])
    for column in np.flatnonzero(missing.any(axis=1)):
        known = ~missing[column]
        whole[column, ~known] = np.interp(rows[~known], rows[known], values[column, known]) if known.any() else 0.0
    return whole


def median_around(values: Floats, half: int) -> Floats:
    """Median of the `half` values before and the `half` values after each one, along the last axis (mirrored at the ends)."""
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(half, half)], mode="reflect")
    windows = sliding_window_view(padded, 2 * half + 1, axis=-1)
    around = np.concatenate([windows[..., :half], windows[..., half + 1 :]], axis=-1)
    around.partition((half - 1, half), axis=-1)
    return np.asarray(0.5 * (around[..., half - 1] + around[..., half]))


def block_means(values: Floats, rows: int) -> Floats:
    """Means of consecutive blocks of this many rows along the last axis; what is left over at the start is not used."""
    blocks = values.shape[-1] // rows
    return np.asarray(values[..., values.shape[-1] - blocks * rows :].reshape(*values.shape[:-1], blocks, rows).mean(axis=-1))


def smeared(values: Floats, width: Floats) -> Floats:
    """Columns (float64[d, n]) whose equal values are spread evenly over `width` (float64[d]), the same way at each call.

    Quantiles of values that were rounded become those of the values before the rounding. The golden-ratio sequence spreads any
    subset of rows evenly.
    """
    steps = np.arange(1, values.shape[1] + 1) * _GOLDEN
    return np.asarray(values + width[:, None] * (steps % 1.0 - 0.5))


def resolution(ordered: Floats, least_change: float) -> float:
    """Width over which the equal values of a sorted column are to be spread; 0 when hardly any are equal.

    It is the step of the grid that the values lie on, or, when there is no grid, the least change that matters.
    """
    differences = np.diff(ordered)
    steps = differences[differences > 0.0]
    if steps.size >= 0.7 * differences.size:
        return 0.0
    if steps.size >= 3:
        step = float(steps.min())
        if float(np.median(steps)) <= 2.0 * step * (1.0 + 1e-6):
            return max(step, least_change)
    return least_change
