"""Rows whose columns are each plausible but not together: robust Mahalanobis distance of normal scores."""

from typing import Final

import numpy as np

from services.ai_agent.domain.detect.marks import BAND_Z, JOINT, Flags, Floats, Marks, no_marks
from services.ai_agent.domain.detect.normal import tail_score
from services.ai_agent.domain.detect.robust import middle_and_spread
from services.ai_agent.domain.detect.signals import LOCAL, Signals
from services.ai_agent.domain.detect.tails import Tails, fit_tails

_CLIP: Final = 2.5
_KEPT: Final = 0.85
"""Share of rows, the nearest ones, that the second look at the correlation uses."""
_SURELY_CALM: Final = 0.8
"""No fitted tail is as short as this share of a normal one at the limit, so nothing within needs a fit."""
_RIDGE: Final = 0.02
_BLAMED: Final = 0.8
"""Share of the squared distance that the blamed columns explain."""


def find_joint(signals: Signals, tails: Tails, distance: Floats, values: Floats, z_limit: float) -> Marks:
    """Rows that are unusual as a combination, with the columns that the others contradict and what the others led to expect.

    Args:
        signals: K signals of columns; of a column's two the local one is the sharper.
        tails: their tails.
        distance: float64[K, n], signals without their middles.
        values: float64[d, n], the columns themselves.
        z_limit: normal score beyond which a combination is unusual.
    """
    of_column = {int(c): s for s, c in enumerate(signals.column) if signals.comparable[s] and signals.kind[s] != LOCAL}
    of_column |= {int(c): s for s, c in enumerate(signals.column) if signals.kind[s] == LOCAL}
    if len(of_column) < 2:
        return no_marks()
    chosen, columns = np.array(list(of_column.values())), np.array(list(of_column.keys()))
    scores = tails.normalised(distance)[chosen]
    inverse = inverse_correlation(scores)
    joint = _as_normal(squared_distance(scores, inverse), len(columns))[None, :]
    centre, width = middle_and_spread(joint)
    if joint.max() - centre[0] <= _SURELY_CALM * z_limit * width[0]:
        return no_marks()
    fit = fit_tails(joint, signals.effective[chosen].min(keepdims=True), np.zeros(1, dtype=np.int64))
    beyond = joint[0] - fit.middle[0]
    row = np.flatnonzero(beyond > fit.reach(z_limit)[0, 1])
    if not row.size:
        return no_marks()
    score = tail_score(fit.z_scores(np.zeros_like(row), np.ones_like(row), beyond[row]))
    u = scores[:, row]
    pull = inverse @ u
    which, at = np.nonzero(_blamed(u * pull))
    own = np.diag(inverse)[which]
    led_to_expect = u[which, at] - pull[which, at] / own  # mean of a normal variable given the others; its variance is 1 / own
    signal, marked = chosen[which], row[at]
    middle = signals.expected[signal, marked] + tails.middle[signal]
    low, high = (middle + tails.distances(signal, led_to_expect + sign * BAND_Z / np.sqrt(own)) for sign in (-1.0, 1.0))
    kind = np.full(marked.size, JOINT, dtype=np.int64)
    return Marks(marked, columns[which], kind, score[at], values[columns[which], marked], low, high)


def inverse_correlation(scores: Floats) -> Floats:
    """float64[d, d] from normal scores float64[d, n]: correlation of clipped scores, then of the nearest rows, shrunk.

    The second look restores strong correlations that a tenth of joint outliers had watered down.
    """
    size, count = scores.shape
    shrinkage = min(_RIDGE + size / count, 0.5)
    inverse = _inverse(np.clip(scores, -_CLIP, _CLIP), shrinkage)
    distance = squared_distance(scores, inverse)
    keep = int(_KEPT * (count - 1))
    return _inverse(scores[:, distance <= np.partition(distance, keep)[keep]], shrinkage)


def squared_distance(scores: Floats, inverse: Floats) -> Floats:
    """float64[n]: squared Mahalanobis distance of each row."""
    return np.asarray(np.einsum("ij,ij->j", scores, inverse @ scores))


def _as_normal(distance: Floats, size: int) -> Floats:
    """Squared distances as a nearly normal variable, to scale: the cube root of Wilson and Hilferty (1931)."""
    return np.asarray((np.cbrt(distance / size) - (1.0 - 2.0 / (9.0 * size))) / np.sqrt(2.0 / (9.0 * size)))


def _inverse(scores: Floats, shrinkage: float) -> Floats:
    covariance = scores @ scores.T / scores.shape[1]
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlation = (1.0 - shrinkage) * covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(np.linalg.inv(correlation) / np.outer(scale, scale))


def _blamed(parts: Floats) -> Flags:
    """bool[d, m]: the fewest columns that explain most of each row's squared distance, whose parts float64[d, m] are."""
    share = parts / np.maximum(parts.sum(axis=0), 1e-300)
    order = np.argsort(-share, axis=0)
    ranked = np.take_along_axis(share, order, axis=0)
    blamed = np.zeros(share.shape, dtype=bool)
    np.put_along_axis(blamed, order, np.cumsum(ranked, axis=0) - ranked < _BLAMED, axis=0)
    return blamed
