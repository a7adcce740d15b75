"""The series of servers on which levers were pulled."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.server_gen.domain.catalogue import CATALOGUE
from services.server_gen.domain.cells import COUNTERS, Cells, stacked
from services.server_gen.domain.figures import figures
from services.server_gen.domain.levers import Disturbances, Levers, Span
from services.server_gen.domain.machines import RESTART_SECONDS, Machines
from services.server_gen.domain.moments import Chosen, Moment, Moments, counted, origin_day
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.physics import REST, flow
from services.server_gen.domain.recent import LAGS, disturbed_loads, recent_loads
from services.server_gen.domain.roster import VirtualServer

_SERVICE: Final = [row for row, key in enumerate(COUNTERS) if key in ("requests", "errors")]


class Disturbed:
    """Computes servers from the first lever that is pulled on: during it, and as long as it leaves traces.

    Args:
        moments: of all servers.
        servers: all of them.
        disturbances: what pulls the levers.
    """

    def __init__(self, moments: Moments, servers: Sequence[VirtualServer], disturbances: Disturbances) -> None:
        spans = disturbances.spans()
        self._moments = moments
        self._disturbances = disturbances
        self._indices = np.array([server.index for server in servers], dtype=np.intp)
        self._spans = {at: list(spans[server.index]) for at, server in enumerate(servers) if spans.get(server.index)}
        self._cells = Cells(moments, self._spans, self._levers)
        self._started: dict[tuple[int, int], float] = {}
        self._some = Chosen(moments)

    def take_over(self, other: "Disturbed", same_until: Mapping[int, float]) -> None:
        """Keep what another one computed of the servers of these indices, which were disturbed in the same way before a Unix time each."""
        places = {index: position for position, index in enumerate(other._indices.tolist())}
        for position in self._spans:
            index = int(self._indices[position])
            if index in same_until and index in places:
                self._cells.take_over(position, other._cells, places[index], same_until[index])

    def figures(self, times: Floats) -> tuple[NDArray[np.intp], Floats]:
        """Positions of the servers that are other than undisturbed at any of these Unix times, and all their series."""
        last = float(times[-1])
        where = np.array(
            [
                position
                for position, spans in self._spans.items()
                if spans[0].start <= last and float(times[0]) < spans[-1].end + RESTART_SECONDS + LAGS[-1]
            ],
            dtype=np.intp,
        )
        if not len(where):
            return where, np.empty((len(CATALOGUE), 0, len(times)))
        moments = self._some.at(where)
        machines, moment = moments.machines, moments.at(times)
        levers = self._levers(times, where)
        start = np.maximum(np.broadcast_to(moment.start, (len(where), len(times))), self._fault_starts(times, where, levers))
        self._cells.reach(where.tolist(), last)
        counters, work = self._counters(machines, moment, where, start)
        past = [self._levers(times - lag, where) for lag in LAGS]
        loads = disturbed_loads(machines, moment, recent_loads(machines, moment), past)
        happening = flow(machines, moment.rate, levers)
        return where, figures(machines, moment, happening, levers, counters, loads, start, work)

    def _levers(self, times: Floats, where: NDArray[np.intp]) -> Levers:
        """The levers as [n, m], or at rest where none is pulled at any of the times."""
        low, high = float(times.min()), float(times.max())
        if not any(span.start <= high and low < span.end for position in where.tolist() for span in self._spans[position]):
            return REST
        pulled = self._disturbances.levers(times, self._indices[where].tolist())
        return Levers(**{lever.name: np.ascontiguousarray(getattr(pulled, lever.name).T) for lever in fields(Levers)})

    def _fault_starts(self, times: Floats, where: NDArray[np.intp], levers: Levers) -> Floats:
        """Unix time of the last start that a fault brought about, -inf where there was none."""
        starts = np.array(np.broadcast_to(levers.started, (len(where), len(times))))
        for row, position in enumerate(where.tolist()):
            for number, span in enumerate(self._spans[position]):
                if span.end <= times[-1]:
                    started = self._started_by(position, number, span)
                    after = times >= span.end
                    starts[row, after] = np.maximum(starts[row, after], started)
        return starts

    def _started_by(self, position: int, number: int, span: Span) -> float:
        if (position, number) not in self._started:
            before_end = np.array([np.nextafter(span.end, -np.inf)])
            levers = self._levers(before_end, np.array([position], dtype=np.intp))
            self._started[position, number] = float(levers.started[0, 0])
        return self._started[position, number]

    def _counters(
        self, machines: Machines, moment: Moment, where: NDArray[np.intp], start: Floats
    ) -> tuple[dict[str, Floats], Floats]:
        """The counters in units since the last start, and the work since that of the service."""
        shape = start.shape
        counts = stacked(counted(machines, moment.amount, moment.boot_amount), shape)
        start_amount = moment.start_amount
        if (start != moment.start).any():
            start_amount = machines.amount(start, origin_day(moment.times))
        at_start = stacked(counted(machines, start_amount, moment.boot_amount), shape)
        boots = np.broadcast_to(moment.boot, shape)
        for row, position in enumerate(where.tolist()):
            excess = self._cells.excess(position, moment.times, counts[:, row], boots[row])
            excess_at_start = self._cells.excess(position, start[row], at_start[:, row], boots[row])
            counts[:, row] += excess
            at_start[:, row] += excess_at_start
        counts[_SERVICE] = np.maximum(counts[_SERVICE] - at_start[_SERVICE], 0.0)
        return dict(zip(COUNTERS, counts, strict=True)), machines.level(moment.amount.since(start_amount))
