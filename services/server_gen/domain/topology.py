"""Who calls whom: requests enter at the load balancers and end at the databases, and faults travel the other way."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from services.server_gen.domain.roles import (
    API,
    APP,
    AUTH,
    BATCH,
    CACHE,
    DB_PRIMARY,
    DB_REPLICA,
    DNS,
    GATEWAY,
    K8S_NODE,
    LOAD_BALANCER,
    MAIL,
    MONITORING,
    QUEUE,
    SEARCH,
    STORAGE,
    WEB,
    Role,
)
from services.server_gen.domain.roster import VirtualServer
from services.server_gen.domain.sites import SITES, Site

CALLS: Final[tuple[tuple[Role, tuple[Role, ...]], ...]] = (
    (LOAD_BALANCER, (WEB, GATEWAY)),
    (GATEWAY, (API, AUTH)),
    (WEB, (API, CACHE)),
    (API, (APP, DB_PRIMARY, DB_REPLICA, CACHE, QUEUE, SEARCH)),
    (APP, (DB_PRIMARY, DB_REPLICA, CACHE, QUEUE, STORAGE, K8S_NODE)),
    (K8S_NODE, (DB_REPLICA, QUEUE)),
    (AUTH, (DB_REPLICA, CACHE)),
    (SEARCH, (STORAGE,)),
    (MAIL, (DNS, STORAGE)),
    (BATCH, (DB_REPLICA, QUEUE, STORAGE)),
    (MONITORING, (STORAGE,)),
    (DB_REPLICA, (DB_PRIMARY,)),
)
"""Each role and those that it calls. No role reaches itself, so the graph of servers has no cycle."""


def dependencies(servers: Sequence[VirtualServer]) -> tuple[tuple[int, ...], ...]:
    """For each position in `servers`, the positions that it calls, ascending.

    A server calls those of its own site, and those of the nearest site that has any where its own has none. Every callee of a site has a
    caller there as long as there is one, and every caller has two callees of a role where it can.
    """
    places: dict[tuple[Role, Site], list[int]] = defaultdict(list)
    for position, server in enumerate(servers):
        places[server.role, server.site].append(position)
    called: list[set[int]] = [set() for _ in servers]
    for role, callees in CALLS:
        for site in SITES:
            callers = places.get((role, site), [])
            for callee in callees:
                targets = _nearest(places, callee, site)
                for rank, caller in enumerate(callers if targets else ()):
                    called[caller] |= _assigned(targets, rank, len(callers))
    return tuple(tuple(sorted(positions)) for positions in called)


def _nearest(places: dict[tuple[Role, Site], list[int]], role: Role, site: Site) -> list[int]:
    by_distance = sorted(SITES, key=lambda other: (other != site, other.country != site.country))
    return next((places[role, other] for other in by_distance if (role, other) in places), [])


def _assigned(targets: list[int], rank: int, callers: int) -> set[int]:
    """What the caller of this rank calls: its part of the targets, and another for when one of them fails."""
    part = targets[rank::callers] if rank < len(targets) else [targets[rank % len(targets)]]
    return {*part, targets[(rank + 1) % len(targets)]}
