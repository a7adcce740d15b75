"""Alerts: one for each series for which a rule holds."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.notifier.domain.rules import Severity


class AlertState(enum.StrEnum):
    """Where an alert is. An alert that was pending and never fired leaves no trace."""

    PENDING = "pending"
    FIRING = "firing"
    UNKNOWN = "unknown"
    RESOLVED = "resolved"


class Status(enum.StrEnum):
    """What receivers are told of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Evidence:
    """Where a value comes from: evaluating `expr` at `time` (Unix seconds) gives it again."""

    expr: str
    time: float


@dataclass(frozen=True)
class Alert:
    """One alert. Times are Unix seconds.

    `value` is NaN when the alert exists because data is missing. `cleared_at` is when a firing alert's condition ended while
    `keep_firing_for` holds it. `told` is what its receivers were last told; None when nothing.
    """

    id: str
    rule_id: str
    rule: str
    state: AlertState
    severity: Severity
    labels: Mapping[str, str]
    fingerprint: str
    group_key: str
    value: float
    evidence: Evidence
    started_at: float
    annotations: Mapping[str, str] = field(default_factory=dict)
    fired_at: float | None = None
    ends_at: float | None = None
    cleared_at: float | None = None
    told: Status | None = None

    @property
    def is_open(self) -> bool:
        """Whether the alert is not over."""
        return self.state is not AlertState.RESOLVED

    @property
    def status(self) -> Status | None:
        """What receivers should know now; None while pending. Unknown is told as firing: it is not resolved."""
        if self.state is AlertState.PENDING:
            return None
        return Status.RESOLVED if self.state is AlertState.RESOLVED else Status.FIRING

    @property
    def is_untold(self) -> bool:
        """Whether receivers know less than they should; the end of what they never heard of is not news."""
        if self.status is Status.RESOLVED:
            return self.told is Status.FIRING
        return self.status is not None and self.told is not self.status
