"""How far from its middle a calm signal goes: heavy-tailed bodies fitted robustly, so that far means unlikely and not just large.

Each signal is described on either side of its median as Z·exp(h·Z²/2) times a scale, with Z standard normal: Tukey's h family,
the heavy-tailed Lambert W × Gaussian of Goerg (2015). h = 0 is the normal tail; Laplace, Student t, exponential and lognormal
bodies get an h that bounds their tails from above. On a plot of log(quantile / z) over z²/2 the family is a straight line, which
is fitted by generalised least squares on quantiles. Where outliers begin the plot jumps and the values show a gap; what lies beyond
is set apart before the quantiles are taken again, so that a tenth of the values may be outliers without hiding one another.
"""

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.ai_agent.domain.detect.normal import NORMAL, lambert_w, score_of_tail

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BASE_LEVELS: Final = (0.65, 0.70, 0.75, 0.80, 0.85)
"""Always used: fewer than 15 % outliers on one side leave them alone."""
_OUTER_LEVELS: Final = (0.90, 0.94, 0.965, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
_LEVELS: Final = _BASE_LEVELS + _OUTER_LEVELS
_LEAST_BEYOND: Final = 4
"""Values beyond a quantile that make it worth using."""
_PRIOR_H: Final = 0.05
_PRIOR_SD: Final = 0.10
"""Belief about h before the data: server metrics lie between normal (0) and Student t with three degrees of freedom (0.25)."""
_LEAST_BETWEEN: Final = 0.025
_MOST_BETWEEN: Final = 0.12
"""Signals of one server differ in h by a standard deviation within these bounds."""
_MARGIN_SD: Final = 1.0
_MARGIN_FEW: Final = 28.0
_MARGIN_SHARE: Final = 0.2
"""The h that bounds a tail lies above the estimate by a share, as Student's plot bends upwards, and by a number of standard errors
that is `_MARGIN_SD` plus `_MARGIN_FEW` over the independent values, as few values hardly tell their own error."""
_MAX_H: Final = 1.0
_JUMP: Final = 0.15
_JUMP_SD: Final = 3.0
"""A quantile further out than predicted by this share and this many standard errors is where outliers begin."""
_HIGHEST_SD: Final = 1.5
_LOOKS: Final = 3
_MOST_APART: Final = 0.15
_GAP_CHANCE: Final = 0.03
"""Chance that calm signals of one window show a gap that begins outliers."""


@dataclass(frozen=True)
class Tails:
    """Fitted tails of K signals; index 0 of the last axis is the lower side, 1 the upper.

    Attributes:
        middle: float64[K], medians.
        scale: float64[K, 2], in the unit of the signal, of the bound on the tail.
        h: float64[K, 2], heaviness of that bound, from 0 on.
        likely_scale: float64[K, 2], of the most likely body.
        likely_h: float64[K, 2], heaviness of that body.
    """

    middle: Floats
    scale: Floats
    h: Floats
    likely_scale: Floats
    likely_h: Floats

    def reach(self, z: float) -> Floats:
        """float64[K, 2]: distance from the middle that a calm signal passes as seldom as a standard normal one passes z."""
        return self.scale * z * np.exp(self.h * (z * z / 2.0))

    def z_scores(self, signal: Ints, side: Ints, distance: Floats) -> Floats:
        """Standard normal scores of distances of given signals and sides, at most as high as they deserve."""
        return _z_scores(self.scale[signal, side], self.h[signal, side], distance)

    def normalised(self, distance: Floats) -> Floats:
        """Signed, most likely normal scores of signed distances float64[K, n]; NaN becomes 0."""
        known = np.nan_to_num(distance)
        above = known > 0.0
        scale = np.where(above, self.likely_scale[:, 1:], self.likely_scale[:, :1])
        h = np.where(above, self.likely_h[:, 1:], self.likely_h[:, :1])
        return np.copysign(_z_scores(scale, h, np.abs(known)), known)

    def distances(self, signal: Ints, z: Floats) -> Floats:
        """The signed distances whose most likely normal scores are these."""
        side = (z > 0).astype(np.int64)
        return np.asarray(self.likely_scale[signal, side] * z * np.exp(self.likely_h[signal, side] * z * z / 2.0))


def _z_scores(scale: Floats, h: Floats, distance: Floats) -> Floats:
    x = np.minimum(distance / np.maximum(scale, 1e-300), 1e100)
    heavy = np.maximum(h, 1e-9)
    return np.asarray(np.sqrt(lambert_w(heavy * x * x) / heavy))


def fit_tails(signals: Floats, effective: Floats, group: Ints) -> Tails:
    """Tails of signals.

    Args:
        signals: float64[K, n]; NaN where there is no value, at least 8 values in each row.
        effective: float64[K], number of independent values that each row is worth.
        group: int64[K]; signals of one group lend each other what they know of h.
    """
    ordered = np.sort(signals, axis=1)
    count = signals.shape[1] - np.count_nonzero(np.isnan(ordered), axis=1)
    apart = np.zeros((len(ordered), 2), dtype=np.int64)
    for _ in range(_LOOKS):
        middle, line = _plot(ordered, count, apart, effective)
        h, h_sd = _share(line, group)
        # The line passes through its outermost quantile whatever h is, so a bounded h only lifts what lies further out.
        anchor = (line.y - line.b * h) / line.a + h * line.at
        more = _set_apart(ordered, count, effective, middle, anchor, np.maximum(h, 0.0), line.at)
        if np.all(more <= apart):
            break
        apart = np.maximum(apart, more)
    margin = (_MARGIN_SD + _MARGIN_FEW / np.minimum(effective, count))[:, None]
    bounded = np.clip(h * (1.0 + _MARGIN_SHARE) + margin * h_sd * (1.0 + np.maximum(h, 0.0)), 0.0, _MAX_H)
    likely = np.clip(h, 0.0, _MAX_H)
    return Tails(middle, np.exp(anchor - bounded * line.at), bounded, np.exp(anchor - likely * line.at), likely)


def _plot(ordered: Floats, count: Ints, apart: Ints, effective: Floats) -> tuple[Floats, "_Line"]:
    """Middle of each sorted signal without the values set apart, and the line of its plot."""
    signal, start, left = np.arange(len(ordered)), apart[:, 0], count - apart.sum(axis=1)
    middle = 0.5 * (ordered[signal, start + (left - 1) // 2] + ordered[signal, start + left // 2])
    beyond = (1.0 - np.array(_LEVELS)) * left[:, None]
    usable = max(int(np.count_nonzero(beyond.max(axis=0) >= _LEAST_BEYOND)), len(_BASE_LEVELS))
    inwards = np.rint(np.array(_LEVELS[:usable]) * (left[:, None] - 1)).astype(np.int64)
    lower, upper = start[:, None] + (left - 1)[:, None] - inwards, start[:, None] + inwards
    rows = signal[:, None]
    quantiles = np.stack([middle[:, None] - ordered[rows, lower], ordered[rows, upper] - middle[:, None]], axis=1)
    # Ties make inner quantiles zero; a fraction of the spread stands for them, which only lightens the fit.
    floor = np.maximum(quantiles[:, :, : len(_BASE_LEVELS)].max(axis=(1, 2)) * 0.02, 1e-300)
    heights = np.log(np.maximum(quantiles, floor[:, None, None])) - np.log(_scores()[:usable])
    return middle, _furthest_line(heights, beyond, np.minimum(effective, left))


def _set_apart(ordered: Floats, count: Ints, effective: Floats, middle: Floats, anchor: Floats, h: Floats, at: Floats) -> Ints:
    """int64[K, 2]: how many of the outermost values of each side are not to be counted when quantiles are taken.

    They lie beyond a gap. In calm data the gap between the i-th and the next value, in logarithms, is exponential with mean
    (1 + h·z²) / (i·z²) (Rényi), longer where values depend on each other. A gap that none of the ranks should show, or a value
    beyond what the outermost one may be, begins the outliers.
    """
    most = max(int(_MOST_APART * count.max()), 1)
    rank = np.arange(1, most + 2)
    inside = rank[:most] <= (_MOST_APART * count[:, None]).astype(np.int64)
    from_top = np.maximum(count[:, None] - rank, 0)
    rows = np.arange(len(ordered))[:, None]
    far = np.stack(
        [middle[:, None] - ordered[rows, np.minimum(rank - 1, count[:, None] - 1)], ordered[rows, from_top] - middle[:, None]],
        axis=1,
    )
    logs = np.log(np.maximum(far, 1e-300))
    z = score_of_tail((rank - 0.5) / count[:, None])[:, None, :most]
    square = np.maximum(z * z, 1e-2)  # the innermost ranks of a short signal lie at its middle
    expected_gap = (1.0 + h[:, :, None] * square) / (rank[:most] * square)
    expected_gap *= np.maximum(count / effective, 1.0)[:, None, None]
    surprise = np.log(2.0 * len(ordered) * most / _GAP_CHANCE)
    wide = logs[:, :, :-1] - logs[:, :, 1:] > np.maximum(surprise * expected_gap, _JUMP)
    first = np.maximum(z[:, :, 0], 0.1)
    highest = anchor + h * (first**2 / 2.0 - at) + np.log(first) + _JUMP + _HIGHEST_SD * (1.0 + h * first**2) / first**2
    outside = (wide | (logs[:, :, :-1] > highest[:, :, None])) & inside[:, None, :]
    return np.asarray(np.max(np.where(outside, rank[:most], 0), axis=2))


@dataclass(frozen=True)
class _Line:
    """Least squares of the plot of each signal and side: the normal equations [[a, b], [b, c]] (level, h) = (y, v), no prior.

    `at` is z²/2 of the outermost quantile used.
    """

    a: Floats
    b: Floats
    c: Floats
    y: Floats
    v: Floats
    at: Floats


def _furthest_line(heights: Floats, beyond: Floats, effective: Floats) -> _Line:
    """Takes quantiles outwards while the next one lies where those within predict it.

    All numbers of quantiles are fitted at once, as the last axis of float64[K, 2, cuts].
    """
    base, levels = len(_BASE_LEVELS), heights.shape[2]
    projectors, normals, at = _designs()
    cuts = levels - base + 1
    weight = effective[:, None, None]
    moments = heights @ projectors[:levels]
    y, v = moments[:, :, :cuts] * weight, moments[:, :, at.size : at.size + cuts] * weight
    a, b, c = (normals[k, :cuts] * weight for k in range(3))
    chosen = np.zeros(heights.shape[:2], dtype=np.int64)
    if cuts > 1:
        prior_c, prior_v = c + 1.0 / _PRIOR_SD**2, v + _PRIOR_H / _PRIOR_SD**2
        determinant = a * prior_c - b * b
        level, h = (prior_c * y - b * prior_v) / determinant, (a * prior_v - b * y) / determinant
        to = np.append(at[1:cuts], at[cuts - 1])
        variance = (prior_c - 2.0 * b * to + a * to * to) / determinant
        own = np.append(np.diag(_covariance())[base:levels], 0.0) / weight
        limit = level + h * to + _JUMP + _JUMP_SD * np.sqrt(variance + own * (1.0 + 2.0 * np.maximum(h, 0.0) * to) ** 2)
        fits = (heights[:, :, base:] <= limit[:, :, :-1]) & (beyond[:, None, base:levels] >= _LEAST_BEYOND)
        chosen = np.logical_and.accumulate(fits, axis=2).sum(axis=2)
    signal, side = np.ogrid[: len(heights), :2]
    normal = normals[:, chosen] * effective[:, None]
    return _Line(normal[0], normal[1], normal[2], y[signal, side, chosen], v[signal, side, chosen], at[chosen])


def _share(line: _Line, group: Ints) -> tuple[Floats, Floats]:
    """Heaviness of each signal and side and its standard error, drawn towards the mean of its group as far as the group agrees.

    Random-effects pooling (DerSimonian and Laird 1986) with a weak prior on the mean and a bounded spread between signals.
    """
    determinant = line.a * line.c - line.b**2
    own = (line.a * line.v - line.b * line.y) / determinant
    variance = line.a / determinant
    members = (np.arange(group.max() + 1)[:, None] == group).astype(np.float64)
    weight = 1.0 / variance
    total, squares = members @ weight.sum(axis=1), members @ (weight**2).sum(axis=1)
    present = total > 0.0
    total = np.where(present, total, 1.0)
    mean = members @ (weight * own).sum(axis=1) / total
    excess = members @ (weight * (own - mean[group][:, None]) ** 2).sum(axis=1) - (2.0 * members.sum(axis=1) - 1.0)
    between = np.clip(excess / np.maximum(total - squares / total, 1e-12), _LEAST_BETWEEN**2, _MOST_BETWEEN**2)[group][:, None]
    weight = 1.0 / (variance + between)
    precision = members @ weight.sum(axis=1) + 1.0 / _PRIOR_SD**2
    mean = (members @ (weight * own).sum(axis=1) + _PRIOR_H / _PRIOR_SD**2) / precision
    shrink = variance * weight
    h = own + shrink * (mean[group][:, None] - own)
    return h, np.sqrt(variance * (1.0 - shrink) + shrink**2 / precision[group][:, None])


@functools.cache
def _scores() -> Floats:
    return np.array([NORMAL.inv_cdf(level) for level in _LEVELS])


@functools.cache
def _covariance() -> Floats:
    """Covariance, times the number of values, of log(quantile - median) of normal values at the levels."""
    levels = np.array((0.5, *_LEVELS))
    density = np.array([NORMAL.pdf(NORMAL.inv_cdf(level)) for level in levels])
    low, high = np.minimum.outer(levels, levels), np.maximum.outer(levels, levels)
    full = low * (1.0 - high) / np.outer(density, density)
    from_median = full[1:, 1:] - full[1:, :1] - full[:1, 1:] + full[0, 0]
    return np.asarray(from_median / np.outer(_scores(), _scores()))


@functools.cache
def _designs() -> tuple[Floats, Floats, Floats]:
    """For each number of levels from the base on, of the generalised least squares for one value: X'W, X'WX, outermost z²/2.

    The projectors are float64[levels, 2·cuts], those of the level before those of the slope, so that one product applies them all;
    the normal equations are float64[3, cuts] with rows a, b, c.
    """
    cuts = range(len(_BASE_LEVELS), len(_LEVELS) + 1)
    projectors = np.zeros((2, len(_LEVELS), len(cuts)))
    normals = np.zeros((3, len(cuts)))
    for index, used in enumerate(cuts):
        x = np.stack([np.ones(used), _scores()[:used] ** 2 / 2.0], axis=1)
        projector = np.linalg.solve(_covariance()[:used, :used], x).T
        projectors[:, :used, index] = projector
        normal = projector @ x
        normals[:, index] = normal[0, 0], normal[0, 1], normal[1, 1]
    return np.concatenate(list(projectors), axis=1), normals, _scores()[[used - 1 for used in cuts]] ** 2 / 2.0
