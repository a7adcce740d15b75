"""What kinds of servers there are, and where they stand."""

from dataclasses import dataclass
from typing import Final

from services.server_gen.domain.load import NIGHT, OFFICE, STEADY, Profile


@dataclass(frozen=True)
class Site:
    """A place with servers; both countries keep the same time all year, so an offset is enough."""

    name: str
    utc_offset_seconds: float


@dataclass(frozen=True)
class Role:
    """The hardware and habits of one kind of server.

    Attributes:
        name: value of the label `role`.
        profile: shape of its work over day and week.
        cores: processors.
        utilisation: busy share of the processors at the average level of work, 0..1.
        idle_cpu_percent: what the operating system needs by itself.
        memory_percent: memory in use without work.
        memory_work_percent: what memory in use gains at full utilisation.
        disk_percent: file system in use right after old files were removed.
        disk_growth_percent: what it gains until they are removed again.
        disk_rotation_days: how often old files are removed.
        requests_per_second: requests served at the average level; 0 for a role that serves none.
        service_ms: time one request takes on an idle server.
        receive_bytes, transmit_bytes, read_bytes, written_bytes: bytes per second at the average level.
    """

    name: str
    profile: Profile
    cores: int
    utilisation: float
    idle_cpu_percent: float
    memory_percent: float
    memory_work_percent: float
    disk_percent: float
    disk_growth_percent: float
    disk_rotation_days: float
    requests_per_second: float
    service_ms: float
    receive_bytes: float
    transmit_bytes: float
    read_bytes: float
    written_bytes: float


SEOUL: Final = Site("seoul-1", 9 * 3600.0)
BUSAN: Final = Site("busan-1", 9 * 3600.0)
TOKYO: Final = Site("tokyo-1", 9 * 3600.0)

# Average utilisation stays below 0.45: the busiest hour has about 1.6 times the average, and queues grow fast from 0.8 on.
LOAD_BALANCER: Final = Role("load_balancer", OFFICE, 4, 0.18, 2.0, 28, 14, 22, 6, 7, 1800, 0.8, 24e6, 26e6, 4e4, 6e5)
WEB: Final = Role("web", OFFICE, 4, 0.36, 2.0, 38, 24, 34, 9, 7, 600, 12.0, 6e6, 14e6, 2e5, 9e5)
API: Final = Role("api", OFFICE, 8, 0.40, 2.0, 42, 26, 30, 10, 7, 450, 24.0, 5e6, 8e6, 1e5, 8e5)
APP: Final = Role("app", OFFICE, 8, 0.42, 2.5, 48, 24, 36, 8, 7, 300, 38.0, 4e6, 5e6, 3e5, 1.2e6)
DB_PRIMARY: Final = Role("database", OFFICE, 16, 0.43, 3.0, 62, 12, 52, 14, 28, 1400, 4.5, 8e6, 12e6, 1.8e7, 1.4e7)
DB_REPLICA: Final = Role("database", OFFICE, 16, 0.30, 3.0, 58, 12, 50, 14, 28, 900, 4.0, 6e6, 9e6, 1.2e7, 9e6)
CACHE: Final = Role("cache", OFFICE, 4, 0.20, 2.0, 66, 6, 12, 3, 14, 5200, 0.4, 9e6, 2.1e7, 1e4, 2e5)
QUEUE: Final = Role("queue", OFFICE, 4, 0.22, 2.0, 36, 20, 28, 12, 3, 700, 2.5, 4e6, 4e6, 1e6, 6e6)
STORAGE: Final = Role("storage", STEADY, 8, 0.20, 3.0, 44, 10, 62, 24, 21, 120, 9.0, 1.2e7, 1.8e7, 3e7, 2.2e7)
BATCH: Final = Role("batch", NIGHT, 16, 0.42, 2.0, 34, 38, 40, 16, 7, 0, 0.0, 3e6, 2e6, 1.5e7, 1.1e7)
MONITORING: Final = Role("monitoring", STEADY, 4, 0.24, 2.0, 52, 12, 46, 12, 14, 40, 15.0, 3e6, 8e5, 1e6, 4e6)
