"""What kinds of servers there are: their hardware, habits and answer to load."""

from dataclasses import dataclass
from typing import Final

HOUR: Final = 3600.0
DAY: Final = 86_400.0


@dataclass(frozen=True)
class Hardware:
    """One size in which machines of a role are bought."""

    cores: int
    memory_gib: int
    disk_gib: int


@dataclass(frozen=True)
class Job:
    """Planned work that comes again and again, on each server a little earlier or later.

    Attributes:
        at_seconds: earliest start after the period's begin; daily periods begin at local midnight, shorter ones on the hour.
        duration_seconds: usual length; it varies from time to time, and the pace with it, so that the work stays the same.
        period_seconds: how often.
        spread_seconds: starts differ by up to this much from server to server.
        cpu: share of all processors it keeps busy at its usual pace, 0..1.
        read, written, sent: bytes per second and core at that pace.
    """

    at_seconds: float
    duration_seconds: float
    period_seconds: float = DAY
    spread_seconds: float = 0.0
    cpu: float = 0.0
    read: float = 0.0
    written: float = 0.0
    sent: float = 0.0


_CRON: Final = Job(120, 70, HOUR, 2400, cpu=0.02, written=1e5)
"""Log shipping, certificates, inventories: what every machine does now and then."""
_LOGS: Final = Job(0.2 * HOUR, 900, DAY, 2 * HOUR, cpu=0.04, read=2e6, written=1.2e6)
"""The day's logs are compressed."""
_BACKUP: Final = Job(1.5 * HOUR, 1.3 * HOUR, DAY, 1.5 * HOUR, cpu=0.08, read=1.2e7, written=1e6, sent=6e6)


@dataclass(frozen=True)
class Role:
    """The hardware and habits of one kind of server. Figures "per core" are those of one core at the average level of work.

    Attributes:
        name: value of the label `role`.
        hardware: sizes it comes in.
        swing: how far its work follows the people of its site, 0 (not at all) to 1.
        base_cpu: share of the processors that the machine needs by itself.
        utilisation: share of the processors that its work keeps busy at the average level.
        system_share: part of that which is spent in the kernel.
        pool_utilisation: busy share of the narrow place that requests pass (workers, locks, a channel) at the average level.
        lanes: requests that pass the narrow place at once.
        requests: served per second and core; 0 for a role that serves none.
        service_ms: time one request takes on an idle server.
        errors: share of requests that fail on a healthy day.
        pooled: connections that are kept open, per core.
        backlog: what waits, in requests, for each request that would wait in a plain queue.
        received, transmitted, read, written: bytes per second and core.
        disk_share: part of a request's time that is spent on the disk.
        memory_base: share of memory in use right after the start.
        memory_work: what it gains at full utilisation.
        memory_fill: what its caches gain over the days after a start.
        memory_saw: what garbage gains until it is collected.
        collect_hours: time between collections at the average level.
        disk_base: share of the file system in use right after a rotation.
        disk_growth: what it gains until the next.
        rotation_days: time between rotations.
        jobs: its planned work.
    """

    name: str
    hardware: tuple[Hardware, ...]
    swing: float
    base_cpu: float
    utilisation: float
    system_share: float
    pool_utilisation: float
    lanes: int
    requests: float
    service_ms: float
    errors: float
    pooled: float
    backlog: float
    received: float
    transmitted: float
    read: float
    written: float
    disk_share: float
    memory_base: float
    memory_work: float
    memory_fill: float
    memory_saw: float
    collect_hours: float
    disk_base: float
    disk_growth: float
    rotation_days: float
    jobs: tuple[Job, ...] = (_CRON, _LOGS)


_SMALL: Final = (Hardware(4, 8, 80), Hardware(4, 16, 100), Hardware(8, 16, 160))
_MEDIUM: Final = (Hardware(8, 16, 160), Hardware(8, 32, 200), Hardware(16, 32, 320))
_LARGE: Final = (Hardware(16, 64, 1000), Hardware(16, 128, 2000), Hardware(32, 128, 2000))

