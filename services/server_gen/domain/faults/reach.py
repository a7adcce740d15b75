"""Which servers a fault reaches besides the one that it begins on, when, and how strongly."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.server_gen.domain.noise import Floats, Seeds, mix, unit
from services.server_gen.domain.roster import VirtualServer
from services.server_gen.domain.topology import dependencies

_HOPS: Final = 5
_WEAKENED: Final = 0.8
"""What is left of an effect one hop further: a server does more than wait for the one that it calls."""
_NEGLIGIBLE: Final = 0.04
"""Weight below which an effect is not followed further."""
_HOP_SECONDS: Final = (15.0, 30.0)
"""Callers notice after their connection pools and retries are used up."""
_SERVERS_OF_A_HOST: Final = 4
_FRONT: Final = ("load_balancer", "web")


class Whom(Enum):
    """Who is reached, seen from the server that the fault begins on."""

    ROOT = auto()
    """That server alone."""
    CALLERS = auto()
    """Those that call it, those that call them, and so on, each later and weaker."""
    CALLEES = auto()
    """Those that it calls, those that these call, and so on: where its traffic goes."""
    BACKENDS = auto()
    """The databases of those that call it, or its own when nobody calls it: where requests go that a cache no longer answers."""
    HOST = auto()
    """The virtual machines of the same host."""
    SITE = auto()
    """The front servers of its site, and where their traffic goes."""


@dataclass(frozen=True)
class Reach:
    """The servers that an effect reaches.

    Attributes:
        servers: intp[k], places in the fleet, the nearest first.
        delay: float64[k], seconds from the fault's start until the effect begins there.
        weight: float64[k], strength of the effect, 0..1.
    """

    servers: NDArray[np.intp]
    delay: Floats
    weight: Floats


class Graph:
    """The fleet as faults see it.

    Args:
        servers: the whole fleet.
    """

    def __init__(self, servers: Sequence[VirtualServer]) -> None:
        self.servers = tuple(servers)
        self.place = {server.hostname: place for place, server in enumerate(servers)}

    @cached_property
    def callees(self) -> tuple[tuple[int, ...], ...]:
        """For each place the places that it calls."""
        return dependencies(self.servers)

    @cached_property
    def callers(self) -> tuple[tuple[int, ...], ...]:
        """For each place the places that call it."""
        callers: list[list[int]] = [[] for _ in self.servers]
        for caller, callees in enumerate(self.callees):
            for callee in callees:
                callers[callee].append(caller)
        return tuple(map(tuple, callers))

    def reach(self, whom: Whom, root: int, seeds: Seeds) -> Reach:
        """Who is reached from the server at place `root`; never that server itself unless `whom` is ROOT or SITE.

        Args:
            whom: the relation.
            root: a place in the fleet.
            seeds: uint64[1], for the delays.
        """
        match whom:
            case Whom.ROOT:
                weights = {root: (0, 1.0)}
            case Whom.CALLERS:
                weights = self._upwards(root)
            case Whom.CALLEES:
                weights = self._downwards([root])
                del weights[root]
            case Whom.BACKENDS:
                weights = self._backends(root)
            case Whom.HOST:
                weights = self._host(root)
            case Whom.SITE:
                weights = self._downwards(self._front(root))
        return self._delayed(weights, seeds)

    def _upwards(self, root: int) -> dict[int, tuple[int, float]]:
        """A caller suffers by the share of its servers of that role that are ill: with one slow of three it waits every third time."""
        reached = {root: (0, 1.0)}
        layer = {root: 1.0}
        for hop in range(1, _HOPS + 1):
            above: dict[int, float] = {}
            for place, weight in layer.items():
                role = self.servers[place].role.name
                for caller in self.callers[place]:
                    if caller not in reached:
                        alike = sum(self.servers[callee].role.name == role for callee in self.callees[caller])
                        above[caller] = above.get(caller, 0.0) + _WEAKENED * weight / alike
            layer = {place: min(weight, 1.0) for place, weight in above.items() if weight >= _NEGLIGIBLE}
            reached |= {place: (hop, weight) for place, weight in layer.items()}
        del reached[root]
        return reached

    def _downwards(self, sources: Sequence[int]) -> dict[int, tuple[int, float]]:
        """A server gets its share of what each of its callers gets more than usual."""
        reached = dict.fromkeys(sources, (0, 1.0))
        layer = dict.fromkeys(sources, 1.0)
        for hop in range(1, _HOPS + 1):
            below: dict[int, float] = {}
            for place, weight in layer.items():
                for callee in self.callees[place]:
                    if callee not in reached:
                        below[callee] = below.get(callee, 0.0) + _WEAKENED * weight / len(self.callers[callee])
            layer = {place: min(weight, 1.0) for place, weight in below.items() if weight >= _NEGLIGIBLE}
            reached |= {place: (hop, weight) for place, weight in layer.items()}
        return reached

    def _backends(self, root: int) -> dict[int, tuple[int, float]]:
        askers = self.callers[root] or (root,)
        asked: dict[int, float] = {}
        for asker in askers:
            for callee in self.callees[asker]:
                if callee != root and self.servers[callee].role.name == "database":
                    asked[callee] = asked.get(callee, 0.0) + 1.0 / len(self.callers[callee])
        return {place: (1, min(weight, 1.0)) for place, weight in asked.items()}

    def _host(self, root: int) -> dict[int, tuple[int, float]]:
        """Machines are put on hosts as they join, `_SERVERS_OF_A_HOST` to a host of the site."""
        site = [place for place, server in enumerate(self.servers) if server.site == self.servers[root].site]
        first = site.index(root) // _SERVERS_OF_A_HOST * _SERVERS_OF_A_HOST
        return {place: (1, 0.85) for place in site[first : first + _SERVERS_OF_A_HOST] if place != root}

    def _front(self, root: int) -> list[int]:
        site = self.servers[root].site
        front = [place for place, server in enumerate(self.servers) if server.site == site and server.role.name in _FRONT]
        return [root, *(place for place in front if place != root)]

    def _delayed(self, reached: dict[int, tuple[int, float]], seeds: Seeds) -> Reach:
        places = np.array(list(reached), dtype=np.intp)
        hops = np.array([hop for hop, _ in reached.values()], dtype=np.float64)
        weight = np.array([weight for _, weight in reached.values()], dtype=np.float64)
        shortest, longest = _HOP_SECONDS
        # The same server is reached at the same moment by every lever of one fault.
        jitter = unit(seeds ^ mix(places.astype(np.uint64))) if len(places) else weight
        # Within a hop's time of its own, so that a further hop always comes later.
        delay = np.where(hops > 0, longest * (hops - 1.0) + shortest + (longest - shortest) * jitter, 0.0)
        order = np.lexsort((places, delay))
        return Reach(places[order], delay[order], weight[order])
