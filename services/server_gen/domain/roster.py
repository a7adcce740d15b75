"""Which server joins the fleet as the first, the second and so on: core roles first, then more of what carries the load."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
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
from services.server_gen.domain.sites import BUSAN, SEOUL, SITES, TOKYO, Site

_GIB: Final = 2**30


@dataclass(frozen=True)
class ServerSpec:
    """What a server was bought with."""

    cores: int
    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class VirtualServer:
    """One server of the fleet; its place in the roster, from 0, decides everything about it."""

    index: int
    id: str
    hostname: str
    role: Role
    site: Site
    spec: ServerSpec


_FIRST: Final[tuple[tuple[str, Role, Site], ...]] = (
    ("lb", LOAD_BALANCER, SEOUL),
    ("web", WEB, SEOUL),
    ("api", API, SEOUL),
    ("app", APP, SEOUL),
    ("db-primary", DB_PRIMARY, SEOUL),
    ("cache", CACHE, SEOUL),
    ("queue", QUEUE, SEOUL),
    ("storage", STORAGE, SEOUL),
    ("batch", BATCH, SEOUL),
    ("monitoring", MONITORING, SEOUL),
    ("web", WEB, SEOUL),
    ("api", API, SEOUL),
    ("app", APP, BUSAN),
    ("db-replica", DB_REPLICA, BUSAN),
    ("lb", LOAD_BALANCER, BUSAN),
    ("web", WEB, BUSAN),
    ("cache", CACHE, BUSAN),
    ("db-replica", DB_REPLICA, TOKYO),
    ("api", API, TOKYO),
    ("web", WEB, TOKYO),
)
# As many as are not a multiple of the sites, so that every role comes to every site in the end.
_MORE: Final[tuple[tuple[str, Role], ...]] = (
    ("k8s-node", K8S_NODE),
    ("web", WEB),
    ("api", API),
    ("k8s-node", K8S_NODE),
    ("app", APP),
    ("cache", CACHE),
    ("gateway", GATEWAY),
    ("web", WEB),
    ("k8s-node", K8S_NODE),
    ("search", SEARCH),
    ("api", API),
    ("db-replica", DB_REPLICA),
    ("auth", AUTH),
    ("k8s-node", K8S_NODE),
    ("app", APP),
    ("web", WEB),
    ("batch", BATCH),
    ("mail", MAIL),
    ("api", API),
    ("lb", LOAD_BALANCER),
    ("storage", STORAGE),
    ("k8s-node", K8S_NODE),
    ("queue", QUEUE),
    ("dns", DNS),
    ("db-primary", DB_PRIMARY),
    ("web", WEB),
    ("app", APP),
    ("monitoring", MONITORING),
)


def roster(size: int) -> list[VirtualServer]:
    """The first `size` servers of the fleet."""
    numbers: Counter[str] = Counter()
    servers = []
    for index, (kind, role, site) in enumerate(islice(_places(), size)):
        # A database's name tells its site and a plain number; the others are numbered with two digits.
        prefix = f"{kind}-{site.city}" if kind.startswith("db-") else kind
        numbers[prefix] += 1
        number = numbers[prefix]
        name = f"{prefix}-{number}" if kind.startswith("db-") else f"{prefix}-{number:02d}"
        servers.append(VirtualServer(index, f"virtual-{index + 1:04d}", name, role, site, _spec(role, number)))
    return servers


def _places() -> Iterator[tuple[str, Role, Site]]:
    yield from _FIRST
    for (kind, role), site in zip(cycle(_MORE), cycle(SITES), strict=False):
        yield kind, role, site


def _spec(role: Role, number: int) -> ServerSpec:
    """The usual size first; later machines of a role were bought when others were to be had."""
    hardware = role.hardware[(number * number // 3) % len(role.hardware)]
    return ServerSpec(hardware.cores, hardware.memory_gib * _GIB, hardware.disk_gib * _GIB)