LOAD_BALANCER: Final = Role(
    "load_balancer", _SMALL, swing=1.0, base_cpu=0.02, utilisation=0.16, system_share=0.6,
    pool_utilisation=0.22, lanes=4, requests=450, service_ms=0.8, errors=2e-4, pooled=180, backlog=1,
    received=6e6, transmitted=6.5e6, read=1e4, written=1.5e5, disk_share=0.01,
    memory_base=0.26, memory_work=0.12, memory_fill=0.04, memory_saw=0.0, collect_hours=1.0,
    disk_base=0.22, disk_growth=0.09, rotation_days=7,
)  # fmt: skip
WEB: Final = Role(
    "web", _SMALL, swing=1.0, base_cpu=0.02, utilisation=0.29, system_share=0.3,
    pool_utilisation=0.33, lanes=2, requests=150, service_ms=12.0, errors=5e-4, pooled=30, backlog=1,
    received=1.5e6, transmitted=3.5e6, read=5e4, written=2.2e5, disk_share=0.05,
    memory_base=0.34, memory_work=0.20, memory_fill=0.07, memory_saw=0.02, collect_hours=0.7,
    disk_base=0.34, disk_growth=0.13, rotation_days=7,
)  # fmt: skip
API: Final = Role(
    "api", _MEDIUM, swing=1.0, base_cpu=0.02, utilisation=0.28, system_share=0.25,
    pool_utilisation=0.35, lanes=2, requests=56, service_ms=24.0, errors=8e-4, pooled=24, backlog=1,
    received=6e5, transmitted=1e6, read=1.2e4, written=1e5, disk_share=0.04,
    memory_base=0.38, memory_work=0.12, memory_fill=0.08, memory_saw=0.06, collect_hours=0.9,
    disk_base=0.30, disk_growth=0.14, rotation_days=7,
)  # fmt: skip
APP: Final = Role(
    "app", _MEDIUM, swing=0.95, base_cpu=0.025, utilisation=0.29, system_share=0.22,
    pool_utilisation=0.35, lanes=2, requests=38, service_ms=38.0, errors=6e-4, pooled=20, backlog=1,
    received=5e5, transmitted=6.5e5, read=4e4, written=1.5e5, disk_share=0.06,
    memory_base=0.42, memory_work=0.10, memory_fill=0.08, memory_saw=0.09, collect_hours=1.6,
    disk_base=0.36, disk_growth=0.12, rotation_days=7,
)  # fmt: skip
DB_PRIMARY: Final = Role(
    "database", _LARGE, swing=0.9, base_cpu=0.03, utilisation=0.30, system_share=0.28,
    pool_utilisation=0.34, lanes=3, requests=88, service_ms=4.5, errors=5e-5, pooled=16, backlog=1,
    received=5e5, transmitted=7.5e5, read=1.1e6, written=9e5, disk_share=0.45,
    memory_base=0.50, memory_work=0.06, memory_fill=0.16, memory_saw=0.0, collect_hours=1.0,
    disk_base=0.48, disk_growth=0.18, rotation_days=28, jobs=(_CRON, _BACKUP),
)  # fmt: skip
DB_REPLICA: Final = Role(
    "database", _LARGE, swing=0.9, base_cpu=0.03, utilisation=0.22, system_share=0.3,
    pool_utilisation=0.28, lanes=3, requests=56, service_ms=4.0, errors=4e-5, pooled=12, backlog=1,
    received=3.8e5, transmitted=5.6e5, read=7.5e5, written=6e5, disk_share=0.4,
    memory_base=0.48, memory_work=0.06, memory_fill=0.15, memory_saw=0.0, collect_hours=1.0,
    disk_base=0.46, disk_growth=0.18, rotation_days=28, jobs=(_CRON, _LOGS),
)  # fmt: skip
CACHE: Final = Role(
    "cache", (Hardware(4, 32, 40), Hardware(4, 64, 60), Hardware(8, 64, 80)), swing=0.97, base_cpu=0.02, utilisation=0.17,
    system_share=0.5, pool_utilisation=0.26, lanes=1, requests=1300, service_ms=0.4, errors=2e-5, pooled=60, backlog=1,
    received=2.2e6, transmitted=5.2e6, read=2.5e3, written=5e4, disk_share=0.0,
    memory_base=0.20, memory_work=0.04, memory_fill=0.50, memory_saw=0.0, collect_hours=1.0,
    disk_base=0.12, disk_growth=0.05, rotation_days=14,
)  # fmt: skip
QUEUE: Final = Role(
    "queue", _SMALL, swing=0.9, base_cpu=0.02, utilisation=0.20, system_share=0.4,
    pool_utilisation=0.36, lanes=1, requests=175, service_ms=2.5, errors=3e-5, pooled=40, backlog=120,
    received=1e6, transmitted=1e6, read=2.5e5, written=1.5e6, disk_share=0.3,
    memory_base=0.34, memory_work=0.16, memory_fill=0.04, memory_saw=0.03, collect_hours=0.5,
    disk_base=0.28, disk_growth=0.16, rotation_days=3,
)  # fmt: skip
STORAGE: Final = Role(
    "storage", (Hardware(8, 32, 4000), Hardware(8, 64, 8000), Hardware(16, 64, 8000)), swing=0.45, base_cpu=0.03, utilisation=0.18,
    system_share=0.55, pool_utilisation=0.26, lanes=4, requests=15, service_ms=9.0, errors=5e-5, pooled=10, backlog=8,
    received=1.5e6, transmitted=2.2e6, read=3.7e6, written=2.7e6, disk_share=0.8,
    memory_base=0.40, memory_work=0.08, memory_fill=0.08, memory_saw=0.0, collect_hours=1.0,
    disk_base=0.54, disk_growth=0.24, rotation_days=21, jobs=(_CRON, _BACKUP),
)  # fmt: skip
BATCH: Final = Role(
    "batch", (Hardware(16, 32, 500), Hardware(16, 64, 1000), Hardware(32, 64, 1000)), swing=0.3, base_cpu=0.02, utilisation=0.06,
    system_share=0.2, pool_utilisation=0.1, lanes=4, requests=0, service_ms=0.0, errors=0.0, pooled=2, backlog=1,
    received=6e4, transmitted=4e4, read=1e5, written=8e4, disk_share=0.3,
    memory_base=0.24, memory_work=0.42, memory_fill=0.03, memory_saw=0.0, collect_hours=1.0,
    disk_base=0.38, disk_growth=0.22, rotation_days=7,
    jobs=(
        Job(300, 420, HOUR, 1800, cpu=0.12, read=4e5, written=3e5, sent=1e6),
        Job(1.0 * HOUR, 3.2 * HOUR, DAY, 0.7 * HOUR, cpu=0.52, read=2.2e6, written=1.5e6, sent=3e6),
        Job(12.5 * HOUR, 1.1 * HOUR, DAY, 1.0 * HOUR, cpu=0.35, read=1.2e6, written=8e5, sent=2e6),
    ),
)  # fmt: skip
MONITORING: Final = Role(
    "monitoring", _MEDIUM, swing=0.12, base_cpu=0.04, utilisation=0.20, system_share=0.25,
    pool_utilisation=0.2, lanes=4, requests=10, service_ms=15.0, errors=1e-4, pooled=12, backlog=20,
    received=7e5, transmitted=2e5, read=2.5e5, written=9e5, disk_share=0.25,
    memory_base=0.44, memory_work=0.10, memory_fill=0.08, memory_saw=0.05, collect_hours=2.0,
    disk_base=0.44, disk_growth=0.16, rotation_days=14,
)  # fmt: skip
K8S_NODE: Final = Role(
    "k8s_node", (Hardware(16, 64, 400), Hardware(32, 128, 400), Hardware(16, 128, 800)), swing=0.8, base_cpu=0.05, utilisation=0.29,
    system_share=0.35, pool_utilisation=0.3, lanes=4, requests=32, service_ms=18.0, errors=6e-4, pooled=45, backlog=1,
    received=7e5, transmitted=9e5, read=1e5, written=2.5e5, disk_share=0.06,
    memory_base=0.42, memory_work=0.16, memory_fill=0.08, memory_saw=0.04, collect_hours=1.2,
    disk_base=0.42, disk_growth=0.14, rotation_days=5,
)  # fmt: skip
GATEWAY: Final = Role(
    "gateway", _MEDIUM, swing=1.0, base_cpu=0.02, utilisation=0.22, system_share=0.5,
    pool_utilisation=0.26, lanes=4, requests=210, service_ms=3.0, errors=4e-4, pooled=90, backlog=1,
    received=2.4e6, transmitted=3e6, read=1e4, written=1.5e5, disk_share=0.01,
    memory_base=0.30, memory_work=0.14, memory_fill=0.05, memory_saw=0.02, collect_hours=0.8,
    disk_base=0.26, disk_growth=0.1, rotation_days=7,
)  # fmt: skip
AUTH: Final = Role(
    "auth", _SMALL, swing=1.0, base_cpu=0.02, utilisation=0.26, system_share=0.15,
    pool_utilisation=0.3, lanes=2, requests=60, service_ms=16.0, errors=2e-3, pooled=20, backlog=1,
    received=3e5, transmitted=4e5, read=1e4, written=8e4, disk_share=0.03,
    memory_base=0.36, memory_work=0.10, memory_fill=0.05, memory_saw=0.05, collect_hours=1.1,
    disk_base=0.24, disk_growth=0.08, rotation_days=7,
)  # fmt: skip
SEARCH: Final = Role(
    "search", _LARGE, swing=0.95, base_cpu=0.03, utilisation=0.30, system_share=0.2,
    pool_utilisation=0.33, lanes=3, requests=14, service_ms=42.0, errors=3e-4, pooled=8, backlog=1,
    received=2e5, transmitted=4e5, read=1.4e6, written=5e5, disk_share=0.35,
    memory_base=0.46, memory_work=0.06, memory_fill=0.12, memory_saw=0.10, collect_hours=0.8,
    disk_base=0.5, disk_growth=0.16, rotation_days=14,
)  # fmt: skip
MAIL: Final = Role(
    "mail", _MEDIUM, swing=0.9, base_cpu=0.02, utilisation=0.14, system_share=0.35,
    pool_utilisation=0.22, lanes=2, requests=6, service_ms=65.0, errors=3e-3, pooled=15, backlog=12,
    received=3e5, transmitted=3.5e5, read=2e5, written=3.5e5, disk_share=0.4,
    memory_base=0.34, memory_work=0.12, memory_fill=0.05, memory_saw=0.0, collect_hours=1.0,
    disk_base=0.52, disk_growth=0.16, rotation_days=28,
)  # fmt: skip
DNS: Final = Role(
    "dns", (Hardware(2, 4, 40), Hardware(4, 8, 40)), swing=0.8, base_cpu=0.02, utilisation=0.10, system_share=0.55,
    pool_utilisation=0.15, lanes=2, requests=900, service_ms=0.3, errors=1e-4, pooled=4, backlog=1,
    received=9e4, transmitted=1.6e5, read=2e3, written=3e4, disk_share=0.0,
    memory_base=0.32, memory_work=0.06, memory_fill=0.06, memory_saw=0.0, collect_hours=1.0,
    disk_base=0.3, disk_growth=0.08, rotation_days=14,
)  # fmt: skip
ROLES: Final = (
    LOAD_BALANCER, WEB, API, APP, DB_PRIMARY, DB_REPLICA, CACHE, QUEUE, STORAGE, BATCH, MONITORING,
    K8S_NODE, GATEWAY, AUTH, SEARCH, MAIL, DNS,
)  # fmt: skip
