"""What is known of undisturbed machines at some times: what drives them, and since when."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.server_gen.domain.machines import RESTART_SECONDS, Drive, Machines
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.physics import healthy_rates
from services.server_gen.domain.roles import DAY

_ORIGIN_DAYS: Final = 8
"""Integrals start at every eighth day, so that what was summed for one step serves for the next."""

UNITS: Final = {
    "requests": 2.0**10,
    "errors": 2.0**16,
    "cpu_idle": 2.0**16,
    "cpu_user": 2.0**16,
    "cpu_system": 2.0**16,
    "cpu_iowait": 2.0**16,
    "cpu_steal": 2.0**16,
    "context_switches": 1.0,
    "disk_read": 1.0,
    "disk_written": 1.0,
    "disk_io_time": 2.0**16,
    "received": 1.0,
    "transmitted": 1.0,
    "receive_drops": 2.0**16,
    "retransmits": 2.0**10,
}
"""Counters are reckoned in whole units of 1 by these, which a float64 adds and compares without rounding."""


@dataclass(frozen=True)
class Moment:
    """Undisturbed machines at m times; [n, 1] stands for [n, m] where all times are alike.

    Attributes:
        times: Unix seconds, float64[m] or float64[n, m].
        rate: what drives them.
        amount: its integral.
        boot, start, rotation: Unix time of the last start of machine and service, and of the last rotation of files.
        boot_amount, start_amount, rotation_amount: the integral at these.
    """

    times: Floats
    rate: Drive
    amount: Drive
    boot: Floats
    boot_amount: Drive
    start: Floats
    start_amount: Drive
    rotation: Floats
    rotation_amount: Drive


class Moments:
    """Computes moments of machines; keeps what the last one knew of starts and rotations."""

    def __init__(self, machines: Machines) -> None:
        of = machines.of
        self.machines = machines
        self._boots = _Planned(machines, np.full((machines.size, 1), RESTART_SECONDS), of["restart_shift"])
        self._starts = _Planned(machines, np.full((machines.size, 1), RESTART_SECONDS), of["restart_shift"], of["service_delay"])
        self._rotations = _Planned(machines, of["rotation_days"] * DAY, -of["rotation_shift"])

    def at(self, times: Floats) -> Moment:
        """Everything at Unix times, float64[m] for all machines or float64[n, m]."""
        since_day = origin_day(times)
        rate, amount = self.machines.drive(times, since_day)
        boot, boot_amount = self._boots.at(times, since_day)
        start, start_amount = self._starts.at(times, since_day)
        rotation, rotation_amount = self._rotations.at(times, since_day)
        return Moment(times, rate, amount, boot, boot_amount, start, start_amount, rotation, rotation_amount)


class Chosen:
    """Some of the machines at a time; those of the last call are kept, for they seldom change."""

    def __init__(self, moments: Moments) -> None:
        self._machines = moments.machines
        self._kept: tuple[bytes, Moments] | None = None

    def at(self, positions: NDArray[np.intp]) -> Moments:
        """Moments of the machines at these positions."""
        if self._kept is None or self._kept[0] != positions.tobytes():
            self._kept = positions.tobytes(), Moments(self._machines.take(positions))
        return self._kept[1]


def origin_day(times: Floats) -> int:
    """A day before any start or rotation that matters at these times."""
    return int(times.min() // DAY - RESTART_SECONDS // DAY - 2) // _ORIGIN_DAYS * _ORIGIN_DAYS


def counted(machines: Machines, amount: Drive, boot_amount: Drive) -> dict[str, Floats]:
    """The counters of undisturbed machines since their start, in units: whole numbers that never fall while the machine runs."""
    rates = healthy_rates(machines, amount.since(boot_amount))
    return {key: np.floor(UNITS[key] * value) for key, value in rates.items()}


class _Planned:
    """Events that come again after a period, and the integrals at the last of them.

    Args:
        machines: whose.
        period: seconds, float64[n, 1].
        shift: an event is at every multiple of the period less this.
        delay: and as much later, which does not move it beyond the next.
    """

    def __init__(self, machines: Machines, period: Floats, shift: Floats, delay: Floats | None = None) -> None:
        self._machines = machines
        self._period = period
        self._shift = shift
        self._delay = np.zeros_like(shift) if delay is None else delay
        self._kept: tuple[int, Floats, Drive] | None = None

    def at(self, times: Floats, since_day: int) -> tuple[Floats, Drive]:
        turn = np.floor((times + self._shift) / self._period)
        first = turn.min(axis=1, keepdims=True)
        turns = int((turn - first).max()) + 1
        events = (first + np.arange(float(turns))) * self._period - self._shift + self._delay
        if self._kept is None or self._kept[0] != since_day or not np.array_equal(self._kept[1], events):
            self._kept = since_day, events, self._machines.amount(events, since_day)
        amount = self._kept[2]
        if turns == 1:
            return events, amount
        which = (turn - first).astype(np.intp)

        def pick(values: Floats) -> Floats:
            return np.take_along_axis(np.broadcast_to(values, events.shape), which, axis=1)

        jobs = {channel: pick(values) for channel, values in amount.jobs.items()}
        return pick(events), Drive(
            pick(amount.one), pick(amount.people), pick(amount.chance), pick(amount.wander), pick(amount.payload), jobs
        )
