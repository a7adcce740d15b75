"""Noise without state: a value at any time can be had without those before it.

Value noise puts a hashed number on each point of a lattice in time and joins neighbours with a smooth curve (K. Perlin, "An Image
Synthesizer", 1985; the fifth-degree curve is from "Improving Noise", 2002). It is correlated over about one cell of the lattice.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Seeds = NDArray[np.uint64]
Floats = NDArray[np.float64]

MAX_SLOPE: Final = 3.75
"""Value noise changes by at most this much in one cell: the curve's slope of 15/8 times the distance of 2 from -1 to 1."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_UNIT: Final = 2.0**-53


def mix(numbers: Seeds) -> Seeds:
    """Scramble each number: the output function of SplitMix64 (Steele, Lea, Flood 2014), which is a bijection."""
    x = np.atleast_1d(numbers) + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def derive(seeds: Seeds, key: int) -> Seeds:
    """Seeds of independent noise, one stream for each key."""
    return mix(np.atleast_1d(seeds) ^ mix(np.array([key], dtype=np.uint64)))


def unit(seeds: Seeds) -> Floats:
    """A number in [0, 1) for each seed."""
    return (mix(seeds) >> np.uint64(11)).astype(np.float64) * _UNIT


class ValueNoise:
    """Smooth noise in [-1, 1], one independent curve for each seed.

    Args:
        seeds: uint64[n].
        period_seconds: length of one cell.
    """

    def __init__(self, seeds: Seeds, period_seconds: float) -> None:
        self._period_seconds = period_seconds
        self._keys = mix(seeds)
        # A shift of its own for each seed, or all servers would turn at the same moments.
        self._shift = unit(derive(seeds, 1))

    def value(self, times: Floats) -> Floats:
        """The noise at Unix times of shape [m, 1] or [m, n]; float64[m, n]."""
        left, right, x = self._cell(times)
        return left + (right - left) * (x * x * x * (x * (x * 6.0 - 15.0) + 10.0))

    def slope(self, times: Floats) -> Floats:
        """The derivative of `value` in time, per second; float64[m, n] within ±`MAX_SLOPE / period_seconds`."""
        left, right, x = self._cell(times)
        return (right - left) * (30.0 * x * x * (1.0 - x) * (1.0 - x)) / self._period_seconds

    def _cell(self, times: Floats) -> tuple[Floats, Floats, Floats]:
        """The lattice values on both sides of each time, and the place between them from 0 to 1."""
        position = times / self._period_seconds + self._shift
        cell = np.floor(position)
        index = cell.astype(np.int64).astype(np.uint64)
        return self._lattice(index), self._lattice(index + np.uint64(1)), position - cell

    def _lattice(self, index: Seeds) -> Floats:
        return 2.0 * unit(self._keys ^ (index * _GOLDEN)) - 1.0
