"""What of a column may be unusual row by row, as signals whose calm part has one distribution.

- *Whole*: distance from the expected level over the whole window. Sees every row of an excursion, but calm only means something
  when the window is many times longer than the memory of the column.
- *Local*: distance from the median of the rows around. Sees spikes in anything that wanders (random walks, load curves).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.ai_agent.domain.detect.marks import Flags, Floats, Ints
from services.ai_agent.domain.detect.robust import block_means, median_around, middle_and_spread, spread

LEAST_ROWS: Final = 12
"""Values that a column needs to be judged."""
WHOLE, LOCAL = 0, 1
_LOCAL_HALVES: Final = (2, 6)
_CLIP: Final = 4.0
"""Values count as at most this many spreads from the median where a mean is taken."""
_SHORT_BLOCK: Final = 4
_MEMORY_THAT_NEEDS_LOCAL: Final = 2.0
_LEAST_INDEPENDENT: Final = 20
"""Independent values below which the whole window cannot say what is calm."""


@dataclass(frozen=True)
class Signals:
    """K signals of columns, one above the other.

    Attributes:
        values: float64[K, n], NaN where there is none.
        expected: float64[K, n], what was subtracted from the column.
        kind: int64[K], WHOLE or LOCAL.
        column: int64[K].
        effective: float64[K], number of independent values that the signal is worth.
        comparable: bool[K], whether its rows can be held against those of other columns.
    """

    values: Floats
    expected: Floats
    kind: Ints
    column: Ints
    effective: Floats
    comparable: Flags


def point_signals(smooth: Floats, baseline: Floats, missing: Flags, resting: Flags, busy: Flags, near_gap: Flags) -> Signals:
    """Signals of columns.

    Args:
        smooth: float64[d, n], no NaN.
        baseline: float64[d, n], what is known to be expected.
        missing: bool[d, n], rows without a value.
        resting: bool[d, n], rows at which a column rests on the one value that it mostly has.
        busy: bool[d], columns of which only the rows off that value are judged.
        near_gap: bool[n], rows that are not surrounded in time by the rows around them.
    """
    count = smooth.shape[1]
    rest = smooth - baseline
    remembers = memory(rest)
    away = np.count_nonzero(~resting & ~missing, axis=1)
    steady = (remembers <= _MEMORY_THAT_NEEDS_LOCAL) | (count / remembers >= _LEAST_INDEPENDENT)
    whole = np.flatnonzero(np.where(busy, away >= LEAST_ROWS, steady))
    values = rest[whole]
    values[(resting & busy[:, None])[whole]] = np.nan
    kind = np.full(whole.size, WHOLE, dtype=np.int64)
    column, expected, effective = whole, baseline[whole], count / remembers[whole]
    local = np.flatnonzero((remembers > _MEMORY_THAT_NEEDS_LOCAL) & ~busy)
    if local.size:
        around = _level_around(rest[local])
        near = rest[local] - around
        near[:, near_gap] = np.nan
        values, expected = np.concatenate([values, near]), np.concatenate([expected, around + baseline[local]])
        kind, column = np.concatenate([kind, np.full(local.size, LOCAL)]), np.concatenate([column, local])
        effective = np.concatenate([effective, np.full(local.size, count / 2.0)])
    if missing.any():
        values[missing[column]] = np.nan
    enough = np.count_nonzero(~np.isnan(values), axis=1) >= LEAST_ROWS
    return Signals(values[enough], expected[enough], kind[enough], column[enough], effective[enough], ~busy[column[enough]])


def memory(level_free: Floats) -> Floats:
    """How many rows of each column (float64[d, n], no NaN) are worth one independent row: float64[d], 1 for white noise.

    It is read from how slowly the spread of block means falls with the length of the blocks.
    """
    count = level_free.shape[1]
    centre, width = middle_and_spread(level_free)
    reach = _CLIP * np.maximum(width, 1e-300)[:, None]
    clipped = np.clip(level_free - centre[:, None], -reach, reach)
    variance = np.maximum(spread(clipped) ** 2, 1e-300)
    longest = np.ones(len(level_free))
    for rows in sorted({_SHORT_BLOCK, max(int(count**0.5), _SHORT_BLOCK)}):
        if count // rows >= 8:
            longest = np.maximum(longest, rows * spread(block_means(clipped, rows)) ** 2 / variance)
    return longest


def _level_around(values: Floats) -> Floats:
    """Median of the rows around, in the window in which each column is calmer."""
    level = median_around(values, _LOCAL_HALVES[0])
    if values.shape[1] >= 5 * _LOCAL_HALVES[1]:
        wide = median_around(values, _LOCAL_HALVES[1])
        level = np.where((spread(values - wide) < spread(values - level))[:, None], wide, level)
    return level
