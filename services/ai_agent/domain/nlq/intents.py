"""Which intent the evidence of a question speaks for: a table of weighted grounds, added up and explained.

The weights were set by hand on questions in both languages (tests/unit/ai_agent) so that each kind of evidence outvotes the
weaker ones beside it: a threshold makes a filter whatever else is said, a name without a metric asks for a server's status.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.ai_agent.domain.interpretation import ANSWERED, Intent

IN_SCOPE = 0.8
"""Least balance of monitoring words over foreign ones for a question to be ours."""
_UNKNOWN_COST, _FOREIGN_COST, _TEMPERATURE = 0.9, 3.0, 0.7


@dataclass(frozen=True)
class Grounds:
    """What a question holds, as counts and yes or no."""

    names: int = 0
    unknown_names: int = 0
    servers: int = 0
    plural: bool = False
    fleet: int = 0
    groups: int = 0
    roles: int = 0
    metrics: int = 0
    weak_metrics: int = 0
    thresholds: int = 0
    order: bool = False
    adjective_order: bool = False
    ranked_apart: bool = False
    limit: bool = False
    extreme: bool = False
    aggregation: bool = False
    state: int = 0
    ask: int = 0
    good: int = 0
    bad: int = 0
    listing: int = 0
    role_words: int = 0
    count: int = 0
    which: int = 0
    amount: int = 0
    help: int = 0
    action: int = 0
    foreign: int = 0
    unknown: float = 0.0
    timed: bool = False
    ranged: bool = False
    later: Mapping[str, int] = field(default_factory=dict)

    @property
    def named(self) -> int:
        """Names, whether a server has them or not."""
        return self.names + self.unknown_names

    @property
    def status(self) -> int:
        """Words that ask how something is."""
        return self.state + self.ask + self.good + self.bad

    @property
    def domain(self) -> float:
        """How much the question speaks of monitoring."""
        return (
            3.0 * self.names
            + 2.2 * self.unknown_names
            + 2.0 * min(self.servers, 2)
            + 2.2 * (self.metrics - self.weak_metrics)
            + 1.3 * self.weak_metrics
            + 0.9 * self.roles
            + 0.5 * self.thresholds
            + 1.2 * self.state
            + 0.4 * self.ask
            + 0.6 * self.good
            + 0.9 * self.bad
            + 0.3 * self.fleet
            + 1.0 * self.groups
            + 0.4 * self.count
            + 0.3 * self.listing
            + 0.9 * self.role_words
            + 0.5 * self.order
            + 0.2 * self.adjective_order
            + 0.4 * (self.order and (self.limit or self.which > 0))
            + sum(_LATER_DOMAIN.get(name, 0.2) * number for name, number in self.later.items())
        )


_LATER_DOMAIN = {
    "alerts": 2.0,
    "create_alert": 1.0,
    "silence": 0.6,
    "anomalies": 1.0,
    "report": 1.0,
    "capacity": 0.6,
    "forecast": 0.2,
    "recommend": 0.3,
}


@dataclass(frozen=True)
class _Rule:
    intent: Intent
    weight: float
    ground: str
    holds: Callable[[Grounds], bool]


def _said(intent: Intent) -> Callable[[Grounds], bool]:
    return lambda grounds: grounds.later.get(intent.value, 0) > 0


_RULES: tuple[_Rule, ...] = (
    _Rule(Intent.FILTER_SERVERS, 4.5, "a threshold", lambda g: g.thresholds > 0),
    _Rule(
        Intent.FILTER_SERVERS,
        0.6,
        "asks which servers",
        lambda g: g.thresholds > 0 and (g.servers > 0 or g.which > 0 or g.roles > 0),
    ),
    _Rule(Intent.FILTER_SERVERS, -4.0, "the threshold is asked of named servers", lambda g: g.thresholds > 0 and g.named > 0),
    _Rule(Intent.METRIC_VALUE, 2.0, "a metric", lambda g: g.metrics > 0),
    _Rule(Intent.METRIC_VALUE, 0.8, "a server by name", lambda g: g.named > 0 and g.metrics > 0),
    _Rule(Intent.METRIC_VALUE, 0.8, "asks how much", lambda g: g.amount > 0 and g.metrics > 0),
    _Rule(Intent.METRIC_VALUE, 1.0, "asks for a figure of many", lambda g: g.aggregation and g.metrics > 0),
    _Rule(Intent.METRIC_VALUE, 0.5, "names a time", lambda g: g.ranged and g.metrics > 0),
    _Rule(Intent.METRIC_VALUE, 0.1, "ranks", lambda g: g.order and g.metrics > 0 and g.named > 0),
    _Rule(Intent.METRIC_VALUE, 0.6, "asks for the status of a metric", lambda g: g.metrics > 0 and g.status > 0),
    _Rule(Intent.TOP_SERVERS, 2.8, "ranks", lambda g: g.order),
    _Rule(
        Intent.TOP_SERVERS,
        1.7,
        "asks for servers that are high or low",
        lambda g: g.adjective_order and (g.servers > 0 or g.which > 0) and not g.order,
    ),
    _Rule(
        Intent.TOP_SERVERS,
        0.4,
        "says high or low",
        lambda g: g.adjective_order and not (g.servers > 0 or g.which > 0) and not g.order,
    ),
    _Rule(Intent.TOP_SERVERS, 1.6, "says how many", lambda g: g.limit),
    _Rule(Intent.TOP_SERVERS, 0.8, "a metric to rank by", lambda g: g.metrics > 0 and (g.order or g.adjective_order or g.limit)),
    _Rule(Intent.TOP_SERVERS, 0.5, "ranks servers", lambda g: g.servers > 0 and (g.order or g.limit)),
    _Rule(Intent.TOP_SERVERS, 3.6, "asks which server is at the extreme", lambda g: g.extreme and not g.order and g.named == 0),
    _Rule(Intent.TOP_SERVERS, 2.0, "ranks by another metric than it compares", lambda g: g.ranked_apart and g.named == 0),
    _Rule(Intent.TOP_SERVERS, -2.5, "a server by name", lambda g: g.named > 0 and not (g.order and g.named > 1)),
    _Rule(Intent.SERVER_STATUS, 2.4, "a server by name", lambda g: g.named > 0),
    _Rule(Intent.SERVER_STATUS, 0.8, "asks how it is", lambda g: g.named > 0 and g.status > 0),
    _Rule(Intent.SERVER_STATUS, -1.8, "a metric", lambda g: g.metrics > 0),
    _Rule(Intent.SERVER_STATUS, -1.0, "a threshold", lambda g: g.thresholds > 0),
    _Rule(Intent.FLEET_STATUS, 1.6, "asks for the state", lambda g: g.state > 0),
    _Rule(Intent.FLEET_STATUS, 0.9, "asks how", lambda g: g.ask > 0),
    _Rule(Intent.FLEET_STATUS, 1.5, "asks for trouble or its absence", lambda g: g.good + g.bad > 0),
    _Rule(Intent.FLEET_STATUS, 0.8, "servers", lambda g: g.servers > 0),
    _Rule(Intent.FLEET_STATUS, 0.6, "all of them", lambda g: g.fleet + g.groups > 0),
    _Rule(Intent.FLEET_STATUS, 0.3, "a role", lambda g: g.roles > 0),
    _Rule(Intent.FLEET_STATUS, -3.0, "a server by name", lambda g: g.named > 0),
    _Rule(Intent.FLEET_STATUS, -1.8, "a metric", lambda g: g.metrics > 0),
    _Rule(Intent.FLEET_STATUS, -1.2, "ranks", lambda g: g.order),
    _Rule(Intent.INVENTORY, 1.7, "asks for a list", lambda g: g.listing + g.role_words > 0),
    _Rule(Intent.INVENTORY, 1.9, "asks how many", lambda g: g.count > 0),
    _Rule(Intent.INVENTORY, 1.0, "servers", lambda g: g.servers > 0 or g.roles > 0),
    _Rule(Intent.INVENTORY, 0.6, "nothing is asked of them", lambda g: g.servers > 0 and g.status == 0),
    _Rule(Intent.INVENTORY, 0.4, "servers of a role", lambda g: g.servers > 0 and g.roles > 0),
    _Rule(Intent.INVENTORY, 0.4, "asks which", lambda g: g.which > 0 and g.servers > 0),
    _Rule(Intent.INVENTORY, 0.2, "all of them", lambda g: g.fleet > 0 and g.servers > 0),
    _Rule(Intent.INVENTORY, -2.2, "a metric", lambda g: g.metrics > 0),
    _Rule(Intent.INVENTORY, -1.6, "asks how they are", lambda g: g.good + g.bad + g.state > 0),
    _Rule(Intent.INVENTORY, -0.5, "asks how", lambda g: g.ask > 0),
    _Rule(Intent.INVENTORY, -2.0, "a server by name", lambda g: g.named > 0),
    _Rule(Intent.INVENTORY, -2.0, "ranks or compares", lambda g: g.order or g.thresholds > 0),
    _Rule(Intent.HELP, 4.2, "asks what can be asked", lambda g: g.help > 0),
    _Rule(Intent.HELP, -2.4, "asks for something else besides", lambda g: g.metrics + g.named + g.thresholds > 0),
    *(_Rule(intent, 4.0, "its own words", _said(intent)) for intent in Intent if intent not in ANSWERED),
    _Rule(
        Intent.CREATE_ALERT,
        1.5,
        "a condition to watch for",
        lambda g: g.later.get("create_alert", 0) > 0 and (g.thresholds > 0 or g.later.get("alerts", 0) > 0),
    ),
    _Rule(Intent.CREATE_ALERT, 1.0, "asks to be told", lambda g: g.later.get("create_alert", 0) > 0),
    _Rule(
        Intent.SILENCE,
        1.2,
        "alerts to be quiet",
        lambda g: g.later.get("silence", 0) > 0 and (g.later.get("alerts", 0) > 0 or g.named > 0),
    ),
    _Rule(Intent.SILENCE, 1.0, "asks for quiet", lambda g: g.later.get("silence", 0) > 0 and g.later.get("alerts", 0) > 0),
    _Rule(
        Intent.SILENCE,
        -3.0,
        "nothing to silence",
        lambda g: g.later.get("silence", 0) > 0 and g.later.get("alerts", 0) == 0 and g.named == 0,
    ),
    _Rule(Intent.CAPACITY, 0.8, "asks when it is used up", lambda g: g.later.get("capacity", 0) > 0),
    _Rule(Intent.ROOT_CAUSE, 0.9, "asks why", lambda g: g.later.get("root_cause", 0) > 0),
    _Rule(Intent.FORECAST, 0.3, "speaks of the future", lambda g: g.later.get("forecast", 0) > 0),
    _Rule(Intent.RECOMMEND, 0.6, "asks what to do", lambda g: g.later.get("recommend", 0) > 0),
    _Rule(Intent.REPORT, 0.2, "asks for a report", lambda g: g.later.get("report", 0) > 0),
    _Rule(Intent.COMPARE, 0.8, "two things side by side", lambda g: g.later.get("compare", 0) > 0 and g.named > 1),
    _Rule(
        Intent.COMPARE,
        -1.2,
        "nothing to set side by side",
        lambda g: g.later.get("compare", 0) > 0 and g.named < 2 and not g.ranged,
    ),
    _Rule(Intent.TREND, -1.2, "ranks or compares", lambda g: g.later.get("trend", 0) > 0 and (g.order or g.thresholds > 0)),
)


@dataclass(frozen=True)
class Verdict:
    """The intent, 0 to 1 how sure, and why."""

    intent: Intent
    confidence: float
    grounds: tuple[str, ...]


def judge(grounds: Grounds) -> Verdict:
    """The intent with the most weight; out of scope when nothing speaks of monitoring, or too much of something else."""
    balance = grounds.domain - _UNKNOWN_COST * grounds.unknown - _FOREIGN_COST * grounds.foreign
    helps = grounds.help > 0 and grounds.foreign == 0 and grounds.unknown <= 1
    if balance < IN_SCOPE and not helps:
        return Verdict(Intent.OUT_OF_SCOPE, _sure(IN_SCOPE - balance), ("too little in it speaks of servers and their figures",))
    if (
        grounds.action > 0
        and grounds.metrics == 0
        and grounds.status == 0
        and not grounds.later
        and not helps
        and not grounds.thresholds
    ):
        return Verdict(Intent.OUT_OF_SCOPE, 0.8, ("asks to change something",))
    scores = dict.fromkeys(Intent, 0.0)
    reasons: dict[Intent, list[str]] = {intent: [] for intent in Intent}
    for rule in _RULES:
        if rule.holds(grounds):
            scores[rule.intent] += rule.weight
            if rule.weight > 0:
                reasons[rule.intent].append(rule.ground)
    best = max(scores, key=lambda intent: scores[intent])  # ties: the order of the enum
    if scores[best] <= 0:
        return Verdict(Intent.OUT_OF_SCOPE, 0.5, ("no intent fits",))
    top = scores[best]
    mass = sum(math.exp((score - top) / _TEMPERATURE) for score in scores.values() if score > 0)
    confidence = (1.0 / mass) * 0.92**grounds.unknown * (0.75 + 0.25 * _sure(balance - IN_SCOPE))
    return Verdict(best, round(min(0.99, max(0.05, confidence)), 3), tuple(reasons[best]))


def _sure(margin: float) -> float:
    """A margin in weight as a probability (logistic)."""
    return round(1.0 / (1.0 + math.exp(-1.6 * margin - 0.6)), 3)
