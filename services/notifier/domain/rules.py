"""Rules: the condition to watch, how long it must hold, and whom to tell."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Severity(enum.StrEnum):
    """How grave an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class NoDataPolicy(enum.StrEnum):
    """What a rule does when it has no data for a series that had some."""

    KEEP = "keep"
    ALERT = "alert"
    OK = "ok"


@dataclass(frozen=True)
class Rule:
    """One rule. Times are Unix seconds, durations seconds; an empty `recovery_expr` means that the end of `expr` is recovery."""

    id: str
    name: str
    expr: str
    for_seconds: float = 0.0
    keep_firing_for_seconds: float = 0.0
    recovery_expr: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    no_data: NoDataPolicy = NoDataPolicy.KEEP
    severity: Severity = Severity.WARNING
    channels: tuple[str, ...] = ()
    enabled: bool = True
    group_by: tuple[str, ...] = ()
    group_wait_seconds: float = 0.0
    group_interval_seconds: float = 0.0
    repeat_interval_seconds: float = 0.0
    created_at: float = 0.0
    updated_at: float = 0.0

    def same_alerts(self, other: "Rule") -> bool:
        """Whether alerts of `other` are alerts of this rule too: they mean the same condition and have the same labels."""
        return (
            self.enabled == other.enabled
            and (self.name, self.expr, self.recovery_expr) == (other.name, other.expr, other.recovery_expr)
            and dict(self.labels) == dict(other.labels)
            and self.group_by == other.group_by
        )


@dataclass(frozen=True)
class RuleHealth:
    """How the evaluation of a rule goes. `last_error` is empty when the last one succeeded."""

    last_error: str = ""
    last_evaluated_at: float | None = None
