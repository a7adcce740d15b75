"""Noise without state: a value at any time can be had without those before it.

A hashed number stands on each point of a lattice in time; a quadratic B-spline through these (C. de Boor, "A Practical Guide to
Splines", 1978) is a smooth curve, and its slope joins the differences of neighbours with straight lines. So what wanders by chance can
have a closed-form integral: the slope is the wandering, the curve is its sum.
"""

from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Seeds = NDArray[np.uint64]
Floats = NDArray[np.float64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_UNIT: Final = 2.0**-53
_REACH: Final = 3
"""Points of the lattice that a value depends on."""


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


def hashed(keys: Seeds, cells: Floats) -> Floats:
    """A number in [0, 1) for each whole number in `cells`, float64[n, m], under its row's key, uint64[n, 1]."""
    return unit(keys ^ (cells.astype(np.int64).astype(np.uint64) * _GOLDEN))


class ValueNoise:
    """Smooth noise in [-1, 1], one independent curve for each of n seeds.

    Args:
        seeds: uint64[n].
        period_seconds: length of one cell of the lattice, over which values are correlated.
    """

    def __init__(self, seeds: Seeds, period_seconds: float) -> None:
        self._period_seconds = period_seconds
        self._keys = mix(seeds)[:, None]
        # A shift of its own for each seed, or all servers would turn at the same moments.
        self._shift = unit(derive(seeds, 1))[:, None]

    def take(self, where: NDArray[np.intp]) -> Self:
        """The curves of some of the seeds."""
        part = object.__new__(type(self))
        part._period_seconds = self._period_seconds
        part._keys, part._shift = self._keys[where], self._shift[where]
        return part

    def value(self, times: Floats) -> Floats:
        """The noise at Unix times, float64[m] for all curves or float64[n, m]; float64[n, m]."""
        before, middle, after, x = self._around(times)
        step = middle - before
        return 0.5 * (before + middle) + x * (step + 0.5 * x * (after - middle - step))

    def value_and_slope(self, times: Floats) -> tuple[Floats, Floats]:
        """The noise, and its derivative times the length of a cell, which stays within ±2."""
        before, middle, after, x = self._around(times)
        step = middle - before
        bend = x * (after - middle - step)
        return 0.5 * (before + middle) + x * (step + 0.5 * bend), step + bend

    def _around(self, times: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """The three lattice points that reach each time, and the place in its cell from 0 to 1."""
        position = times / self._period_seconds + self._shift
        cell = np.floor(position)
        x = position - cell
        first = cell.min(axis=1, keepdims=True)
        width = int((cell - first).max()) + _REACH
        rows, columns = cell.shape
        if width >= _REACH * columns:
            return self._lattice(cell), self._lattice(cell + 1.0), self._lattice(cell + 2.0), x
        # Many times to a cell: each point is hashed once and looked up.
        table = self._lattice(first + np.arange(float(width))).ravel()
        place = (cell - first).astype(np.intp) + width * np.arange(rows)[:, None]
        return table[place], table[place + 1], table[place + 2], x

    def _lattice(self, points: Floats) -> Floats:
        return 2.0 * hashed(self._keys, points) - 1.0


class Octaves:
    """Noises of several periods, added.

    Args:
        seeds: uint64[n].
        octaves: period in seconds and amplitude of each.
    """

    def __init__(self, seeds: Seeds, octaves: tuple[tuple[float, float], ...]) -> None:
        self._parts = [
            (ValueNoise(derive(seeds, number), period), period, amplitude) for number, (period, amplitude) in enumerate(octaves)
        ]

    def take(self, where: NDArray[np.intp]) -> Self:
        """The noise of some of the seeds."""
        part = object.__new__(type(self))
        part._parts = [(noise.take(where), period, amplitude) for noise, period, amplitude in self._parts]
        return part

    def value(self, times: Floats) -> Floats:
        """The sum at Unix times, float64[m] or float64[n, m]: float64[n, m] within ± the sum of the amplitudes."""
        total: Floats = np.zeros((1, 1))
        for noise, _, amplitude in self._parts:
            total = total + amplitude * noise.value(times)
        return total

    def wander(self, times: Floats) -> tuple[Floats, Floats]:
        """A rate that wanders within ± the sum of the amplitudes, and its integral over time, from an origin of its own."""
        rate: Floats = np.zeros((1, 1))
        amount: Floats = np.zeros((1, 1))
        for noise, period, amplitude in self._parts:
            value, slope = noise.value_and_slope(times)
            rate = rate + (0.5 * amplitude) * slope
            amount = amount + (0.5 * amplitude * period) * value
        return rate, amount
