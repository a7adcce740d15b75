"""From unusual values to a report of unusual rows."""

from typing import Final

import numpy as np
import numpy.typing as npt

from services.ai_agent.domain.analyze.model import Anomaly, AnomalyReport, Deviation
from services.ai_agent.domain.analyze.severity import severity_of
from services.ai_agent.domain.analyze.window import Window
from services.ai_agent.domain.detect.marks import JOINT, SHIFT, Marks

MOST_ITEMS: Final = 100
_MOST_SCORE: Final = 300.0
_USED_UP_PERCENT: Final = 95.0


def report_of(window: Window, marks: Marks) -> AnomalyReport:
    """The report; differences too small to matter are left out."""
    if not marks.row.size:
        return AnomalyReport(0, "normal", [])
    value = np.where(marks.kind == SHIFT, window.restored(marks.column, marks.value), window.raw[marks.column, marks.row])
    low, high = window.restored(marks.column, marks.low), window.restored(marks.column, marks.high)
    least = np.array([meaning.least_change for meaning in window.meanings])[marks.column]
    beyond = np.maximum(np.maximum(low - value, value - high), 0.0)
    matters = np.maximum(np.abs(value - (low + high) / 2.0), beyond) >= least
    marks, value, low, high = marks.where(matters), value[matters], low[matters], high[matters]
    rows, first = np.unique(marks.row, return_inverse=True)
    scores = np.zeros(rows.size)
    np.maximum.at(scores, first, marks.score)
    percent = np.array([meaning.is_percent for meaning in window.meanings], dtype=bool)
    used_up = bool(np.any(percent[marks.column] & (value >= _USED_UP_PERCENT) & (value > high)))
    severity = severity_of(rows, scores, window.count, new_level=bool(np.any(marks.kind == SHIFT)), used_up=used_up)
    shown = np.sort(np.argsort(-scores, kind="stable")[:MOST_ITEMS])
    items = [
        _anomaly(window, int(rows[at]), float(scores[at]), marks, np.flatnonzero(first == at), value, low, high) for at in shown
    ]
    return AnomalyReport(int(rows.size), severity, sorted(items, key=lambda item: item.index))


def _anomaly(
    window: Window,
    row: int,
    score: float,
    marks: Marks,
    of_row: npt.NDArray[np.intp],
    value: npt.NDArray[np.float64],
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
) -> Anomaly:
    worst: dict[int, int] = {}
    for mark in sorted(of_row.tolist(), key=lambda mark: -marks.score[mark]):
        worst.setdefault(int(marks.column[mark]), mark)
    deviations = [Deviation(window.names[c], float(value[m]), float(low[m]), float(high[m])) for c, m in worst.items()]
    kinds = set(marks.kind[of_row].tolist())
    values = {name: float(v) for name, v in zip(window.names, window.raw[:, row], strict=True) if not np.isnan(v)}
    time = None if window.times_ms is None else int(window.times_ms[row])
    kind = "joint" if kinds == {JOINT} else "shift" if kinds == {SHIFT} else "point"
    return Anomaly(int(window.row[row]), time, values, deviations, min(score, _MOST_SCORE), kind)  # type: ignore[arg-type]
