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
_ORIGINS: Final = 256
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
    window, levels = _level(rest, clipped, centre, int(steps[len(steps) // 2]))
    half_width = _half_widths(rest, levels, steps, window)
    days = (hours[-1] - hours[0]) / 24.0
    # The profile was fitted on the very days on which its errors are measured.
    half_width[season.seasonal] *= np.sqrt(1.0 + 1.0 / max(days, 1.0))
    ahead = steps * step_hours
    behind = max(float(then[-1] - then[0]), step_hours)
    damped = behind * (1.0 - np.exp(-ahead / behind))
    end = line[:, -1:] + np.where(moving, slopes.per_hour, 0.0)[:, None] * damped
    later = hours[-1] + ahead
    return Ahead(steps, later, end + season.at(later) + levels[:, -1:], half_width, _methods(window, moving, season))


def _level(rest: Floats, clipped: Floats, centre: Floats, steps: int) -> tuple[Ints, Floats]:
    """int64[d], rows of the best window (0 for all rows); float64[d, n], its mean up to and including each row."""
    count = rest.shape[1]
    levels = np.repeat(centre[:, None], count, axis=1)
    window = np.zeros(len(rest), dtype=np.int64)
    origins = np.linspace(0.0, count - 1.0 - steps, _ORIGINS).astype(np.int64)
    error = spread(rest[:, origins + steps] - levels[:, origins])
    sums = np.concatenate([np.zeros((len(rest), 1)), np.cumsum(clipped, axis=1)], axis=1)
    for rows in _LEVEL_WINDOWS:
        if rows * 8 > count:
            break
        mean = np.empty_like(rest)
        mean[:, rows - 1 :] = (sums[:, rows:] - sums[:, :-rows]) / rows
        mean[:, : rows - 1] = mean[:, rows - 1 : rows]
        its_error = spread(rest[:, origins + steps] - mean[:, origins])
        better = its_error < 0.95 * error
        error = np.where(better, its_error, error)
        window = np.where(better, rows, window)
        levels = np.where(better[:, None], mean, levels)
    return window, levels


def _half_widths(rest: Floats, levels: Floats, steps: Ints, window: Ints) -> Floats:
    last = rest.shape[1] - 1 - steps
    first = np.minimum(int(window.max()), last)
    origins = (first[:, None] + (last - first)[:, None] * np.linspace(0.0, 1.0, _ORIGINS)).astype(np.int64)
    errors = np.sort(np.abs(rest[:, origins + steps[:, None]] - levels[:, origins]), axis=2)
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
