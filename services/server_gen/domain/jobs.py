"""Planned work at its hours: how hard it goes now, and how much of it was done.

A job does the same work each time, whether it runs fast and short or slow and long, so the work of any number of nights is known
without looking at each.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from services.server_gen.domain.noise import Floats, Seeds, derive, hashed, unit
from services.server_gen.domain.roles import Job
from services.server_gen.domain.roster import VirtualServer

CHANNELS: Final = ("cpu", "read", "written", "sent")
"""What a job takes: share of the processors, and bytes per second and core."""

_RAMP: Final = 0.1
"""Part of its duration in which a job gets going, and ends."""
_WHOLE: Final = 1.0 - _RAMP
_PACE: Final = (0.85, 1.25)
"""The duration varies within these factors from one time to the next."""
_JITTER_SECONDS: Final = 240.0
_SPREAD, _START, _LENGTH = 301, 302, 303


@dataclass
class _Slot:
    """The jobs that stand at one place of their roles' lists; all arrays are float64[k, 1] but `rows` and `keys`."""

    rows: NDArray[np.intp]
    keys: tuple[Seeds, Seeds]
    period: Floats
    start: Floats
    duration: Floats
    jitter: Floats
    rates: dict[str, Floats]

    def run(self, times: Floats) -> tuple[Floats, Floats]:
        """The pace, 1 when usual, and its integral in seconds since the period that holds Unix time 0."""
        position = (times - self.start) / self.period
        turn = np.floor(position)
        late = self.jitter * hashed(self.keys[0], turn)
        duration = self.duration * (_PACE[0] + (_PACE[1] - _PACE[0]) * hashed(self.keys[1], turn))
        x = np.clip(((position - turn) * self.period - late) / duration, 0.0, 1.0)
        pace = np.minimum(np.minimum(x, 1.0 - x) / _RAMP, 1.0) * (self.duration / duration)
        rise, fall = np.minimum(x, _RAMP), np.maximum(x - _WHOLE, 0.0)
        part = (x - rise - fall) + (rise * rise - fall * fall) / (2.0 * _RAMP) + fall
        return pace, self.duration * (_WHOLE * turn + part)


class Jobs:
    """The planned work of some servers.

    Args:
        seeds: uint64[n], one a server.
        servers: whose.
    """

    def __init__(self, seeds: Seeds, servers: tuple[VirtualServer, ...]) -> None:
        self._size = len(servers)
        self._slots = []
        for number in range(max((len(server.role.jobs) for server in servers), default=0)):
            rows = np.array([row for row, server in enumerate(servers) if number < len(server.role.jobs)])
            self._slots.append(_slot([servers[row].role.jobs[number] for row in rows], rows, seeds, servers, number))

    def take(self, where: NDArray[np.intp]) -> Self:
        """The work of some of the servers."""
        part = object.__new__(type(self))
        part._size = len(where)
        part._slots = []
        for slot in self._slots:
            inside = np.isin(where, slot.rows)
            at = np.searchsorted(slot.rows, where[inside])
            if len(at):
                rates = {channel: rate[at] for channel, rate in slot.rates.items()}
                keys = slot.keys[0][at], slot.keys[1][at]
                columns = (slot.period[at], slot.start[at], slot.duration[at], slot.jitter[at])
                part._slots.append(_Slot(np.flatnonzero(inside), keys, *columns, rates))
        return part

    def run(self, times: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """What the jobs take at Unix times, float64[m] or float64[n, m], and have taken in all since an origin: a float64[n, m] a channel."""
        shape = (self._size, times.shape[-1])
        rate, amount = ({channel: np.zeros(shape) for channel in CHANNELS} for _ in range(2))
        for slot in self._slots:
            whole = len(slot.rows) == self._size
            pace, done = slot.run(times if times.ndim == 1 or whole else times[slot.rows])
            for channel, factor in slot.rates.items():
                if whole:
                    rate[channel] += factor * pace
                    amount[channel] += factor * done
                else:
                    rate[channel][slot.rows] += factor * pace
                    amount[channel][slot.rows] += factor * done
        return rate, amount


def _slot(jobs: list[Job], rows: NDArray[np.intp], seeds: Seeds, servers: tuple[VirtualServer, ...], number: int) -> _Slot:
    own = derive(seeds[rows], number)

    def column(name: str) -> Floats:
        return np.array([[getattr(job, name)] for job in jobs], dtype=np.float64)

    offset = np.array([[servers[row].site.standard_offset_seconds] for row in rows])
    period = column("period_seconds")
    start = column("at_seconds") + column("spread_seconds") * unit(derive(own, _SPREAD))[:, None] - offset
    return _Slot(
        rows=rows,
        keys=(derive(own, _START)[:, None], derive(own, _LENGTH)[:, None]),
        period=period,
        start=start,
        duration=column("duration_seconds"),
        jitter=np.minimum(_JITTER_SECONDS, 0.02 * period),
        rates={channel: column(channel) for channel in CHANNELS if column(channel).any()},
    )
