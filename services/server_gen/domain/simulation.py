"""The figures of a fleet as a pure function of seed, server and time."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.server_gen.domain.load import DAY, HOUR, Load
from services.server_gen.domain.noise import Floats, Seeds, ValueNoise, derive, mix, unit
from services.server_gen.domain.roles import Role
from services.server_gen.domain.roster import VirtualServer

GAUGES: Final = ("cpu", "memory", "disk", "swap", "load", "latency", "uptime_seconds")
"""Percent (cpu, memory, disk, swap), runnable processes (load), milliseconds (latency), seconds."""
COUNTERS: Final = (
    "network_receive_bytes_total",
    "network_transmit_bytes_total",
    "disk_read_bytes_total",
    "disk_written_bytes_total",
    "requests_total",
)
"""Since the server's last start."""
METRICS: Final = GAUGES + COUNTERS

_RESTART_SECONDS: Final = 90 * DAY
"""Every server is restarted for maintenance this often, each at a time of its own."""
_CPU_NOISE: Final = ((900.0, 2.0), (180.0, 1.0), (30.0, 0.4))
_MEMORY_NOISE: Final = ((6 * HOUR, 1.2), (900.0, 0.4))
_LATENCY_NOISE: Final = ((600.0, 0.05), (60.0, 0.04))
_SWAP_FROM_MEMORY_PERCENT: Final = 72.0
_NUMBERS: Final = tuple(field.name for field in fields(Role) if field.name not in ("name", "profile"))

# Keys of independent noise.
_SERVER, _CAPACITY, _CPU, _MEMORY, _DISK, _LATENCY, _RESTART = range(101, 108)


