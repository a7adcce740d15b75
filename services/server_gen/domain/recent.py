"""Load averages: how many processes ran or wanted to, over the last minutes."""

from typing import Final

import numpy as np

from services.server_gen.domain.levers import Levers
from services.server_gen.domain.machines import Machines
from services.server_gen.domain.moments import Moment, origin_day
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.physics import REST, flow

Loads = tuple[Floats, Floats, Floats]

WINDOWS: Final = (60.0, 300.0, 900.0)
"""Seconds over which the kernel's averages fade to 1/e."""
LAGS: Final = (5.0, 15.0, 30.0, 50.0, 80.0, 120.0, 180.0, 260.0, 380.0, 560.0, 820.0, 1200.0, 1700.0, 2400.0, 3400.0)
"""How far back the disturbed past is looked at, in seconds."""
_EDGES: Final = np.array([0.0, *(0.5 * (np.array(LAGS[:-1]) + np.array(LAGS[1:]))), np.inf])


def recent_loads(machines: Machines, moment: Moment) -> Loads:
    """The averages over 1, 5 and 15 minutes of undisturbed machines.

    The work is averaged evenly over twice the window, which is as old, on average, as what fades over one.
    """
    since_day = origin_day(moment.times)
    loads = []
    for window in WINDOWS:
        span = 2.0 * window
        average = moment.amount.since(machines.amount(moment.times - span, since_day)).per(span)
        loads.append(flow(machines, average, REST).runnable)
    return loads[0], loads[1], loads[2]


def disturbed_loads(machines: Machines, moment: Moment, loads: Loads, past: list[Levers]) -> Loads:
    """The averages with the levers as they stood at each of `LAGS` before."""
    pulled = [place for place, levers in enumerate(past) if levers is not REST]
    if not pulled:
        return loads
    rest = flow(machines, moment.rate, REST).runnable
    more = [flow(machines, moment.rate, past[place]).runnable - rest for place in pulled]
    result = []
    for load, window in zip(loads, WINDOWS, strict=True):
        weights = np.exp(-_EDGES[:-1] / window) - np.exp(-_EDGES[1:] / window)
        for weight, extra in zip(weights[pulled].tolist(), more, strict=True):
            load = load + weight * extra
        result.append(np.maximum(load, 0.0))
    return result[0], result[1], result[2]
