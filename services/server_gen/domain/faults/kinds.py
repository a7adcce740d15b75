"""The kinds of faults: what each is, and which levers it pulls where."""

from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from services.server_gen.domain.faults import shapes
from services.server_gen.domain.faults.reach import Whom
from services.server_gen.domain.faults.shapes import Shape


@dataclass(frozen=True)
class Pull:
    """One lever that a kind pulls.

    Attributes:
        lever: name of the field of `Levers`.
        amount: how far at severity 1 and weight 1: what is added to a share, a number of seconds, or how much a factor exceeds 1.
            The levers `down` and `silent` know only 0 and 1.
        shape: strength over time.
        whom: on which servers.
        from_severity: below this severity the lever stays at rest.
    """

    lever: str
    amount: float
    shape: Shape
    whom: Whom = Whom.ROOT
    from_severity: float = 0.0


class Restarts(Enum):
    """When a kind starts the service of its server anew."""

    NEVER = auto()
    DEPLOYED = auto()
    """After the outage at the beginning."""
    DEPLOYED_AND_ROLLED_BACK = auto()
    """After the outage at the beginning, and after the one at the end."""
    AT_THE_END = auto()
    """After the outage at the end."""
    EVERY_CYCLE = auto()
    """After the outage at the beginning of each cycle."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        name: as in `Fault.kind`.
        description: what happens, for a person.
        cause: the root cause; `{server}` stands for the host name.
        roles: those that it fits best; any server can have it.
        pulls: what it does.
        ramp_seconds: from its beginning to full strength; None where that takes its whole length.
        recovery_seconds: from its end until nothing is left.
        harmless: whether it only looks like a fault.
        restarts: when the service is started anew.
        outage_seconds: how long a restart keeps the service away.
        cycle_seconds: of what comes and goes, at severity 0 and at severity 1.
        duty: share of a cycle that is bad, at severity 0 and from severity 0.7 on.
    """

    name: str
    description: str
    cause: str
    roles: tuple[str, ...]
    pulls: tuple[Pull, ...]
    ramp_seconds: float | None = 60.0
    recovery_seconds: float = 60.0
    harmless: bool = False
    restarts: Restarts = Restarts.NEVER
    outage_seconds: float = 20.0
    cycle_seconds: tuple[float, float] = (300.0, 300.0)
    duty: tuple[float, float] = (0.5, 0.5)


_FRONT: Final = ("load_balancer", "web")
_SERVICES: Final = ("app", "api", "web")

