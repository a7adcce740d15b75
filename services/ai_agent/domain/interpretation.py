"""What a question was understood to ask: the values that understanding hands to the engines."""

import enum
from dataclasses import dataclass, field
from typing import Literal

Language = Literal["ko", "en"]


class Intent(enum.StrEnum):
    """What a question wants."""

    FLEET_STATUS = "fleet_status"
    SERVER_STATUS = "server_status"
    METRIC_VALUE = "metric_value"
    TOP_SERVERS = "top_servers"
    FILTER_SERVERS = "filter_servers"
    INVENTORY = "inventory"
    HELP = "help"
    OUT_OF_SCOPE = "out_of_scope"
    TREND = "trend"
    ANOMALIES = "anomalies"
    ROOT_CAUSE = "root_cause"
    FORECAST = "forecast"
    CAPACITY = "capacity"
    COMPARE = "compare"
    ALERTS = "alerts"
    RECOMMEND = "recommend"
    REPORT = "report"
    CREATE_ALERT = "create_alert"
    SILENCE = "silence"


ANSWERED = frozenset(
    {
        Intent.FLEET_STATUS,
        Intent.SERVER_STATUS,
        Intent.METRIC_VALUE,
        Intent.TOP_SERVERS,
        Intent.FILTER_SERVERS,
        Intent.INVENTORY,
        Intent.HELP,
        Intent.OUT_OF_SCOPE,
    }
)
"""Intents that the built-in engines answer; the others are recognised and refused with what can be asked instead."""

Operator = Literal[">", ">=", "<", "<=", "=="]
Order = Literal["asc", "desc"]
Aggregation = Literal["avg", "max", "min", "sum", "p95", "last"]
Direction = Literal["in", "out"]

NEGATED: dict[Operator, Operator] = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
MIRRORED: dict[Operator, Operator] = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "=="}


@dataclass(frozen=True)
class Condition:
    """A threshold: `metric op value`, the value in the unit of the metric."""

    metric: str | None
    op: Operator
    value: float


@dataclass(frozen=True)
class TimeRange:
    """The time that a question is about, absolute.

    `kind` says what the words meant: `now`, a `point` in the past (start equals end) or a `range`. `assumed` is true when the
    question named no time at all; otherwise `words` are its words.
    """

    start_ms: int
    end_ms: int
    kind: Literal["now", "point", "range"] = "now"
    assumed: bool = True
    words: str = ""


@dataclass(frozen=True)
class UnknownServer:
    """A name in the question that no server has, with the closest names there are."""

    name: str
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interpretation:
    """How a question was understood.

    `more_metrics` are the metrics named beside the first, `unread_times` words for
    times that cannot be, `excluded` servers that are to be left out; of several conditions one
    suffices when `either`, else all must hold; `by_role` asks for a figure of each role. `understood` and `not_understood` are pieces of the question; `confidence` is 0 to 1; `grounds` explain the intent.
    """

    intent: Intent
    time: TimeRange
    unread_times: tuple[str, ...] = ()
    metric: str | None = None
    more_metrics: tuple[str, ...] = ()
    direction: Direction | None = None
    servers: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    unknown_servers: tuple[UnknownServer, ...] = ()
    roles: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    either: bool = False
    limit: int | None = None
    order: Order | None = None
    aggregation: Aggregation | None = None
    horizon_seconds: float | None = None
    duration_seconds: float | None = None
    severity: str | None = None
    by_role: bool = False
    understood: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()
    confidence: float = 0.0
    grounds: tuple[str, ...] = field(default=())

    @property
    def op(self) -> Operator | None:
        """Comparison of the first threshold."""
        return self.conditions[0].op if self.conditions else None

    @property
    def value(self) -> float | None:
        """Value of the first threshold."""
        return self.conditions[0].value if self.conditions else None
