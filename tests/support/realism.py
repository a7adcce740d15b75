"""Figures that tell real servers from random numbers, for real data and for the virtual fleet alike."""

from dataclasses import dataclass

import numpy as np

from services.server_gen.domain.noise import Floats


def lag1(values: Floats) -> float:
    """Autocorrelation from one sample to the next."""
    centred = values - values.mean()
    return float((centred[1:] * centred[:-1]).sum() / (centred * centred).sum())


def seasonal_ratio(values: Floats, per_day: int) -> float:
    """Error of "as yesterday at this hour" relative to that of "as now", for hourly means one to 24 hours ahead; below 1 it is better.

    Both errors are means of absolute differences over all origins, as in MASE (R. Hyndman, A. Koehler, 2006).
    """
    per_hour = per_day // 24
    hours = values[: len(values) // per_hour * per_hour].reshape(-1, per_hour).mean(axis=1)
    seasonal = np.abs(hours[24:] - hours[:-24]).mean()
    last = np.mean([np.abs(hours[at : at + 24] - hours[at - 1]).mean() for at in range(24, len(hours) - 24)])
    return float(seasonal / last)


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's."""
    return float(np.corrcoef(one, other)[0, 1])


@dataclass(frozen=True)
class Tail:
    """The upper end of a distribution: its 99th percentile relative to the median, and its skewness."""

    ratio: float
    skewness: float


def tail(values: Floats) -> Tail:
    """Of the values above 0."""
    values = values[values > 0.0]
    centred = values - values.mean()
    ratio = float(np.quantile(values, 0.99) / np.median(values))
    return Tail(ratio, float((centred**3).mean() / values.std() ** 3))
