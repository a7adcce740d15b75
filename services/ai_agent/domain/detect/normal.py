"""The normal distribution far out in its tails, and the function that undoes heavy ones."""

import functools
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NORMAL: Final = NormalDist()


def tail_score(z: Floats) -> Floats:
    """-log10 of the chance that a standard normal value passes z, for z from 2 on (Laplace's continued fraction)."""
    fraction = z + 0.65
    for step in range(8, 0, -1):
        fraction = z + step / fraction
    return np.asarray((z * z / 2.0 + np.log(fraction) + 0.5 * np.log(2.0 * np.pi)) / np.log(10.0))


def threshold_z(chance: float) -> float:
    """The z that a standard normal value passes with this chance."""
    return -NORMAL.inv_cdf(min(max(chance, 1e-300), 0.5))


def lambert_w(y: Floats) -> Floats:
    """The w from 0 on with w·exp(w) = y, by Halley's steps."""
    w = np.log1p(y)
    far = y > np.e
    w[far] -= np.log(w[far])
    for _ in range(3):
        grown = np.exp(w)
        excess = w * grown - y
        w = w - excess / (grown * (w + 1.0) - (w + 2.0) * excess / (2.0 * w + 2.0))
    return w


@functools.cache
def _score_table() -> tuple[Floats, Floats]:
    depths = np.linspace(np.log(2.0), 30.0, 600)
    return depths, np.array([-NORMAL.inv_cdf(float(np.exp(-depth))) for depth in depths])


def score_of_tail(chance: Floats) -> Floats:
    """Standard normal scores that are passed with these chances, from 1e-13 to 0.5."""
    depths, scores = _score_table()
    return np.interp(-np.log(chance), depths, scores)