class Simulation:
    """Computes the figures of some servers; keeps nothing between calls.

    Args:
        seed: the same seed gives the same figures in every process.
        servers: whose figures to compute.
    """

    def __init__(self, seed: int, servers: Sequence[VirtualServer]) -> None:
        self.servers = tuple(servers)
        self._fleet_seed = mix(np.array([seed], dtype=np.uint64))
        index = np.array([server.index for server in servers], dtype=np.uint64)
        self._seeds: Seeds = mix(derive(self._fleet_seed, _SERVER) ^ mix(index)) if len(index) else index
        self._offsets = np.array([server.site.utc_offset_seconds for server in servers], dtype=np.float64)
        self._role = {name: np.array([getattr(s.role, name) for s in servers], dtype=np.float64) for name in _NUMBERS}
        if not servers:
            return
        # No two machines carry exactly the same share of the work.
        self._share = 1.0 + 0.08 * (2.0 * unit(derive(self._seeds, _CAPACITY)) - 1.0)
        self._disk_phase = unit(derive(self._seeds, _DISK))
        self._restart_shift = _RESTART_SECONDS * unit(derive(self._seeds, _RESTART))
        self._cpu_noise = _Noise(derive(self._seeds, _CPU), _CPU_NOISE)
        self._memory_noise = _Noise(derive(self._seeds, _MEMORY), _MEMORY_NOISE)
        self._latency_noise = _Noise(derive(self._seeds, _LATENCY), _LATENCY_NOISE)
        self._loads: list[tuple[NDArray[np.intp], Load]] = []
        for profile in dict.fromkeys(server.role.profile for server in servers):
            where = np.flatnonzero([server.role.profile == profile for server in servers])
            self._loads.append((where, Load(profile, self._fleet_seed, self._seeds[where], self._offsets[where])))

    def at(self, time_seconds: float) -> Floats:
        """Figures at one Unix time: float64[len(METRICS), servers], NaN where a server has no such figure."""
        return self.over(np.array([time_seconds]))[:, 0, :]

    def over(self, times: Floats) -> Floats:
        """Figures at m Unix times in seconds: float64[len(METRICS), m, servers], NaN where a server has no such figure."""
        if not self.servers:
            return np.empty((len(METRICS), len(times), 0))
        times = times[:, None]
        role = self._role
        level = self._of_loads(Load.level, times)
        busy = np.clip(role["utilisation"] * level, 0.0, 0.98)
        cpu = role["idle_cpu_percent"] + (100.0 - role["idle_cpu_percent"]) * busy + self._cpu_noise.at(times)
        memory = role["memory_percent"] + role["memory_work_percent"] * busy + self._memory_noise.at(times)
        serves = role["requests_per_second"] > 0
        latency = self._latency_ms(busy, times)
        starts = self._starts(times)
        work = self._of_loads(Load.work, times) - self._of_loads(Load.work, starts)
        percent = {
            "cpu": np.clip(cpu, 0.1, 100.0),
            "memory": np.clip(memory, 1.0, 100.0),
            "disk": np.clip(self._disk_percent(times), 0.0, 100.0),
            "swap": np.clip(0.3 * (memory - _SWAP_FROM_MEMORY_PERCENT), 0.0, 100.0),
        }
        figures = {name: np.round(values, 1) for name, values in percent.items()}
        figures |= {
            "load": np.round(role["cores"] * busy + self._waiting(busy), 2),
            "latency": np.where(serves, np.round(latency, 2), np.nan),
            "uptime_seconds": np.floor(times - starts),
            "network_receive_bytes_total": np.floor(role["receive_bytes"] * work),
            "network_transmit_bytes_total": np.floor(role["transmit_bytes"] * work),
            "disk_read_bytes_total": np.floor(role["read_bytes"] * work),
            "disk_written_bytes_total": np.floor(role["written_bytes"] * work),
            "requests_total": np.where(serves, np.floor(role["requests_per_second"] * work), np.nan),
        }
        return np.stack([figures[name] for name in METRICS])

    def _of_loads(self, compute: Callable[[Load, Floats], Floats], times: Floats) -> Floats:
        result = np.empty((len(times), len(self.servers)))
        for where, load in self._loads:
            result[:, where] = compute(load, times if times.shape[1] == 1 else times[:, where])
        return result * self._share

    def _waiting(self, busy: Floats) -> Floats:
        """Mean number waiting in an M/M/c queue (H. Sakasegawa, "An approximation formula L_q ~ a·rho^b/(1-rho)", 1977)."""
        cores = self._role["cores"]
        return np.asarray(busy ** np.sqrt(2.0 * (cores + 1.0)) / (1.0 - busy))

    def _latency_ms(self, busy: Floats, times: Floats) -> Floats:
        """Time in an M/M/1 queue, service/(1-rho): every request passes one narrow place, whatever the number of cores."""
        return np.asarray(self._role["service_ms"] / (1.0 - busy) * (1.0 + self._latency_noise.at(times)))

    def _disk_percent(self, times: Floats) -> Floats:
        """Grows evenly and falls back when old files are removed, at a time of day that is each server's own."""
        role = self._role
        period = role["disk_rotation_days"] * DAY
        phase = np.mod(times / period + self._disk_phase, 1.0)
        return np.asarray(role["disk_percent"] + role["disk_growth_percent"] * phase)

    def _starts(self, times: Floats) -> Floats:
        """Unix time of each server's last start before each time; exactly the same number until the next start."""
        shift = self._restart_shift
        return np.asarray(np.floor((times + shift) / _RESTART_SECONDS) * _RESTART_SECONDS - shift)


class _Noise:
    """Octaves of value noise, added: (period in seconds, amplitude) of each."""

    def __init__(self, seeds: Seeds, octaves: Sequence[tuple[float, float]]) -> None:
        self._octaves = [(size, ValueNoise(derive(seeds, number), period)) for number, (period, size) in enumerate(octaves)]

    def at(self, times: Floats) -> Floats:
        """float64[m, n] at times of shape [m, 1]."""
        return np.asarray(sum(amplitude * noise.value(times) for amplitude, noise in self._octaves))
