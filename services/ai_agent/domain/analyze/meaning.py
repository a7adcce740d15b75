"""What the name and the values of a column say about its unit, its limits and what change is too small to matter."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_PERCENT_NAMES: Final = re.compile(r"^(cpu|memory|mem|disk|swap)$|(percent|pct|usage|utili[sz]ation|util)(_|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Meaning:
    """What a column means.

    Attributes:
        unit: written after a figure; empty for a plain number.
        lowest: values cannot be below.
        highest: values cannot be above.
        least_change: a smaller difference matters to nobody.
    """

    unit: str
    lowest: float
    highest: float
    least_change: float

    @property
    def is_percent(self) -> bool:
        """Whether it is a utilisation in percent."""
        return self.unit == "%"


def meaning_of(name: str, ordered: npt.NDArray[np.float64]) -> Meaning:
    """Meaning of a column from its name and its values (float64[n], at least one, ascending, no NaN)."""
    low, high = float(ordered[0]), float(ordered[-1])
    if _PERCENT_NAMES.search(name) and low >= 0.0 and high <= 100.0:
        if high <= 1.0 and low < high:  # a share of one, or a nearly idle server: the small unit loses nothing
            return Meaning("", 0.0, 1.0 if high > 0.2 else np.inf, 0.01)
        return Meaning("%", 0.0, 100.0, 1.0)
    magnitudes = ordered if low >= 0.0 else np.sort(np.abs(ordered))
    last = magnitudes.size - 1
    typical = next(
        (float(magnitudes[place]) for place in (last // 2, round(0.99 * last)) if magnitudes[place]), float(magnitudes[last])
    )
    return Meaning("", 0.0 if low >= 0.0 else -np.inf, np.inf, 0.01 * typical)