_ALL: Final = (
    Kind(
        "memory_leak",
        "The service keeps memory that it no longer needs, until the machine swaps and the service has to be restarted.",
        "The service on {server} leaks memory.",
        _SERVICES,
        (
            Pull("memory", 0.65, shapes.growing),
            Pull("service", 2.0, shapes.late),
            Pull("disk_busy", 0.35, shapes.late),
            Pull("service", 1.0, shapes.late, Whom.CALLERS),
            Pull("down", 1.0, shapes.afterwards),
        ),
        ramp_seconds=None,
        recovery_seconds=20.0,
        restarts=Restarts.AT_THE_END,
    ),
    Kind(
        "cpu_runaway",
        "A process spins and keeps the processors busy without doing work.",
        "A process on {server} runs away and takes the processors from the service.",
        ("batch", "app", "api"),
        (Pull("cpu", 0.7, shapes.held), Pull("service", 0.5, shapes.held, Whom.CALLERS)),
    ),
    Kind(
        "disk_fill",
        "Something writes without end until the file system is full.",
        "Files that nobody removes fill the disk of {server}.",
        ("storage", "database", "queue", "monitoring"),
        (
            Pull("disk", 0.75, shapes.growing),
            Pull("disk_written", 4.0, shapes.held),
            Pull("errors", 0.2, shapes.late),
            Pull("errors", 0.05, shapes.late, Whom.CALLERS),
        ),
        ramp_seconds=None,
        recovery_seconds=120.0,
    ),
    Kind(
        "disk_slow",
        "The disk answers slowly, so that whatever reads or writes has to wait.",
        "The disk of {server} is worn out and answers slowly.",
        ("database", "storage", "queue"),
        (
            Pull("disk_busy", 0.8, shapes.held),
            Pull("service", 1.0, shapes.held),
            Pull("service", 0.7, shapes.held, Whom.CALLERS),
        ),
        ramp_seconds=90.0,
    ),
    Kind(
        "network_loss",
        "Packets to and from the server get lost and have to be sent again.",
        "The network of {server} loses packets.",
        ("api", "web", "cache", "database"),
        (
            Pull("loss", 0.15, shapes.held),
            Pull("service", 0.6, shapes.held),
            Pull("errors", 0.06, shapes.held),
            Pull("loss", 0.03, shapes.held, Whom.CALLERS),
            Pull("service", 0.4, shapes.held, Whom.CALLERS),
        ),
        ramp_seconds=30.0,
        recovery_seconds=30.0,
    ),
    Kind(
        "noisy_neighbour",
        "Another machine on the same host takes processor time away from all that share the host.",
        "A foreign machine on the host of {server} takes its processor time.",
        ("web", "api", "app"),
        (Pull("steal", 0.45, shapes.waving), Pull("steal", 0.45, shapes.waving, Whom.HOST)),
        cycle_seconds=(120.0, 120.0),
    ),
    Kind(
        "slow_query",
        "A query without an index reads whole tables; everything that asks the database waits.",
        "A query on {server} reads whole tables.",
        ("database",),
        (
            Pull("service", 1.2, shapes.held),
            Pull("cpu", 0.25, shapes.held),
            Pull("disk_read", 6.0, shapes.held),
            Pull("disk_busy", 0.35, shapes.held),
            Pull("service", 1.4, shapes.held, Whom.CALLERS),
            Pull("errors", 0.04, shapes.held, Whom.CALLERS),
        ),
        ramp_seconds=120.0,
        recovery_seconds=90.0,
    ),
    Kind(
        "cache_stampede",
        "Entries that many ask for expire at once; the requests that the cache cannot answer fall upon the database.",
        "The busiest entries of {server} expired at the same moment.",
        ("cache",),
        (
            Pull("service", 1.0, shapes.spiking),
            Pull("traffic", 0.8, shapes.spiking),
            Pull("service", 1.2, shapes.spiking, Whom.CALLERS),
            Pull("traffic", 1.2, shapes.spiking, Whom.BACKENDS),
            Pull("disk_read", 4.0, shapes.spiking, Whom.BACKENDS),
            Pull("service", 0.3, shapes.spiking, Whom.BACKENDS),
        ),
        ramp_seconds=20.0,
    ),
    Kind(
        "dependency_outage",
        "A service that others need stops answering; they run into time limits, retry, and pass the errors on.",
        "The service on {server} does not answer.",
        ("database", "cache", "queue"),
        (
            Pull("down", 1.0, shapes.lasting, from_severity=0.7),
            Pull("errors", 0.9, shapes.held),
            Pull("service", 2.0, shapes.held),
            Pull("errors", 0.5, shapes.held, Whom.CALLERS),
            Pull("service", 1.2, shapes.held, Whom.CALLERS),
        ),
        ramp_seconds=15.0,
        recovery_seconds=90.0,
    ),
    Kind(
        "deploy_regression",
        "A new version is slower and makes errors until it is rolled back.",
        "The version that was deployed on {server} is slower and fails more often.",
        _SERVICES,
        (
            Pull("traffic", -0.85, shapes.drained),
            Pull("service", 1.1, shapes.deployed),
            Pull("cpu", 0.2, shapes.deployed),
            Pull("errors", 0.12, shapes.deployed),
            Pull("service", 0.6, shapes.deployed, Whom.CALLERS),
            Pull("errors", 0.05, shapes.deployed, Whom.CALLERS),
            Pull("down", 1.0, shapes.afterwards),
        ),
        ramp_seconds=45.0,
        restarts=Restarts.DEPLOYED_AND_ROLLED_BACK,
    ),
    Kind(
        "restart_loop",
        "The service dies shortly after each start and is started again.",
        "The service on {server} dies again and again.",
        _SERVICES,
        (
            Pull("down", 1.0, shapes.restarting),
            Pull("service", 0.6, shapes.warming),
            Pull("cpu", 0.2, shapes.warming),
            Pull("errors", 0.35, shapes.restarting, Whom.CALLERS),
        ),
        ramp_seconds=1.0,
        recovery_seconds=20.0,
        restarts=Restarts.EVERY_CYCLE,
        cycle_seconds=(480.0, 150.0),
    ),
    Kind(
        "clock_skew",
        "The clock is no longer kept and runs away.",
        "The clock of {server} is no longer synchronised.",
        ("database", "app", "api"),
        (Pull("clock", 10.0, shapes.growing),),
        ramp_seconds=None,
    ),
    Kind(
        "agent_gap",
        "The agent that measures the machine sends nothing; the machine itself is well.",
        "The agent on {server} does not send.",
        ("web", "api", "batch"),
        (Pull("silent", 1.0, shapes.alternating),),
        ramp_seconds=1.0,
        recovery_seconds=1.0,
        cycle_seconds=(900.0, 900.0),
        duty=(0.2, 1.0),
    ),
    Kind(
        "flapping",
        "The service goes from good to bad and back every few minutes; the load balancer takes it out and puts it back.",
        "The health of the service on {server} changes every few minutes.",
        ("web", "api", "app"),
        (
            Pull("service", 1.5, shapes.alternating),
            Pull("errors", 0.3, shapes.alternating),
            Pull("traffic", -0.5, shapes.alternating),
            Pull("errors", 0.05, shapes.alternating, Whom.CALLERS),
        ),
        ramp_seconds=1.0,
        recovery_seconds=1.0,
        cycle_seconds=(480.0, 240.0),
    ),
    Kind(
        "traffic_flood",
        "Many times the usual requests arrive, more than the servers can answer.",
        "A flood of requests comes in through {server}.",
        _FRONT,
        (Pull("traffic", 5.0, shapes.held), Pull("loss", 0.01, shapes.held), Pull("traffic", 5.0, shapes.held, Whom.CALLEES)),
        recovery_seconds=120.0,
    ),
    Kind(
        "gradual_degradation",
        "The service gets a little slower all the time.",
        "The service on {server} has been getting slower since it last ran well.",
        ("app", "api", "database"),
        (
            Pull("service", 1.1, shapes.growing),
            Pull("cpu", 0.1, shapes.growing),
            Pull("service", 0.5, shapes.growing, Whom.CALLERS),
        ),
        ramp_seconds=None,
        recovery_seconds=300.0,
    ),
    Kind(
        "backup_window",
        "A backup reads the disk and sends what it read elsewhere; nothing is wrong.",
        "A backup of {server} runs as planned.",
        ("database", "storage"),
        (
            Pull("disk_read", 2.0, shapes.held),
            Pull("disk_written", 0.3, shapes.held),
            Pull("disk_busy", 0.08, shapes.held),
            Pull("cpu", 0.04, shapes.held),
        ),
        ramp_seconds=120.0,
        recovery_seconds=120.0,
        harmless=True,
    ),
    Kind(
        "holiday_peak",
        "More people than usual use the site all day, which its servers carry; nothing is wrong.",
        "More people than usual use the site of {server}.",
        _FRONT,
        (Pull("traffic", 0.2, shapes.swelling, Whom.SITE),),
        ramp_seconds=None,
        harmless=True,
    ),
    Kind(
        "deploy_ok",
        "A new version is put in place and takes a few minutes to fill its caches; nothing is wrong.",
        "A new version was deployed on {server} as planned.",
        _SERVICES,
        (Pull("traffic", -0.85, shapes.drained), Pull("service", 0.15, shapes.cold), Pull("cpu", 0.04, shapes.cold)),
        ramp_seconds=20.0,
        recovery_seconds=180.0,
        harmless=True,
        restarts=Restarts.DEPLOYED,
    ),
)

KINDS: Final = MappingProxyType({kind.name: kind for kind in _ALL})
"""Every kind by its name: faults first, then the harmless ones."""
