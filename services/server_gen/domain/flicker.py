"""Chance from one moment to the next, with an integral that is known: what neighbouring samples of a busy machine differ by.

Time is cut into blocks, and each block has points of hashed height, skewed to the right as loads are, joined by straight lines. Both
ends of a block are 0 and its points add up to 0, so the integral over whole blocks is 0 and only the present one has to be summed.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from services.server_gen.domain.noise import Floats, Seeds, hashed, mix

_POINTS: Final = 32

_KEPT: Final = 3
"""Steps of a live feed, and the load averages that look back from them, meet the same few blocks again and again."""

HeightAt = Callable[[Floats], Floats]


class Flicker:
    """Flicker of n machines; its rate lies between -0.5 and 1 times a height that each block has.

    Args:
        seeds: uint64[n].
        step_seconds: distance of the points, about as long as chance stays the same.
    """

    def __init__(self, seeds: Seeds, step_seconds: float) -> None:
        self._step_seconds = step_seconds
        self._block_seconds = step_seconds * _POINTS
        self._keys = mix(seeds)[:, None]
        self._kept: OrderedDict[bytes, tuple[Floats, Floats]] = OrderedDict()

    def take(self, where: NDArray[np.intp]) -> Self:
        """The flicker of some of the machines."""
        part = object.__new__(type(self))
        part._step_seconds, part._block_seconds = self._step_seconds, self._block_seconds
        part._keys, part._kept = self._keys[where], OrderedDict()
        return part

    def wander(self, times: Floats, height: HeightAt) -> tuple[Floats, Floats]:
        """The rate at Unix times, float64[m] or ascending float64[n, m], and its integral in seconds: float64[n, m] each.

        Args:
            times: Unix seconds.
            height: gives that of the blocks which start at some times, float64[n or 1, k], as float64[n, k].
        """
        times = np.atleast_2d(times)
        block = np.floor(times / self._block_seconds)
        place = (times - block * self._block_seconds) / self._step_seconds
        # The distinct blocks of each row, side by side.
        number = np.zeros(times.shape, dtype=np.intp)
        np.cumsum(block[:, 1:] != block[:, :-1], axis=1, out=number[:, 1:])
        blocks = np.repeat(block[:, :1], int(number.max()) + 1, axis=1)
        np.put_along_axis(blocks, number, block, axis=1)
        points, sums = self._tables(blocks, height)

        rows, width = points.shape[0], points.shape[1] // blocks.shape[1]
        left = place.astype(np.intp)
        x = place - left
        at = left + width * number + points.shape[1] * np.arange(rows)[:, None]
        here = points.ravel()[at]
        rise = points.ravel()[at + 1] - here
        return here + rise * x, self._step_seconds * (sums.ravel()[at] + x * (here + 0.5 * rise * x))

    def _tables(self, blocks: Floats, height: HeightAt) -> tuple[Floats, Floats]:
        """Points of the blocks, and the sum before each in steps: float64[n, k * 33]."""
        name = blocks.tobytes()
        if name not in self._kept:
            rows, count = len(self._keys), blocks.shape[1]
            inner = (blocks[:, :, None] * _POINTS + np.arange(1.0, _POINTS)).reshape(len(blocks), -1)
            chance = hashed(self._keys, inner).reshape(rows, count, _POINTS - 1)
            chance = chance * chance * chance
            # Summed one by one, whose order is the same for any number of rows.
            chance -= chance.cumsum(axis=2)[:, :, -1:] / (_POINTS - 1)
            points = np.zeros((rows, count, _POINTS + 1))
            points[:, :, 1:-1] = chance * height(blocks * self._block_seconds)[:, :, None]
            sums = np.zeros_like(points)
            np.cumsum(0.5 * (points[:, :, :-1] + points[:, :, 1:]), axis=2, out=sums[:, :, 1:])
            self._kept[name] = points.reshape(rows, -1), sums.reshape(rows, -1)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[name]
