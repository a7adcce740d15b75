"""The figures of a fleet as a pure function of seed, server and time."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np

from services.server_gen.domain.catalogue import CATALOGUE
from services.server_gen.domain.disturbed import Disturbed
from services.server_gen.domain.figures import figures
from services.server_gen.domain.levers import Disturbances, Undisturbed
from services.server_gen.domain.machines import Machines
from services.server_gen.domain.moments import Chosen, Moments, counted
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.physics import REST, flow
from services.server_gen.domain.recent import recent_loads
from services.server_gen.domain.roles import DAY
from services.server_gen.domain.roster import VirtualServer

_CHUNK: Final = 8192
"""Servers times times that are computed at once: what stays in the processor's cache."""
_CHUNK_SECONDS: Final = 32 * DAY
"""Times that lie further apart are computed apart, as the work between them would have to be summed up."""


class Simulation:
    """Computes the figures of some servers. The same times give the same bits, however they are asked for and by whom.

    Not for several threads at once.

    Args:
        seed: of the fleet.
        servers: whose figures to compute.
        disturbances: what pulls levers.
        holidays: dates on which people stay at home besides public holidays.
    """

    def __init__(
        self,
        seed: int,
        servers: Sequence[VirtualServer],
        disturbances: Disturbances = Undisturbed(),  # noqa: B008 - frozen
        holidays: Sequence[date] = (),
    ) -> None:
        self.servers = tuple(servers)
        self._moments = Moments(Machines(seed, self.servers, tuple(sorted(holidays))))
        self._disturbed = Disturbed(self._moments, self.servers, disturbances)
        self._some = Chosen(self._moments)

    def take_over(self, other: "Simulation", same_until: Mapping[int, float]) -> None:
        """Keep what another simulation of the same fleet has computed, so that it is not computed again; no figure changes by it.

        Args:
            other: not in use by another thread meanwhile.
            same_until: for servers of both, by their index in the roster, the Unix time before which the same disturbs them.
        """
        self._disturbed.take_over(other._disturbed, same_until)

    def at(self, time_seconds: float) -> Floats:
        """Figures at one Unix time: float64[len(CATALOGUE), n], NaN where a server has no such figure."""
        return self.over(np.array([time_seconds]))[:, 0, :]

    def over(self, times: Floats) -> Floats:
        """Figures at m Unix times in seconds, ascending: float64[len(CATALOGUE), m, n], NaN where a server has no such figure.

        The array is laid out in memory as [series, server, time].
        """
        out = np.empty((len(CATALOGUE), len(self.servers), len(times)))
        if self.servers:
            times = np.asarray(times, dtype=np.float64)
            step = max(1, _CHUNK // len(self.servers))
            first = 0
            while first < len(times):
                near = int(np.searchsorted(times, times[first] + _CHUNK_SECONDS))
                last = min(first + step, near)
                self._fill(out[:, :, first:last], times[first:last])
                first = last
        return out.swapaxes(1, 2)

    def _fill(self, out: Floats, times: Floats) -> None:
        where, disturbed = self._disturbed.figures(times)
        if len(where):
            out[:, where] = disturbed
        rest = np.setdiff1d(np.arange(len(self.servers)), where)
        if len(rest) == len(self.servers):
            out[:] = _undisturbed(self._moments, times)
        elif len(rest):
            out[:, rest] = _undisturbed(self._some.at(rest), times)


def _undisturbed(moments: Moments, times: Floats) -> Floats:
    """All series of servers on which no lever was pulled."""
    machines, moment = moments.machines, moments.at(times)
    counters = counted(machines, moment.amount, moment.boot_amount)
    at_start = counted(machines, moment.start_amount, moment.boot_amount)
    for key in ("requests", "errors"):
        counters[key] = np.maximum(counters[key] - at_start[key], 0.0)
    work = machines.level(moment.amount.since(moment.start_amount))
    loads = recent_loads(machines, moment)
    return figures(machines, moment, flow(machines, moment.rate, REST), REST, counters, loads, moment.start, work)
