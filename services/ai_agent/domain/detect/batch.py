"""Finds the unusual rows of a window, with false alarms held to a budget over all rows, columns and signals together."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from services.ai_agent.domain.detect.joint import find_joint
from services.ai_agent.domain.detect.marks import BAND_Z, POINT, Flags, Floats, Marks, merged, no_marks
from services.ai_agent.domain.detect.normal import tail_score, threshold_z
from services.ai_agent.domain.detect.robust import filled, resolution, smeared, spread
from services.ai_agent.domain.detect.shifts import find_shifts
from services.ai_agent.domain.detect.signals import Signals, point_signals
from services.ai_agent.domain.detect.tails import Tails, fit_tails

FALSE_ALARMS: Final = 0.05
"""Rows flagged in a whole calm window, expected."""
_MODE_SHARE: Final = 0.6
_RARE_SHARE: Final = 0.01


@dataclass(frozen=True)
class Verdict:
    """What is unusual, and how large a single jump had to be to be noticed, in units of each column's noise (float64[d])."""

    marks: Marks
    noticed_from: Floats


def find_unusual(values: Floats, baseline: Floats, least_change: Floats, after_gap: Flags) -> Verdict:
    """The unusual values of a window.

    Args:
        values: float64[d, n] in order of time, NaN where missing, at least `LEAST_ROWS` values in each column.
        baseline: float64[d, n], what is already known to be expected (season, trend), to be subtracted.
        least_change: float64[d], differences that matter to nobody.
        after_gap: bool[n], rows that do not continue the row before them.
    """
    missing = np.isnan(values)
    whole = filled(values)
    ordered = np.sort(whole, axis=1)
    width = np.array([resolution(column, change) for column, change in zip(ordered, least_change, strict=True)])
    smooth = smeared(whole, width)
    resting, busy = _resting(values, ordered)
    near_gap = _near(after_gap)
    signals = point_signals(smooth, baseline, missing, resting, busy, near_gap)
    noticed_from = np.full(len(values), np.inf)
    if not len(signals.values):
        return Verdict(no_marks(), noticed_from)
    tails = fit_tails(signals.values, signals.effective, signals.kind)
    tails = replace(tails, scale=np.maximum(tails.scale, least_change[signals.column][:, None] / 3.0))
    # Each value is tested on both sides, each column for shifts, each row for its combination.
    z_limit = threshold_z(FALSE_ALARMS / (2 * signals.values.size + 2 * values.size + values.shape[1]))
    distance = signals.values - tails.middle[:, None]
    points = _points(signals, tails, distance, values, z_limit)
    joint = find_joint(signals, tails, distance, values, z_limit)
    steady = np.flatnonzero(~busy)
    unusable = missing[steady] | near_gap
    shifts = find_shifts(smooth[steady] - baseline[steady], baseline[steady], least_change[steady], unusable, z_limit)
    marks = merged(points, replace(shifts, column=steady[shifts.column]), joint)
    noise = np.maximum(spread(np.nan_to_num(distance)), least_change[signals.column] / 3.0)
    np.minimum.at(noticed_from, signals.column, tails.reach(z_limit).max(axis=1) / np.maximum(noise, 1e-300))
    return Verdict(marks, noticed_from)


def _points(signals: Signals, tails: Tails, distance: Floats, values: Floats, z_limit: float) -> Marks:
    reach = tails.reach(z_limit)
    with np.errstate(invalid="ignore"):
        signal, row = np.nonzero((distance > reach[:, 1:]) | (distance < -reach[:, :1]))
    far = distance[signal, row]
    score = tail_score(tails.z_scores(signal, (far > 0).astype(np.int64), np.abs(far)))
    middle = signals.expected[signal, row] + tails.middle[signal]
    band = tails.reach(BAND_Z)[signal]
    column = signals.column[signal]
    kind = np.full(row.size, POINT, dtype=np.int64)
    return Marks(row, column, kind, score, values[column, row], middle - band[:, 0], middle + band[:, 1])


def _resting(values: Floats, ordered: Floats) -> tuple[Flags, Flags]:
    """bool[d, n]: rows at which a column rests on the value it mostly has; bool[d]: columns that leave it too often to be odd."""
    span = int(_MODE_SHARE * ordered.shape[1])
    at_rest = ordered[:, span:] == ordered[:, : ordered.shape[1] - span]
    rests = np.zeros(values.shape, dtype=bool)
    if not at_rest.any():
        return rests, np.zeros(len(values), dtype=bool)
    for column in np.flatnonzero(at_rest.any(axis=1)):
        rests[column] = values[column] == ordered[column, span + int(np.argmax(at_rest[column]))]
    away = np.mean(~rests & ~np.isnan(values), axis=1)
    return rests, rests.any(axis=1) & (away > _RARE_SHARE)


def _near(after_gap: Flags) -> Flags:
    """Rows within three of a gap: what lies around them is not around them in time."""
    near = after_gap.copy()
    for _ in range(3):
        near[1:] |= near[:-1].copy()
    near[:-3] |= near[3:].copy()
    return near
