"""Short forecasts whose intervals are the errors that the same method made on the rows at hand."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.ai_agent.domain.detect.robust import middle_and_spread, spread
from services.ai_agent.domain.forecast.season import Season
from services.ai_agent.domain.forecast.trend import Slopes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_ROWS: Final = 40
POINTS: Final = 12
_MOST_HOURS: Final = 24.0
_WINDOW_PER_HORIZON: Final = 4
"""The rows must reach this many times as far back as the forecast reaches ahead."""
_LEVEL_WINDOWS: Final = (1, 4, 16, 64)
_COVERAGE: Final = 0.95
_CLIP: Final = 4.0
_ORIGINS: Final = 160
"""Past moments, at most, from which each horizon is tried."""


@dataclass(frozen=True)
class Ahead:
    """Forecasts of d columns at m moments.

    Attributes:
        steps: int64[m], rows after the last one.
        hours: float64[m], the same as times.
        value: float64[d, m].
        half_width: float64[d, m], of the 95 % interval.
        method: of each column: daily_profile, damped_trend, level or last_value.
    """

    steps: Ints
    hours: Floats
    value: Floats
    half_width: Floats
    method: list[str]


def forecast(
    values: Floats, hours: Floats, step_hours: float, slopes: Slopes, moving: npt.NDArray[np.bool_], season: Season
) -> Ahead:
    """Forecasts of columns.

    The daily profile and the line of a column that moves are taken away, the rest is carried on at the mean of its last rows, over
    the window whose errors were smallest. A line is damped towards the length of the window behind it.

    Args:
        values: float64[d, n], no NaN, at least `LEAST_ROWS` rows.
        hours: float64[n], hours since a midnight UTC, in ascending order.
        step_hours: the usual distance of two rows.
        slopes: the lines of the columns.
        moving: bool[d], whether the line of a column is to be followed.
        season: the daily profiles.
    """
    count = values.shape[1]
    horizon = int(max(min(_MOST_HOURS / step_hours, count // _WINDOW_PER_HORIZON), 1))
    steps = np.unique(np.rint(np.linspace(horizon / min(POINTS, horizon), horizon, min(POINTS, horizon))).astype(np.int64))
    start = max(count - max(_WINDOW_PER_HORIZON * horizon, 2_000), 0)
    past, then = values[:, start:], hours[start:]
    line = np.where(moving[:, None], slopes.line(then), slopes.level[:, None])
    rest = past - line - season.at(then)
    centre, width = middle_and_spread(rest)
    reach = _CLIP * width[:, None]
    clipped = np.clip(rest, centre[:, None] - reach, centre[:, None] + reach)
    held = _best_level(rest, clipped, centre, int(steps[len(steps) // 2]))
    half_width = _half_widths(rest, held, steps)
    days = (hours[-1] - hours[0]) / 24.0
    # The profile was fitted on the very days on which its errors are measured.
    half_width[season.seasonal] *= np.sqrt(1.0 + 1.0 / max(days, 1.0))
    ahead = steps * step_hours
    behind = max(float(then[-1] - then[0]), step_hours)
    damped = behind * (1.0 - np.exp(-ahead / behind))
    end = line[:, -1:] + np.where(moving, slopes.per_hour, 0.0)[:, None] * damped
    later = hours[-1] + ahead
    now = np.full((len(rest), 1), rest.shape[1] - 1)
    return Ahead(steps, later, end + season.at(later) + held.at(now), half_width, _methods(held.window, moving, season))


@dataclass(frozen=True)
class _Level:
    """The level at which the rest of each column is carried on.

    Attributes:
        window: int64[d], rows whose mean it is; 0 for the median of all.
        centre: float64[d], that median.
        sums: float64[d, n + 1], running sums of the rest.
    """

    window: Ints
    centre: Floats
    sums: Floats

    def at(self, rows: Ints) -> Floats:
        """float64[d, ...] at given rows int64[d, ...], each at least `window - 1`."""
        column = np.arange(len(self.window)).reshape(-1, *(1,) * (rows.ndim - 1))
        window = self.window.reshape(column.shape)
        mean = (self.sums[column, rows + 1] - self.sums[column, rows + 1 - window]) / np.maximum(window, 1)
        return np.where(window > 0, mean, self.centre.reshape(column.shape))


def _best_level(rest: Floats, clipped: Floats, centre: Floats, steps: int) -> _Level:
    """The level over the window that foretold the rows `steps` ahead best."""
    size, count = rest.shape
    sums = np.zeros((size, count + 1))
    np.cumsum(clipped, axis=1, out=sums[:, 1:])
    best = np.zeros(size, dtype=np.int64)
    largest = max((rows for rows in _LEVEL_WINDOWS if rows * 8 <= count), default=1)
    origins = np.linspace(largest - 1, count - 1 - steps, _ORIGINS).astype(np.int64)
    outcome = rest[:, origins + steps]
    error = spread(outcome - centre[:, None])
    for rows in _LEVEL_WINDOWS:
        if rows > largest:
            break
        its_error = spread(outcome - (sums[:, origins + 1] - sums[:, origins + 1 - rows]) / rows)
        better = its_error < 0.95 * error
        error = np.where(better, its_error, error)
        best = np.where(better, rows, best)
    return _Level(best, centre, sums)


def _half_widths(rest: Floats, held: _Level, steps: Ints) -> Floats:
    last = rest.shape[1] - 1 - steps
    first = np.minimum(max(int(held.window.max()) - 1, 0), last)
    origins = (first[:, None] + (last - first)[:, None] * np.linspace(0.0, 1.0, _ORIGINS)).astype(np.int64)
    levels = held.at(np.broadcast_to(origins, (len(rest), *origins.shape)))
    errors = np.sort(np.abs(rest[:, origins + steps[:, None]] - levels), axis=2)
    # Errors over overlapping stretches repeat each other: few independent ones hardly know their own 95th percentile.
    independent = np.maximum(rest.shape[1] / steps, 1.0)
    widths = errors[:, :, round(_COVERAGE * _ORIGINS)] * (1.0 + 2.0 / independent)
    return np.asarray(np.maximum.accumulate(widths, axis=1))


def _methods(window: Ints, moving: npt.NDArray[np.bool_], season: Season) -> list[str]:
    names = []
    for rows, moves, seasonal in zip(window, moving, season.seasonal, strict=True):
        held = "last_value" if rows == 1 else "level"
        names.append("daily_profile" if seasonal else "damped_trend" if moves else held)
    return names
