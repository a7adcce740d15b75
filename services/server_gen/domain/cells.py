"""The counters of disturbed machines: what they count more or less than undisturbed ones.

Time is cut into cells of a minute. In each, a counter grows by what it would grow undisturbed, times the ratio of disturbed to
undisturbed rate at the cell's start: so it never falls, and what has not begun changes nothing. Shares of time are bounded and belong
together, so they grow evenly, at the disturbed rate at the cell's start.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.server_gen.domain.levers import Levers, Span
from services.server_gen.domain.moments import UNITS, Moments, counted
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.physics import REST, flow

COUNTERS: Final = tuple(UNITS)
_SHARES: Final = [row for row, key in enumerate(COUNTERS) if key.startswith("cpu_") or key == "disk_io_time"]
_SCALE: Final = np.array([[UNITS[key]] for key in COUNTERS])
_CELL_SECONDS: Final = 60.0
_BLOCK: Final = 1440
"""Cells that are computed at once."""
_MAX_RATIO: Final = 1e7

LeversAt = Callable[[Floats, NDArray[np.intp]], Levers]


@dataclass
class _Stretch:
    """The cells of one span of one machine; arrays are [counter, cell] and grow as time goes on.

    Attributes:
        first, end: cells from the start of Unix time, `end` exclusive.
        ratio: of disturbed to undisturbed rate; 0 where the counter grows evenly.
        pace: units per second at which a counter grows evenly; 0 where it does not.
        counted: undisturbed, at the start of each cell, and of the one after the last.
        excess: what is counted besides, at the same.
        boot: Unix time of the machine's last start, at the same.
    """

    first: int
    end: int
    ratio: Floats = field(default_factory=lambda: np.empty((len(COUNTERS), 0)))
    pace: Floats = field(default_factory=lambda: np.empty((len(COUNTERS), 0)))
    counted: Floats = field(default_factory=lambda: np.empty((len(COUNTERS), 0)))
    excess: Floats = field(default_factory=lambda: np.empty((len(COUNTERS), 0)))
    boot: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def next(self) -> int:
        """The first cell that is not computed."""
        return self.first + int(self.ratio.shape[1])

    def grow(self, ratio: Floats, pace: Floats, counts: Floats, boot: Floats, before: tuple[Floats, float]) -> None:
        """Take in further cells: k ratios and paces, and counts and starts at k+1 times."""
        excess, since = (self.excess[:, -1], float(self.boot[-1])) if self.boot.size else before
        same = np.concatenate(([boot[0] == since], boot[1:] == boot[:-1]))
        # A counter that started again within a cell has grown since then, from nothing.
        growth = counts[:, 1:] - np.where(same[1:], counts[:, :-1], 0.0)
        ends = _CELL_SECONDS * np.arange(self.next + 1.0, self.next + 1.0 + ratio.shape[1])
        more = np.floor(ratio * growth + pace * np.where(same[1:], _CELL_SECONDS, ends - boot[1:])) - growth
        sums = np.concatenate((np.where(same[0], excess, 0.0)[:, None], more), axis=1).cumsum(axis=1)
        for reset in (np.flatnonzero(~same[1:]) + 1).tolist():
            sums[:, reset:] -= sums[:, reset - 1 : reset]
        skip = 1 if self.boot.size else 0
        self.ratio = np.concatenate((self.ratio, ratio), axis=1)
        self.pace = np.concatenate((self.pace, pace), axis=1)
        self.counted = np.concatenate((self.counted, counts[:, skip:]), axis=1)
        self.excess = np.concatenate((self.excess, sums[:, skip:]), axis=1)
        self.boot = np.concatenate((self.boot, boot[skip:]))

    def take_over(self, other: "_Stretch", count: int) -> None:
        """Begin with the first cells of another stretch that begins alike."""
        if count > 0:
            self.ratio, self.pace = other.ratio[:, :count], other.pace[:, :count]
            self.counted, self.excess = other.counted[:, : count + 1], other.excess[:, : count + 1]
            self.boot = other.boot[: count + 1]


class Cells:
    """The excess of the counters of some machines.

    Args:
        moments: of all machines of the simulation.
        spans: when each is disturbed, by its position.
        levers: gives the levers at times float64[m] of the machines at some positions, as [n, m].
    """

    def __init__(self, moments: Moments, spans: Mapping[int, Sequence[Span]], levers: LeversAt) -> None:
        self._moments = moments
        self._levers = levers
        self._stretches: dict[int, list[_Stretch]] = {}
        for position, stretches in spans.items():
            cells: list[_Stretch] = []
            for span in stretches:
                first, end = int(span.start // _CELL_SECONDS), int(-(-span.end // _CELL_SECONDS))
                first = max(first, cells[-1].end) if cells else first
                if first < end:
                    cells.append(_Stretch(first, end))
            self._stretches[position] = cells

    def reach(self, positions: Sequence[int], time: float) -> None:
        """Compute every cell that has begun by a time."""
        last = int(time // _CELL_SECONDS) + 1
        while True:
            wanted: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
            for position in positions:
                for number, stretch in enumerate(self._stretches[position]):
                    until = min(stretch.end, last, stretch.next + _BLOCK)
                    if stretch.next < until:
                        wanted[stretch.next, until].append((position, number))
                        break
            if not wanted:
                return
            for (first, until), stretches in wanted.items():
                self._compute(first, until, stretches)

    def take_over(self, position: int, other: "Cells", other_position: int, time: float) -> None:
        """Keep what was computed of the same machine elsewhere, where it was disturbed in the same way before a Unix time."""
        alike = {stretch.first: stretch for stretch in other._stretches.get(other_position, ())}
        for stretch in self._stretches.get(position, ()):
            if (known := alike.get(stretch.first)) is None:
                return
            stretch.take_over(known, int(min(known.next, stretch.end, time // _CELL_SECONDS)) - stretch.first)

    def _compute(self, first: int, until: int, stretches: list[tuple[int, int]]) -> None:
        where = np.array([position for position, _ in stretches], dtype=np.intp)
        machines = self._moments.machines.take(where)
        times = _CELL_SECONDS * np.arange(float(first), until + 1.0)
        moment = Moments(machines).at(times)
        shape = (len(where), len(times))
        counts = stacked(counted(machines, moment.amount, moment.boot_amount), shape)
        usual = stacked(flow(machines, moment.rate, REST).rates, shape)
        actual = stacked(flow(machines, moment.rate, self._levers(times, where)).rates, shape)
        # The same rates give exactly 1; a counter that stands still has no ratio.
        ratio = np.clip(np.divide(actual, usual, out=np.ones_like(usual), where=usual > 0.0), 0.0, _MAX_RATIO)[:, :, :-1]
        moved = (ratio[_SHARES] != 1.0).any(axis=0)
        pace = np.zeros_like(ratio)
        pace[_SHARES] = np.where(moved, _SCALE[_SHARES, :, None] * actual[_SHARES, :, :-1], 0.0)
        ratio[_SHARES] = np.where(moved, 0.0, 1.0)
        boots = np.broadcast_to(moment.boot, shape)
        for row, (position, number) in enumerate(stretches):
            stretch = self._stretches[position][number]
            before = self._before(position, number)
            stretch.grow(ratio[:, row], pace[:, row], counts[:, row], boots[row], before)

    def _before(self, position: int, number: int) -> tuple[Floats, float]:
        if number == 0:
            return np.zeros(len(COUNTERS)), -np.inf
        earlier = self._stretches[position][number - 1]
        return earlier.excess[:, -1], float(earlier.boot[-1])

    def excess(self, position: int, times: Floats, counts: Floats, boot: Floats) -> Floats:
        """What is counted besides `counts`, both float64[counter, m], by times that `reach` has reached; `boot` as in a Moment."""
        total = np.zeros_like(counts)
        cell = np.floor(times / _CELL_SECONDS)
        for stretch in self._stretches[position]:
            inside = np.flatnonzero((cell >= stretch.first) & (cell < stretch.end))
            if len(inside):
                at = cell[inside].astype(np.intp) - stretch.first
                same = boot[inside] == stretch.boot[at]
                growth = counts[:, inside] - np.where(same, stretch.counted[:, at], 0.0)
                seconds = times[inside] - np.where(same, _CELL_SECONDS * cell[inside], boot[inside])
                grown = np.floor(stretch.ratio[:, at] * growth + stretch.pace[:, at] * seconds)
                total[:, inside] = np.where(same, stretch.excess[:, at], 0.0) + grown - growth
            after = np.flatnonzero(cell >= stretch.end)
            if len(after):
                total[:, after] = np.where(boot[after] == stretch.boot[-1], stretch.excess[:, -1:], 0.0)
        return total


def stacked(values: dict[str, Floats], shape: tuple[int, ...]) -> Floats:
    """Every counter of `COUNTERS` in one array [counter, *shape]."""
    return np.stack([np.broadcast_to(values[key], shape) for key in COUNTERS])
