"""How a fault's strength goes over time: every shape gives 0..1 and only looks at what has passed.

Shapes use nothing but additions, multiplications and divisions, so that values do not depend on how many are computed at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.server_gen.domain.noise import Floats, Seeds, ValueNoise

_LATE_FROM: Final = 0.6
"""Share of a fault's length after which what it used up begins to hurt."""


@dataclass(frozen=True)
class Timing:
    """The times of one fault on one server, in seconds from the moment that it reaches the server.

    Attributes:
        duration: how long it was planned to last.
        length: how long it lasts, which is less when it was withdrawn.
        ramp: from its beginning to its full strength.
        recovery: from its end until nothing is left of it.
        outage: how long the service is away in a restart.
        cycle: from one turn to the next of what comes and goes.
        duty: share of a cycle that is bad, 0..1.
        seeds: uint64[1], for its own chance.
    """

    duration: float
    length: float
    ramp: float
    recovery: float
    outage: float
    cycle: float
    duty: float
    seeds: Seeds


Shape = Callable[[Floats, Timing], Floats]
"""Strength at times since the fault reached a server, float64[m, k] with negative times before it; float64[m, k] in 0..1."""


def held(since: Floats, timing: Timing) -> Floats:
    """Rises over the ramp, stays, and passes over the recovery."""
    return _smooth(_until_end(since, timing) / timing.ramp) * _passing(since, timing)


def growing(since: Floats, timing: Timing) -> Floats:
    """Rises evenly from the beginning to the planned end, and passes over the recovery."""
    return _even(_until_end(since, timing) / timing.duration) * _passing(since, timing)


def late(since: Floats, timing: Timing) -> Floats:
    """Nothing for the first part, then rising faster and faster to the planned end: what `growing` leads to."""
    risen = _even((_until_end(since, timing) / timing.duration - _LATE_FROM) / (1.0 - _LATE_FROM))
    return risen * risen * _passing(since, timing)


def spiking(since: Floats, timing: Timing) -> Floats:
    """Rises over the ramp, then goes down evenly to a third at the planned end, and passes over the recovery."""
    going_down = _even((_until_end(since, timing) - timing.ramp) / (timing.duration - timing.ramp))
    return held(since, timing) * (1.0 - going_down / 1.5)


def swelling(since: Floats, timing: Timing) -> Floats:
    """A hill over the whole planned length: up for a third, level, and down for the last third."""
    flank = timing.duration / 3.0
    position = _until_end(since, timing)
    hill = _smooth(position / flank) * _smooth((timing.duration - position) / flank)
    return np.asarray(hill * _passing(since, timing))


def waving(since: Floats, timing: Timing) -> Floats:
    """As `held`, with the ups and downs of somebody else's work."""
    noise = ValueNoise(timing.seeds, timing.cycle).value(_until_end(since, timing))
    return np.asarray(held(since, timing) * (0.7 + 0.3 * noise))


def alternating(since: Floats, timing: Timing) -> Floats:
    """1 for the bad part of each cycle, 0 for the good part, beginning with the bad one."""
    return np.asarray(_lasting(since, timing) * (np.mod(since, timing.cycle) < timing.duty * timing.cycle))


def lasting(since: Floats, timing: Timing) -> Floats:
    """1 from the beginning to the end."""
    return _lasting(since, timing)


def restarting(since: Floats, timing: Timing) -> Floats:
    """1 while the service is away at the beginning of each cycle."""
    return np.asarray(_lasting(since, timing) * (np.mod(since, timing.cycle) < timing.outage))


def warming(since: Floats, timing: Timing) -> Floats:
    """After each restart of a cycle: from 1 evenly down to 0 over the rest of the cycle."""
    position = np.mod(since, timing.cycle) - timing.outage
    return np.asarray(_lasting(since, timing) * (position >= 0.0) * (1.0 - position / (timing.cycle - timing.outage)))


def drained(since: Floats, timing: Timing) -> Floats:
    """1 while a new version is put in place, at the beginning."""
    return np.asarray((since >= 0.0) & (since < min(timing.outage, timing.length)), dtype=np.float64)


def deployed(since: Floats, timing: Timing) -> Floats:
    """As `held`, from the moment that the new version runs."""
    return _smooth((_until_end(since, timing) - timing.outage) / timing.ramp) * _passing(since, timing)


def cold(since: Floats, timing: Timing) -> Floats:
    """From the moment that the new version runs: from 1 evenly down to 0 over the recovery."""
    position = since - timing.outage
    running = (position >= 0.0) & (timing.length >= timing.outage)
    return np.asarray(running * (1.0 - _even(position / timing.recovery)))


def afterwards(since: Floats, timing: Timing) -> Floats:
    """1 while the service is away in the restart that ends the fault."""
    return np.asarray((since >= timing.length) & (since < timing.length + timing.outage), dtype=np.float64)


def _until_end(since: Floats, timing: Timing) -> Floats:
    return np.minimum(since, timing.length)


def _lasting(since: Floats, timing: Timing) -> Floats:
    return np.asarray((since >= 0.0) & (since < timing.length), dtype=np.float64)


def _passing(since: Floats, timing: Timing) -> Floats:
    """1 until the end, then down to 0 over the recovery."""
    return 1.0 - _smooth((since - timing.length) / timing.recovery)


def _even(x: Floats) -> Floats:
    return np.clip(x, 0.0, 1.0)


def _smooth(x: Floats) -> Floats:
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x))
