"""Which server joins the fleet as the first, the second and so on: core roles first, then more of what carries the load."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

from services.server_gen.domain.roles import (
    API,
    APP,
    BATCH,
    BUSAN,
    CACHE,
    DB_PRIMARY,
    DB_REPLICA,
    LOAD_BALANCER,
    MONITORING,
    QUEUE,
    SEOUL,
    STORAGE,
    TOKYO,
    WEB,
    Role,
    Site,
)


@dataclass(frozen=True)
class VirtualServer:
    """One server of the fleet; its place in the roster, from 0, decides everything about it."""

    index: int
    id: str
    hostname: str
    role: Role
    site: Site


_FIRST: Final[tuple[tuple[str, Role, Site], ...]] = (
    ("lb", LOAD_BALANCER, SEOUL),
    ("web", WEB, SEOUL),
    ("api", API, SEOUL),
    ("app", APP, SEOUL),
    ("db-primary-seoul", DB_PRIMARY, SEOUL),
    ("cache", CACHE, SEOUL),
    ("queue", QUEUE, SEOUL),
    ("storage", STORAGE, SEOUL),
    ("batch", BATCH, SEOUL),
    ("monitoring", MONITORING, SEOUL),
    ("web", WEB, SEOUL),
    ("api", API, SEOUL),
    ("app", APP, BUSAN),
    ("db-replica-busan", DB_REPLICA, BUSAN),
    ("lb", LOAD_BALANCER, BUSAN),
    ("web", WEB, BUSAN),
    ("cache", CACHE, BUSAN),
    ("db-replica-tokyo", DB_REPLICA, TOKYO),
    ("api", API, TOKYO),
    ("web", WEB, TOKYO),
)
_MORE: Final[tuple[tuple[str, Role], ...]] = (
    ("web", WEB),
    ("api", API),
    ("app", APP),
    ("web", WEB),
    ("cache", CACHE),
    ("api", API),
    ("batch", BATCH),
    ("app", APP),
)
_SITES: Final = (SEOUL, BUSAN, TOKYO)


def roster(size: int) -> list[VirtualServer]:
    """The first `size` servers of the fleet."""
    numbers: Counter[str] = Counter()
    servers = []
    for index, (prefix, role, site) in enumerate(islice(_places(), size)):
        numbers[prefix] += 1
        # A database's name ends in its site and a plain number; the others are numbered with two digits.
        name = f"{prefix}-{numbers[prefix]}" if prefix.startswith("db-") else f"{prefix}-{numbers[prefix]:02d}"
        servers.append(VirtualServer(index, f"virtual-{index + 1:04d}", name, role, site))
    return servers


def _places() -> Iterator[tuple[str, Role, Site]]:
    yield from _FIRST
    for (prefix, role), site in zip(cycle(_MORE), cycle(_SITES), strict=False):
        yield prefix, role, site
