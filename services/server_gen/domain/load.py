"""How much work a server has, over the day, the week and by chance, and how much it has done so far.

The level is a sum of cosines and of slopes of bounded noise, so its integral has a closed form. Counters such as bytes received are
that integral: they only grow, fit the level exactly, and need no history.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.server_gen.domain.noise import MAX_SLOPE, Floats, Seeds, ValueNoise, derive

HOUR: Final = 3600.0
DAY: Final = 86_400.0
WEEK: Final = 7 * DAY
SATURDAY_NIGHT: Final = 3 * DAY
"""Seconds from the start of Thursday, where weeks of Unix time begin, to the middle of the weekend."""


@dataclass(frozen=True)
class Wave:
    """One cosine of the level: `amplitude` at `peak_seconds` of local time, and again every `period_seconds`."""

    period_seconds: float
    amplitude: float
    peak_seconds: float


@dataclass(frozen=True)
class Wander:
    """Chance around the waves, within ±`amplitude`, turning about every `period_seconds`.

    Shared chance is the same for every server of a profile: their users are the same people.
    """

    period_seconds: float
    amplitude: float
    shared: bool


_WEEKLY: Final = (Wave(WEEK, 0.11, SATURDAY_NIGHT + WEEK / 2), Wave(WEEK / 2, 0.05, SATURDAY_NIGHT + WEEK / 4))
_WANDERS: Final = (
    Wander(3 * HOUR, 0.08, shared=True),
    Wander(2400.0, 0.06, shared=True),
    Wander(1200.0, 0.05, shared=False),
    Wander(300.0, 0.03, shared=False),
)


@dataclass(frozen=True)
class Profile:
    """The shape of a server's work; its level is 1 on average and never reaches 0."""

    key: int
    waves: tuple[Wave, ...]
    wanders: tuple[Wander, ...] = _WANDERS

    def __post_init__(self) -> None:
        if sum(w.amplitude for w in self.waves) + sum(w.amplitude for w in self.wanders) >= 1.0:
            raise ValueError("amplitudes of 1 or more together let the level reach 0 and counters go back")


OFFICE: Final = Profile(1, (Wave(DAY, 0.38, 15.5 * HOUR), Wave(DAY / 2, 0.12, 9.5 * HOUR), *_WEEKLY))
"""People at work and, a little, in the evening: quiet before dawn and at the weekend."""

NIGHT: Final = Profile(2, (Wave(DAY, 0.5, 2.5 * HOUR), Wave(DAY / 2, 0.15, 2.5 * HOUR)))
"""Jobs that run when people sleep."""

STEADY: Final = Profile(3, (Wave(DAY, 0.06, 14.0 * HOUR),))
"""Work that hardly depends on people."""


class Load:
    """The work of some servers of one profile.

    Args:
        profile: its shape.
        fleet_seed: uint64[1], for the chance that all servers share.
        seeds: uint64[n], one a server.
        utc_offset_seconds: float64[n], of each server's site.
    """

    def __init__(self, profile: Profile, fleet_seed: Seeds, seeds: Seeds, utc_offset_seconds: Floats) -> None:
        self._waves = profile.waves
        self._utc_offset_seconds = utc_offset_seconds
        self._wanders = []
        for number, wander in enumerate(profile.wanders):
            source = fleet_seed if wander.shared else seeds
            noise = ValueNoise(derive(source, 1000 * profile.key + number), wander.period_seconds)
            # Scaled so that the slope, which is what the level gets, stays within the amplitude.
            self._wanders.append((wander.amplitude * wander.period_seconds / MAX_SLOPE, noise))

    def level(self, times: Floats) -> Floats:
        """Work relative to the average at Unix times of shape [m, 1] or [m, n]: float64[m, n] above 0 and below 2."""
        local = times + self._utc_offset_seconds
        level = np.ones_like(local)
        for wave in self._waves:
            level += wave.amplitude * np.cos(_angle(wave, local))
        for scale, noise in self._wanders:
            level += scale * noise.slope(times)
        return level

    def work(self, times: Floats) -> Floats:
        """The integral of `level` from an origin that is the same for all times, in seconds of average work: float64[m, n]."""
        local = times + self._utc_offset_seconds
        work = local.copy()
        for wave in self._waves:
            work += wave.amplitude * wave.period_seconds / (2 * np.pi) * np.sin(_angle(wave, local))
        for scale, noise in self._wanders:
            work += scale * noise.value(times)
        return work


def _angle(wave: Wave, local: Floats) -> Floats:
    return 2 * np.pi / wave.period_seconds * (local - wave.peak_seconds)
