"""How columns move: robust slope, and whether data without a trend would show one like it."""

import functools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.ai_agent.domain.detect.robust import middle

Floats = npt.NDArray[np.float64]

LEAST_ROWS: Final = 12
_BLOCKS: Final = 32
_MOST_DEPENDENCE: Final = 0.97


@dataclass(frozen=True)
class Slopes:
    """Slopes of d columns: float64[d] units an hour, chance of such a slope without a trend, and levels at the middle of the window.

    `middle_hours` is the time at which the columns have these levels.
    """

    per_hour: Floats
    p_value: Floats
    level: Floats
    middle_hours: float

    def line(self, hours: Floats) -> Floats:
        """float64[d, n]: the straight lines at these times."""
        return self.level[:, None] + self.per_hour[:, None] * (hours - self.middle_hours)


def find_slopes(values: Floats, hours: Floats) -> Slopes:
    """Slopes of columns.

    The window is cut into blocks and each block stands as its median, so single outliers and rows close together count little.
    The slope is the median of the slopes of all pairs of blocks (Theil and Sen). The chance is that of Mann and Kendall, with the
    variance raised for dependence between blocks (Hamed and Rao 1998, for a first-order autoregression).

    Args:
        values: float64[d, n], no NaN, at least `LEAST_ROWS` rows.
        hours: float64[n], in ascending order.
    """
    count = values.shape[1]
    blocks = min(_BLOCKS, count)
    rows = count // blocks
    start = count - blocks * rows
    height = middle(values[:, start:].reshape(len(values), blocks, rows))
    time = hours[start:].reshape(blocks, rows).mean(axis=1)
    first, second = _pairs(blocks)
    elapsed = time[second] - time[first]
    apart = elapsed > 0.0
    middle_hours = float(middle(time))
    if not apart.any():
        return Slopes(np.zeros(len(values)), np.ones(len(values)), middle(height), middle_hours)
    rise = height[:, second] - height[:, first]
    slope = middle(rise[:, apart] / elapsed[apart])
    left = height - slope[:, None] * (time - middle_hours)
    level = middle(left)
    concordance = np.abs(np.sign(rise).sum(axis=1))
    variance = blocks * (blocks - 1) * (2 * blocks + 5) / 18.0 * _inflation(left - level[:, None])
    z = np.maximum(concordance - 1.0, 0.0) / np.sqrt(variance)
    p_value = np.array([math.erfc(score / math.sqrt(2.0)) for score in z])
    return Slopes(slope, p_value, level, middle_hours)


@functools.cache
def _pairs(blocks: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    return np.triu_indices(blocks, 1)


def _inflation(rest: Floats) -> Floats:
    """float64[d]: how much dependence between neighbouring blocks raises the variance of a sum over them."""
    blocks = rest.shape[1]
    reach = 3.0 * middle(np.abs(rest))[:, None]
    clipped = np.clip(rest, -reach, reach)
    square = np.maximum(np.mean(clipped**2, axis=1), 1e-300)
    dependence = np.mean(clipped[:, 1:] * clipped[:, :-1], axis=1) / square
    dependence = dependence + (1.0 + 4.0 * np.maximum(dependence, 0.0)) / blocks  # bias of the estimate after a fitted line
    dependence = np.clip(dependence, 0.0, _MOST_DEPENDENCE)
    return np.asarray((1.0 + dependence) / (1.0 - dependence))
