"""The rows of a request in order of time, with what is known about each column before anything is judged."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from services.ai_agent.domain.analyze.meaning import Meaning, meaning_of
from services.ai_agent.domain.analyze.model import AnalysisRequest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_ROWS: Final = 12
"""Values that a column needs for anything to be said about it."""
ROWS_PER_HOUR: Final = 60
"""Of rows without times."""
_MS_PER_HOUR: Final = 3_600_000.0
_MS_PER_DAY: Final = 86_400_000
_GAP_STEPS: Final = 5.0
_SKEWED: Final = 0.33
_WIDE_RATIO: Final = 2.0


@dataclass(frozen=True)
class Window:
    """Rows in order of time.

    Attributes:
        names: of the d columns that hold enough values to be judged.
        scarce: names of the others.
        raw: float64[d, n], NaN where missing.
        values: float64[d, n], the same with the logarithm taken of the columns in `logarithmic`.
        logarithmic: bool[d], positive columns that are so skewed that ratios tell more than differences.
        meanings: of the d columns.
        row: int64[n], index of each row in the request.
        times_ms: int64[n], None when the rows had none.
        hours: float64[n], since the midnight UTC before the first row.
        step_hours: the usual distance of two rows.
        after_gap: bool[n], rows that do not continue the row before them.
    """

    names: list[str]
    scarce: list[str]
    raw: Floats
    values: Floats
    logarithmic: npt.NDArray[np.bool_]
    meanings: list[Meaning]
    row: Ints
    times_ms: Ints | None
    hours: Floats
    step_hours: float
    after_gap: npt.NDArray[np.bool_]

    @cached_property
    def missing_share(self) -> Floats:
        """float64[d]: share of values that are missing."""
        return np.asarray(np.count_nonzero(np.isnan(self.raw), axis=1) / max(self.count, 1))

    def known(self, column: int) -> Floats:
        """float64[k]: the values that a column has, in order of time."""
        values = self.raw[column]
        return np.asarray(values[~np.isnan(values)] if self.missing_share[column] else values)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self.row.size)

    @property
    def span_hours(self) -> float:
        """Time from the first row to one step after the last."""
        return float(self.hours[-1] - self.hours[0]) + self.step_hours

    def least_changes(self) -> Floats:
        """float64[d], in the units of `values`: differences that matter to nobody."""
        least = np.array([meaning.least_change for meaning in self.meanings])
        for column in np.flatnonzero(self.logarithmic):
            least[column] = np.log1p(least[column] / np.nanmedian(self.raw[column]))
        return least

    def restored(self, column: Ints, values: Floats) -> Floats:
        """Values of given columns in the columns' own units, within what the columns can be."""
        restored = np.where(self.logarithmic[column], np.exp(np.minimum(values, 700.0)), values)
        low = np.array([meaning.lowest for meaning in self.meanings])[column]
        high = np.array([meaning.highest for meaning in self.meanings])[column]
        return np.asarray(np.clip(restored, low, high))


def open_window(request: AnalysisRequest) -> Window:
    """The window of a request whose columns are of equal length and hold no infinity."""
    names = list(request.columns)
    raw = np.array([request.columns[name] for name in names], dtype=np.float64)
    count = raw.shape[1]
    times = request.timestamps_ms
    row = np.arange(count, dtype=np.int64)
    if times is not None and np.any(times[1:] < times[:-1]):
        row = np.argsort(times, kind="stable").astype(np.int64)
        raw, times = raw[:, row], times[row]
    hours, step, after_gap = _time_axis(times, count)
    enough = np.count_nonzero(~np.isnan(raw), axis=1) >= LEAST_ROWS
    kept = raw[enough]
    ordered = [
        column[: column.size - missing] for column, missing in zip(np.sort(kept, axis=1), np.isnan(kept).sum(axis=1), strict=True)
    ]
    logarithmic = np.array([_is_skewed(column) for column in ordered], dtype=bool)
    values = kept
    if logarithmic.any():
        values = kept.copy()
        values[logarithmic] = np.log(kept[logarithmic])
    judged = [name for name, judge in zip(names, enough, strict=True) if judge]
    scarce = [name for name, judge in zip(names, enough, strict=True) if not judge]
    meanings = [meaning_of(name, column) for name, column in zip(judged, ordered, strict=True)]
    return Window(judged, scarce, kept, values, logarithmic, meanings, row, times, hours, step, after_gap)


def _time_axis(times: Ints | None, count: int) -> tuple[Floats, float, npt.NDArray[np.bool_]]:
    after_gap = np.zeros(count, dtype=bool)
    if times is not None and count > 1:
        elapsed = np.diff(times)
        moved = elapsed[elapsed > 0]
        if moved.size:
            step = float(np.median(moved))
            after_gap[1:] = elapsed > _GAP_STEPS * step
            midnight = int(times[0]) // _MS_PER_DAY * _MS_PER_DAY
            return (times - midnight) / _MS_PER_HOUR, step / _MS_PER_HOUR, after_gap
    return np.arange(count) / ROWS_PER_HOUR, 1.0 / ROWS_PER_HOUR, after_gap


def _is_skewed(ordered: Floats) -> bool:
    """Whether a sorted column is positive, spans ratios, and has its upper octile much further from the median than its lower one."""
    if ordered[0] <= 0.0:
        return False
    low, middle, high = (ordered[round(level * (ordered.size - 1))] for level in (0.125, 0.5, 0.875))
    return bool(high >= _WIDE_RATIO * low and high + low - 2.0 * middle > _SKEWED * (high - low))
