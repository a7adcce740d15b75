"""Doubles that are short decimals, as integers: 41.7 is 417 with one place.

Most figures of servers are rounded by whoever reports them. As integers they compress about six times better than as doubles.
Only series whose every value comes back bit for bit are changed.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

RAW: Final = 255
"""In place of a number of decimals: the series stays as doubles."""

_MAX_PLACES: Final = 6
_POWERS: Final = np.array([10.0**places for places in range(_MAX_PLACES + 1)])
_PROBE_ROWS: Final = 8


def decimal_places(values: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The fewest decimals that hold every value of each series exactly, or `RAW`.

    Args:
        values: f64[m]; what is not finite makes its series `RAW`.
        offsets: i64[k + 1]; series i has the rows `offsets[i]:offsets[i + 1]`, at least one.

    Returns:
        u8[k].
    """
    places = _probe(values, offsets)
    open_series = np.flatnonzero(places != RAW)
    counts = np.diff(offsets)
    while len(open_series):
        rows = _rows_of(offsets, counts, open_series)
        of_series = values if rows is None else values[rows]
        series_counts = counts[open_series]
        powers = np.repeat(_POWERS[places[open_series]], series_counts)
        starts = np.cumsum(series_counts) - series_counts
        exact = np.logical_and.reduceat(_is_exact(of_series, powers), starts)
        open_series = open_series[~exact]
        exhausted = places[open_series] == _MAX_PLACES
        places[open_series[exhausted]] = RAW
        open_series = open_series[~exhausted]
        places[open_series] += 1
    return places


def integers_of(table: NDArray[np.float64], hints: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Decimals and integers of series of equal length in one go, when it is known what held their values before.

    Args:
        table: f64[k, n], one row a series.
        hints: u8[k], decimals to try first, or `RAW`.

    Returns:
        u8[k] of decimals (the hint where it holds, else the fewest), and i64[k, n], not set in rows that are `RAW`.
    """
    series, samples = table.shape
    integers = np.empty((series, samples), np.int64)
    places = hints.copy()
    tried = np.flatnonzero(hints != RAW)
    exact = np.zeros(series, np.bool_)
    if len(tried):
        own = table if len(tried) == series else table[tried]
        powers = _POWERS[hints[tried]][:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = own * powers
            whole = np.rint(scaled, out=scaled).astype(np.int64)
        np.divide(whole, powers, out=scaled)
        exact[tried] = (scaled.view(np.int64) == own.view(np.int64)).all(axis=1)
        if len(tried) == series:
            integers = whole
        else:
            integers[tried] = whole
    open_series = np.flatnonzero(~exact)
    if len(open_series):
        rest = np.ascontiguousarray(table[open_series])
        found = decimal_places(rest.ravel(), np.arange(0, (len(rest) + 1) * samples, samples))
        places[open_series] = found
        decimal = np.flatnonzero(found != RAW)
        integers[open_series[decimal]] = to_integers(rest[decimal], found[decimal][:, None])
    return places, integers


def to_integers(values: NDArray[np.float64], places: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Values as integers, given the places of each row's series."""
    integers: NDArray[np.int64] = np.rint(values * _POWERS[places]).astype(np.int64)
    return integers


def to_doubles(integers: NDArray[np.int64], places: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The inverse: a division, because it is correctly rounded where a product with 0.1 is not."""
    doubles: NDArray[np.float64] = integers / _POWERS[places]
    return doubles


def _probe(values: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
    """A lower bound from the first rows of each series, so that series of full precision cost one look."""
    first, last = offsets[:-1], offsets[1:] - 1
    rows = np.minimum(first[:, None] + np.arange(_PROBE_ROWS), last[:, None])
    sampled = values[rows]
    places = np.full(len(first), RAW, np.uint8)
    for candidate in range(_MAX_PLACES, -1, -1):
        exact = _is_exact(sampled.ravel(), _POWERS[candidate]).reshape(sampled.shape).all(axis=1)
        places[exact] = candidate
    return places


def _is_exact(values: NDArray[np.float64], powers: NDArray[np.float64] | np.float64) -> NDArray[np.bool_]:
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values * powers
        integers = np.rint(scaled, out=scaled).astype(np.int64)
    # Compared as bits, because minus zero equals zero and is not the same. What does not fit an integer does not come back.
    same: NDArray[np.bool_] = (integers / powers).view(np.int64) == values.view(np.int64)
    return same


def _rows_of(offsets: NDArray[np.int64], counts: NDArray[np.int64], series: NDArray[np.intp]) -> NDArray[np.int64] | None:
    """Row numbers of the series, None for all rows."""
    if len(series) == len(counts):
        return None
    chosen = counts[series]
    before = np.cumsum(chosen) - chosen
    return np.repeat(offsets[series] - before, chosen) + np.arange(int(chosen.sum()))
