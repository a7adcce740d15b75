"""What the AI agent needs from the outside, in its own words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.ai_agent.domain.concepts import Concepts


class MetricsUnavailableError(Exception):
    """The store of samples cannot be asked now; the same call may succeed later."""


class QueryRejectedError(Exception):
    """The store refuses the expression; the same call will never succeed."""


@dataclass(frozen=True)
class Sample:
    """The value of one series at the time of an evaluation."""

    labels: Mapping[str, str]
    value: float

    @property
    def server(self) -> str:
        """The server it belongs to; empty when the series has none."""
        return self.labels.get("server", "")


@dataclass(frozen=True)
class QueryResult:
    """What an expression gave."""

    samples: tuple[Sample, ...]
    samples_read: int = 0


@dataclass(frozen=True)
class ServerInfo:
    """A server that samples were received from.

    `figures` are the newest values by concept and `expressions` the PromQL behind each; both leave out what is stale.
    """

    name: str
    role: str = ""
    health: str = "unknown"
    last_seen_ms: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    expressions: Mapping[str, str] = field(default_factory=dict)
    site: str = ""


@dataclass(frozen=True)
class Inventory:
    """The servers known to the store, in order of name, at one time, and what can be asked of it."""

    servers: tuple[ServerInfo, ...] = ()
    time_ms: int = 0
    series_names: frozenset[str] = frozenset()
    concepts: Concepts = field(default_factory=Concepts)


class MetricsReader(Protocol):
    """Reads the stored samples."""

    async def query(self, expr: str, time_ms: int) -> QueryResult:
        """Evaluate a PromQL expression at one instant.

        Raises:
            MetricsUnavailableError: the store cannot be reached in time.
            QueryRejectedError: the store does not accept the expression.
        """
        ...

    async def inventory(self) -> Inventory:
        """The servers, the names of the series, and the concepts that they tell.

        Raises:
            MetricsUnavailableError: the store cannot be reached in time.
        """
        ...


def names_of(servers: Sequence[ServerInfo]) -> tuple[str, ...]:
    """The names of these servers."""
    return tuple(server.name for server in servers)
