"""The machines behind the fleet: their constants, and what drives them at any time."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from services.server_gen.domain.flicker import Flicker
from services.server_gen.domain.holidays import Calendar
from services.server_gen.domain.jobs import Jobs
from services.server_gen.domain.load import SiteLoad
from services.server_gen.domain.noise import Floats, Octaves, Seeds, derive, mix, unit
from services.server_gen.domain.roles import DAY, HOUR, Role
from services.server_gen.domain.roster import VirtualServer
from services.server_gen.domain.sites import SITES, Site

RESTART_SECONDS: Final = 90 * DAY
"""Every machine is restarted for maintenance this often, each at a time of its own."""
SERVICE_DELAY: Final = (6.0, 40.0)
"""Seconds from a machine's start to that of its service."""

_LEVEL_WANDER: Final = ((2.5 * HOUR, 0.04), (1500.0, 0.03), (420.0, 0.02))
_LEVEL_FLICKER: Final = (20.0, 0.14)
_CPU_FLICKER: Final = ((20.0, 0.35), (240.0, 0.22))
_PAYLOAD_FLICKER: Final = ((20.0, 0.12), (240.0, 0.22))
"""Seconds, and height relative to the work that the people of the site give: some requests need more of a processor or network than
others, and come in company."""
_CPU_WANDER: Final = ((5400.0, 0.45), (600.0, 0.35))
"""In parts of the processor time that the machine needs even when nobody works, so that what it uses never falls below 0."""
_MEMORY_NOISE: Final = ((6 * HOUR, 0.008), (900.0, 0.0025))
_LATENCY_NOISE: Final = ((900.0, 0.05), (150.0, 0.05))
_SLOW_NOISE: Final = ((700.0, 0.75), (120.0, 0.25))
_CLOCK_NOISE: Final = ((2048.0, 0.00025), (256.0, 0.00008))
_STEAL: Final = (0.0005, 0.004)
_RESERVED_MEMORY: Final = 0.97
"""What the kernel leaves of the memory in the machine."""

# Keys of independent noise.
(
    _SERVER,
    _SHARE,
    _LEVEL,
    _CPU,
    _MEMORY,
    _LATENCY,
    _SLOW,
    _CLOCK,
    _STOLEN,
    _RESTART,
    _ROTATION,
    _DELAY,
    _JOBS,
    _FLICKER,
) = range(101, 115)

_NUMBERS: Final = tuple(field.name for field in fields(Role) if field.name not in ("name", "hardware", "jobs"))


@dataclass(frozen=True)
class Drive:
    """What drives machines: rates at each time, or the integrals of the same from an origin of their own; float64[n, m].

    Attributes:
        one: 1, or seconds.
        people: what the people of the site ask for, relative to their average.
        chance: what the work differs by from what they ask for.
        wander: share of the processors that comes and goes by chance.
        payload: what the bytes sent and received differ by from the work.
        jobs: what planned work takes, by channel.
    """

    one: Floats
    people: Floats
    chance: Floats
    wander: Floats
    payload: Floats
    jobs: dict[str, Floats]

    def since(self, earlier: "Drive") -> "Drive":
        """The integrals from an earlier time on; the same to the bit from any origin, as `one` and `people` are exact."""
        return Drive(
            self.one - earlier.one,
            self.people - earlier.people,
            self.chance - earlier.chance,
            self.wander - earlier.wander,
            self.payload - earlier.payload,
            {channel: amount - earlier.jobs[channel] for channel, amount in self.jobs.items()},
        )

    def per(self, seconds: float) -> "Drive":
        """The average rates over a time, of integrals over it."""
        return Drive(
            self.one / seconds,
            self.people / seconds,
            self.chance / seconds,
            self.wander / seconds,
            self.payload / seconds,
            {channel: amount / seconds for channel, amount in self.jobs.items()},
        )


