"""The times of one fault, from its kind, its length and its severity."""

import hashlib
from typing import Final

import numpy as np

from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import Kind, Restarts
from services.server_gen.domain.faults.shapes import Timing
from services.server_gen.domain.noise import Floats, Seeds, derive, mix, unit

_SEED_KEY: Final = 300
_CYCLE_KEY: Final = 301
_RAMP_SHARE: Final = 0.3
"""A short fault reaches its full strength within this share of its length."""
_FULL_DUTY_FROM: Final = 0.7


def seeds_of(fault: Fault, seed: int) -> Seeds:
    """The fault's own chance, uint64[1]: another one for each seed and each id."""
    number = int.from_bytes(hashlib.blake2b(fault.id.encode(), digest_size=8).digest(), "little")
    return derive(mix(np.array([seed], dtype=np.uint64)) ^ np.uint64(number), _SEED_KEY)


def timing_of(fault: Fault, kind: Kind, seeds: Seeds) -> Timing:
    """The fault's times. In a short fault everything goes faster, so that it can still be seen to come and to pass."""
    duration = fault.end - fault.start
    ramp = duration if kind.ramp_seconds is None else min(kind.ramp_seconds, _RAMP_SHARE * duration)
    mild, severe = kind.cycle_seconds
    cycle = (mild + (severe - mild) * fault.severity) * (0.9 + 0.2 * float(unit(derive(seeds, _CYCLE_KEY))[0]))
    least, most = kind.duty
    return Timing(
        duration=duration,
        length=fault.stop - fault.start,
        ramp=ramp,
        recovery=min(kind.recovery_seconds, duration),
        outage=min(kind.outage_seconds, duration / 6.0),
        cycle=min(cycle, duration / 2.5),
        duty=least + (most - least) * min(fault.severity / _FULL_DUTY_FROM, 1.0),
        seeds=seeds,
    )


def starts_of(fault: Fault, kind: Kind, timing: Timing) -> Floats:
    """When the fault starts the service anew: Unix times, ascending."""
    deployed = [timing.outage] if timing.outage <= timing.length else []
    match kind.restarts:
        case Restarts.NEVER:
            return np.empty(0)
        case Restarts.DEPLOYED:
            after = deployed
        case Restarts.DEPLOYED_AND_ROLLED_BACK:
            after = [*deployed, timing.length + timing.outage]
        case Restarts.AT_THE_END:
            after = [timing.length + timing.outage]
        case Restarts.EVERY_CYCLE:
            # The outage that the end cuts short ends in a start, too.
            begun = np.arange(0.0, timing.length, timing.cycle)
            return np.asarray(fault.start + np.minimum(begun + timing.outage, timing.length))
    return fault.start + np.array(after)
