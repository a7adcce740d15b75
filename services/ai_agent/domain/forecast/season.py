"""The daily profile of columns, used only where the days agree with one another."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.ai_agent.domain.detect.robust import middle, spread

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DAY_HOURS: Final = 24.0
_LEAST_DAYS: Final = 2.0
_MOST_BINS: Final = 96
_ROWS_PER_BIN_AND_DAY: Final = 3
_LEAST_BINS: Final = 12
_LEAST_AGREEMENT: Final = 0.5
_LEAST_GAIN: Final = 0.85
"""The spread must fall at least to this share when the profile is taken away."""


@dataclass(frozen=True)
class Season:
    """Daily profiles of d columns around zero.

    Attributes:
        profile: float64[d, bins], evenly over the day from midnight UTC; zeros where there is no season.
        seasonal: bool[d], whether a column has one.
    """

    profile: Floats
    seasonal: npt.NDArray[np.bool_]

    def at(self, hours: Floats) -> Floats:
        """float64[d, m]: the profile at these times in hours since a midnight, drawn straight between the middles of its bins."""
        if not self.seasonal.any():
            return np.zeros((len(self.profile), hours.size))
        bins = self.profile.shape[1]
        position = (hours % DAY_HOURS) / DAY_HOURS * bins - 0.5
        left = np.floor(position).astype(np.int64)
        share = position - left
        return np.asarray(self.profile[:, left % bins] * (1.0 - share) + self.profile[:, (left + 1) % bins] * share)


def find_season(values: Floats, hours: Floats) -> Season:
    """Daily profiles of columns without trend.

    Args:
        values: float64[d, n], no NaN.
        hours: float64[n], hours since a midnight UTC, in ascending order.
    """
    size, count = values.shape
    none = Season(np.zeros((size, 1)), np.zeros(size, dtype=bool))
    days = (hours[-1] - hours[0]) / DAY_HOURS * count / max(count - 1, 1)
    if days < _LEAST_DAYS:
        return none
    bins = int(min(count / days // _ROWS_PER_BIN_AND_DAY, _MOST_BINS))
    if bins < _LEAST_BINS:
        return none
    bin_of = ((hours % DAY_HOURS) / DAY_HOURS * bins).astype(np.int64) % bins
    odd = ((hours - hours[0]) // DAY_HOURS).astype(np.int64) % 2 == 1
    centred = values - middle(values)[:, None]
    profile = _profile(centred, bin_of, bins)
    halves = [_profile(centred[:, part], bin_of[part], bins) for part in (odd, ~odd)]
    if np.isnan(profile).any() or any(np.isnan(half).any() for half in halves):
        return none  # a time of day that was never seen on one of the halves
    agreement = np.array([_correlation(a, b) for a, b in zip(*halves, strict=True)])
    season = Season(profile, np.ones(size, dtype=bool))
    gain = spread(centred - season.at(hours)) / np.maximum(spread(centred), 1e-300)
    seasonal = (agreement >= _LEAST_AGREEMENT) & (gain <= _LEAST_GAIN)
    return Season(np.where(seasonal[:, None], profile, 0.0), seasonal)


def _profile(values: Floats, bin_of: Ints, bins: int) -> Floats:
    """Median of each bin, float64[d, bins]; NaN where a bin is empty."""
    counts = np.bincount(bin_of, minlength=bins)
    if counts.min() == 0:
        return np.full((len(values), bins), np.nan)
    order = np.argsort(bin_of, kind="stable")
    place = np.arange(bin_of.size) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((len(values), bins, int(counts.max())), np.inf)
    table[:, bin_of[order], place] = values[:, order]
    table.sort(axis=2)
    bin_range = np.arange(bins)
    return np.asarray(0.5 * (table[:, bin_range, (counts - 1) // 2] + table[:, bin_range, counts // 2]))


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0.0 else 0.0
