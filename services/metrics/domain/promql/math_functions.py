"""Functions of single values: arithmetic, rounding, logarithms, trigonometry and the calendar.

They take values [n, steps] and scalars [steps] and give values [n, steps]; what is present stays present.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.metrics.domain.ports import ValueArray

Elementwise: TypeAlias = Callable[..., ValueArray]

_DAY: Final = 86_400
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800.0, 253_402_300_799.0  # years 1 to 9999


def round_to(values: ValueArray, nearest: ValueArray | float = 1.0) -> ValueArray:
    """The nearest multiple of `nearest`; halves go up."""
    inverse = 1.0 / np.asarray(nearest)
    return np.asarray(np.floor(values * inverse + 0.5) / inverse)


def clamp(values: ValueArray, lowest: ValueArray, highest: ValueArray) -> ValueArray:
    """Values kept within bounds."""
    return _clamp_min(_clamp_max(values, highest), lowest)


def _clamp_min(values: ValueArray, lowest: ValueArray) -> ValueArray:
    # An infinity that decides wins over NaN, as in Go's math.Max.
    return np.where(np.isposinf(values) | np.isposinf(lowest), np.inf, np.maximum(values, lowest))


def _clamp_max(values: ValueArray, highest: ValueArray) -> ValueArray:
    return np.where(np.isneginf(values) | np.isneginf(highest), -np.inf, np.minimum(values, highest))


def _calendar(part: Callable[[ValueArray], ValueArray]) -> Elementwise:
    """A function of UTC time; values are Unix seconds, NaN where there is no such time."""

    def of(values: ValueArray) -> ValueArray:
        known = (values >= _FIRST_SECOND) & (values <= _LAST_SECOND)
        return np.where(known, part(np.trunc(np.where(known, values, 0.0))), np.nan)

    return of


def _dates(seconds: ValueArray) -> NDArray[np.datetime64]:
    return seconds.astype(np.int64).astype("datetime64[s]")


def _year(seconds: ValueArray) -> ValueArray:
    return _dates(seconds).astype("datetime64[Y]").astype(np.int64).astype(np.float64) + 1970


def _month(seconds: ValueArray) -> ValueArray:
    return _dates(seconds).astype("datetime64[M]").astype(np.int64).astype(np.float64) % 12 + 1


def _day_of_month(seconds: ValueArray) -> ValueArray:
    days = _dates(seconds).astype("datetime64[D]")
    return np.asarray((days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.float64) + 1)


def _day_of_year(seconds: ValueArray) -> ValueArray:
    days = _dates(seconds).astype("datetime64[D]")
    return np.asarray((days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64) + 1)


def _days_in_month(seconds: ValueArray) -> ValueArray:
    months = _dates(seconds).astype("datetime64[M]")
    return np.asarray(((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.float64))


def _day_of_week(seconds: ValueArray) -> ValueArray:
    return (np.floor(seconds / _DAY) + 4) % 7  # 1 January 1970 was a Thursday; Sunday is 0


def _hour(seconds: ValueArray) -> ValueArray:
    return np.floor(seconds % _DAY / 3600)


def _minute(seconds: ValueArray) -> ValueArray:
    return np.floor(seconds % 3600 / 60)


CALENDAR: Final[Mapping[str, Elementwise]] = {
    "minute": _calendar(_minute),
    "hour": _calendar(_hour),
    "day_of_week": _calendar(_day_of_week),
    "day_of_month": _calendar(_day_of_month),
    "day_of_year": _calendar(_day_of_year),
    "days_in_month": _calendar(_days_in_month),
    "month": _calendar(_month),
    "year": _calendar(_year),
}
"""Functions that take the evaluation time when they are given no vector."""

ELEMENTWISE: Final[Mapping[str, Elementwise]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "round": round_to,
    "exp": np.exp,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "sgn": np.sign,
    "clamp_min": _clamp_min,
    "clamp_max": _clamp_max,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "deg": np.degrees,
    "rad": np.radians,
}
"""Functions of one vector and some scalars that drop the name of the metric."""