class Machines:
    """Constants and drives of n servers. Shapes are [n, m] of n servers and m times, constants float64[n, 1].

    Args:
        seed: of the fleet.
        servers: whose machines.
        holidays: dates that count as holidays at every site besides the public ones.
    """

    def __init__(self, seed: int, servers: Sequence[VirtualServer], holidays: tuple[date, ...] = ()) -> None:
        servers = tuple(servers)
        index = np.array([server.index for server in servers], dtype=np.uint64)
        seeds = mix(derive(mix(np.array([seed], dtype=np.uint64)), _SERVER) ^ mix(index))
        self.size = len(servers)
        self.of = {name: np.array([[getattr(s.role, name)] for s in servers], dtype=np.float64) for name in _NUMBERS}
        self.of |= {
            "cores": np.array([[s.spec.cores] for s in servers], dtype=np.float64),
            "memory_bytes": np.array([[s.spec.memory_bytes] for s in servers]) * _RESERVED_MEMORY // 4096 * 4096,
            "disk_bytes": np.array([[s.spec.disk_bytes] for s in servers]) * 0.98 // 4096 * 4096,
            # No two machines carry exactly the same share of the work.
            "share": 1.0 + 0.08 * (2.0 * _column(seeds, _SHARE) - 1.0),
            "steal": _STEAL[0] + (_STEAL[1] - _STEAL[0]) * _column(seeds, _STOLEN) ** 3,
            "restart_shift": np.floor(RESTART_SECONDS * _column(seeds, _RESTART)),
            "service_delay": np.floor(SERVICE_DELAY[0] + (SERVICE_DELAY[1] - SERVICE_DELAY[0]) * _column(seeds, _DELAY)),
            "saw_key": _column(seeds, _MEMORY),
        }
        offsets = np.array([[s.site.standard_offset_seconds] for s in servers])
        turn = _column(seeds, _ROTATION) * self.of["rotation_days"]
        # On a day of its own, before people come to work.
        self.of["rotation_shift"] = np.floor((np.floor(turn) * DAY + (3.0 + 2.0 * (turn % 1.0)) * HOUR) - offsets)
        quietest = self.of["base_cpu"] * 0.6 + 0.1 * self.of["utilisation"] * (1.0 - self.of["system_share"])
        self.of["wander"] = quietest
        self._level_wander = Octaves(derive(seeds, _LEVEL), _LEVEL_WANDER)
        self._cpu_wander = Octaves(derive(seeds, _CPU), _CPU_WANDER)
        self.noises = {
            "memory": Octaves(derive(seeds, _MEMORY), _MEMORY_NOISE),
            "latency": Octaves(derive(seeds, _LATENCY), _LATENCY_NOISE),
            "slow": Octaves(derive(seeds, _SLOW), _SLOW_NOISE),
            "clock": Octaves(derive(seeds, _CLOCK), _CLOCK_NOISE),
        }
        scales = (_LEVEL_FLICKER, *_CPU_FLICKER, *_PAYLOAD_FLICKER)
        flickers = [(Flicker(derive(derive(seeds, _FLICKER), key), step), height) for key, (step, height) in enumerate(scales)]
        self._level_flicker, self._cpu_flicker, self._payload_flicker = flickers[:1], flickers[1:3], flickers[3:]
        self._jobs = Jobs(derive(seeds, _JOBS), servers)
        self._sites = [_site_load(seed, site, holidays) for site in SITES]
        self._site = np.array([SITES.index(server.site) for server in servers], dtype=np.intp)

    def take(self, where: NDArray[np.intp]) -> Self:
        """Some of the machines."""
        part = object.__new__(type(self))
        part.size = len(where)
        part.of = {name: values[where] for name, values in self.of.items()}
        part._level_wander, part._cpu_wander = self._level_wander.take(where), self._cpu_wander.take(where)
        part._level_flicker, part._cpu_flicker, part._payload_flicker = (
            [(flicker.take(where), height) for flicker, height in flickers]
            for flickers in (self._level_flicker, self._cpu_flicker, self._payload_flicker)
        )
        part.noises = {name: noise.take(where) for name, noise in self.noises.items()}
        part._jobs = self._jobs.take(where)
        part._sites, part._site = self._sites, self._site[where]
        return part

    def drive(self, times: Floats, since_day: int) -> tuple[Drive, Drive]:
        """The rates at Unix times, float64[m] or float64[n, m], and their integrals from the begin of a day that is before all."""
        people, worked = self._people(times, since_day)
        of = self.of
        wander, wandered = self._level_wander.wander(times)
        cpu, cpu_sum = self._cpu_wander.wander(times)
        flicker, flickered = self._flicker(self._level_flicker, times)
        cpu_flicker, cpu_flickered = self._flicker(self._cpu_flicker, times)
        payload, payload_sum = self._flicker(self._payload_flicker, times)
        wander, wandered = wander + flicker, wandered + flickered
        own = of["utilisation"] * (1.0 - of["system_share"])
        cpu, cpu_sum = of["wander"] * cpu + own * cpu_flicker, of["wander"] * cpu_sum + own * cpu_flickered
        rates, amounts = self._jobs.run(times)
        shape = (self.size, times.shape[-1])
        elapsed = np.broadcast_to(times - since_day * DAY, shape)
        rate = Drive(np.ones((1, 1)), people, wander, cpu, payload, rates)
        return rate, Drive(elapsed, worked, wandered, cpu_sum, payload_sum, amounts)

    def amount(self, times: Floats, since_day: int) -> Drive:
        """The integrals that `drive` gives, alone."""
        return self.drive(times, since_day)[1]

    def level(self, drive: Drive) -> Floats:
        """The work of the machines relative to the average of their role, or its integral."""
        usual = (1.0 - self.of["swing"]) * drive.one + self.of["swing"] * drive.people
        return np.asarray(self.of["share"] * (usual + drive.chance))

    def _flicker(self, flickers: list[tuple[Flicker, float]], times: Floats) -> tuple[Floats, Floats]:
        """The sum of several, and its integral, on top of the work that people give."""
        rate: Floats = np.zeros((1, 1))
        amount: Floats = np.zeros((1, 1))
        for flicker, height in flickers:
            now, until_now = flicker.wander(times, self._usual)
            rate, amount = rate + height * now, amount + height * until_now
        return self.of["swing"] * rate, self.of["swing"] * amount

    def _usual(self, times: Floats) -> Floats:
        """The work that people give at times float64[n or 1, k], as float64[n, k]."""
        people = np.empty((self.size, times.shape[1]))
        for number, load in enumerate(self._sites):
            here = np.flatnonzero(self._site == number)
            if len(here):
                people[here] = load.level(times if len(times) == 1 else times[here])
        return np.asarray(1.0 - self.of["swing"] + self.of["swing"] * people)

    def _people(self, times: Floats, since_day: int) -> tuple[Floats, Floats]:
        level, work = np.empty((2, self.size, times.shape[-1]))
        for number, load in enumerate(self._sites):
            here = np.flatnonzero(self._site == number)
            if len(here):
                level[here], work[here] = load.level_and_work(times if times.ndim == 1 else times[here], since_day)
        return level, work


def _column(seeds: Seeds, key: int) -> Floats:
    return unit(derive(seeds, key))[:, None]


@lru_cache(maxsize=64)
def _site_load(seed: int, site: Site, holidays: tuple[date, ...]) -> SiteLoad:
    """One for all simulations of a fleet: a day of a site costs more to compute than a step of a hundred servers."""
    return SiteLoad(mix(np.array([seed], dtype=np.uint64)), SITES.index(site), site, Calendar(site.country, holidays))
