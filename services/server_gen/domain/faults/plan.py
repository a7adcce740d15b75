"""Faults as what pulls the levers of the fleet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS, Kind, Pull
from services.server_gen.domain.faults.reach import Graph, Reach, Whom
from services.server_gen.domain.faults.shapes import Timing
from services.server_gen.domain.faults.timing import seeds_of, starts_of, timing_of
from services.server_gen.domain.levers import Levers, Span
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import VirtualServer

_FACTORS: Final = frozenset({"traffic", "service", "disk_read", "disk_written"})
_SWITCHES: Final = frozenset({"down", "silent"})
_SHARES: Final = frozenset({"cpu", "steal", "errors", "memory", "disk", "disk_busy", "loss"})
_DELAY_SHARE: Final = 0.25
"""In a short fault the last server is reached within this share of its length."""


@dataclass(frozen=True)
class _Effect:
    """A fault ready to be computed: whom its pulls reach, by the index in the roster, and from when to when."""

    fault: Fault
    timing: Timing
    pulls: tuple[tuple[Pull, Reach], ...]
    start: float
    end: float


class Plan:
    """Some faults that befall a fleet; implements `Disturbances`.

    A fault changes nothing before it begins, and its withdrawal changes nothing before the moment of that. Faults at the same time add
    up: factors multiply, shares are added and stay within 1, the latest start of a service counts. A fault on a server that the fleet
    lacks does nothing.

    `started` is the one lever that never goes back to rest, since a service stays started: `spans` leaves it out of account, `levers`
    knows it at any time.

    Args:
        seed: of the simulation.
        servers: the whole fleet.
        faults: in any order.
        graph: of the same servers, where the caller has one already.

    Raises:
        KeyError: a fault is of an unknown kind.
    """

    def __init__(self, seed: int, servers: Sequence[VirtualServer], faults: Iterable[Fault], graph: Graph | None = None) -> None:
        graph = graph or Graph(servers)
        index = np.array([server.index for server in graph.servers], dtype=np.intp)
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.start, fault.id)))
        self._effects: list[_Effect] = []
        self._starts: dict[int, Floats] = {}
        for fault in self.faults:
            root = graph.place.get(fault.server)
            if root is None or fault.stop <= fault.start:
                continue
            kind = KINDS[fault.kind]
            seeds = seeds_of(fault, seed)
            timing = timing_of(fault, kind, seeds)
            reached = {whom: _indexed(graph.reach(whom, root, seeds), index) for whom in {pull.whom for pull in kind.pulls}}
            self._effects.append(_effect(fault, kind, timing, reached))
            starts = starts_of(fault, kind, timing)
            if len(starts):
                known = self._starts.get(int(index[root]), np.empty(0))
                self._starts[int(index[root])] = np.sort(np.concatenate([known, starts]))
        self._first = np.array([effect.start for effect in self._effects])
        self._last = np.array([effect.end for effect in self._effects])

    def spans(self) -> dict[int, Sequence[Span]]:
        """For each disturbed server, by its index in the roster: when any lever but `started` may be away from rest."""
        raw: dict[int, list[tuple[float, float]]] = {}
        for effect in self._effects:
            bounds: dict[int, tuple[float, float]] = {}
            for _, reach in effect.pulls:
                for server, delay in zip(reach.servers.tolist(), reach.delay.tolist(), strict=True):
                    begin = effect.start + delay
                    bounds[server] = (min(begin, bounds.get(server, (begin, 0.0))[0]), effect.end)
            for server, bound in bounds.items():
                raw.setdefault(server, []).append(bound)
        return {server: _merged(bounds) for server, bounds in raw.items()}

    def levers(self, times: Floats, servers: Sequence[int]) -> Levers:
        """The levers at Unix times float64[m] of the servers of these indices in the roster."""
        levers = Levers.at_rest(len(times), len(servers))
        if not len(times) or not len(servers):
            return levers
        active = np.flatnonzero((self._first <= times.max()) & (self._last > times.min()))
        if not len(active) and not self._starts:
            return levers
        column = {server: place for place, server in enumerate(servers)}
        pulled: set[str] = set()
        for number in active:
            effect = self._effects[number]
            for pull, reach in effect.pulls:
                if _pull(levers, effect, pull, reach, times, column):
                    pulled.add(pull.lever)
        for lever in pulled & _SHARES:
            values = getattr(levers, lever)
            np.clip(values, 0.0, 1.0, out=values)
        for server in self._starts.keys() & column.keys():
            starts = self._starts[server]
            passed = np.searchsorted(starts, times, side="right")
            levers.started[:, column[server]] = np.where(passed > 0, starts[np.maximum(passed - 1, 0)], -np.inf)
        return levers


def reached_servers(fault: Fault, seed: int, graph: Graph) -> list[int]:
    """Places in the fleet of the servers that a fault can touch: the root first, then in the order in which it reaches them.

    Raises:
        KeyError: the fleet lacks the server, or the kind is unknown.
    """
    root = graph.place[fault.server]
    seeds = seeds_of(fault, seed)
    delays = {root: 0.0}
    for whom in {pull.whom for pull in KINDS[fault.kind].pulls}:
        reach = graph.reach(whom, root, seeds)
        for place, delay in zip(reach.servers.tolist(), reach.delay.tolist(), strict=True):
            delays.setdefault(place, delay)
    return sorted(delays, key=lambda place: (delays[place], place != root, place))


def _effect(fault: Fault, kind: Kind, timing: Timing, reached: dict[Whom, Reach]) -> _Effect:
    longest = max((float(reach.delay.max(initial=0.0)) for reach in reached.values()), default=0.0)
    hurry = min(1.0, _DELAY_SHARE * timing.duration / longest) if longest else 1.0
    hurried = {whom: Reach(reach.servers, reach.delay * hurry, reach.weight) for whom, reach in reached.items()}
    return _Effect(
        fault=fault,
        timing=timing,
        pulls=tuple((pull, hurried[pull.whom]) for pull in kind.pulls if fault.severity >= pull.from_severity),
        start=fault.start,
        end=fault.stop + max(timing.recovery, timing.outage) + timing.outage + longest * hurry,
    )


def _pull(levers: Levers, effect: _Effect, pull: Pull, reach: Reach, times: Floats, column: dict[int, int]) -> bool:
    """Pull one lever of those servers that are asked for; whether there were any."""
    wanted = [place for place, server in enumerate(reach.servers.tolist()) if server in column]
    if not wanted:
        return False
    columns = [column[int(reach.servers[place])] for place in wanted]
    since = times[:, None] - (effect.start + reach.delay[wanted])
    strength = np.where(since >= 0.0, pull.shape(since, effect.timing), 0.0)
    values = getattr(levers, pull.lever)
    if pull.lever in _SWITCHES:
        values[:, columns] = np.maximum(values[:, columns], strength > 0.5)
        return True
    amount = pull.amount * _strength(pull.lever, effect.fault.severity) * reach.weight[wanted] * strength
    if pull.lever in _FACTORS:
        values[:, columns] *= 1.0 + amount
    else:
        values[:, columns] += amount
    return True


def _strength(lever: str, severity: float) -> float:
    """Less than in proportion to severity, so that what is mild has to be looked for; for factors still less, since queues exaggerate."""
    return severity * severity if lever in _FACTORS else severity * float(np.sqrt(severity))


def _indexed(reach: Reach, index: NDArray[np.intp]) -> Reach:
    return Reach(index[reach.servers], reach.delay, reach.weight)


def _merged(bounds: list[tuple[float, float]]) -> tuple[Span, ...]:
    """Ascending spans that do not touch."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(bounds):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(Span(start, end) for start, end in merged)
