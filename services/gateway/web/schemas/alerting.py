"""Rules, alerts, channels and notifications."""

from typing import Any, Literal

from pydantic import Field

from services.gateway.web.schemas.base import Answer, Document, Listing, PageQuery, Seconds, Strict, Time

Severity = Literal["info", "warning", "critical"]
NoData = Literal["keep", "alert", "ok"]


class RuleBody(Strict):
    """A condition to watch and whom to tell."""

    name: str = Field(min_length=1, max_length=200)
    expr: str = Field(min_length=1, max_length=10_000, description="PromQL; each series of its value is an alert.")
    for_seconds: Seconds = 0.0
    keep_firing_for_seconds: Seconds | None = None
    recovery_expr: str | None = Field(None, max_length=10_000)
    labels: dict[str, str] = Field(default_factory=dict, max_length=64)
    annotations: dict[str, str] = Field(default_factory=dict, max_length=64, description="Templates over labels, value, evidence.")
    no_data: NoData = "keep"
    severity: Severity = "warning"
    channels: list[str] = Field(default_factory=list, max_length=64)
    group_by: list[str] | None = Field(None, max_length=64)
    group_wait_seconds: Seconds | None = None
    group_interval_seconds: Seconds | None = None
    repeat_interval_seconds: Seconds | None = None
    enabled: bool = True


class Rule(Answer):
    """A rule as it is kept."""

    id: str
    name: str
    expr: str
    for_seconds: float
    keep_firing_for_seconds: float
    recovery_expr: str | None
    labels: dict[str, str]
    annotations: dict[str, str]
    no_data: NoData
    severity: Severity
    channels: list[str]
    group_by: list[str]
    group_wait_seconds: float | None
    group_interval_seconds: float | None
    repeat_interval_seconds: float | None
    enabled: bool
    created_at: Time | None
    updated_at: Time | None
    last_error: str | None = Field(description="Why the last evaluation failed.")
    last_evaluated_at: Time | None


class RuleList(Listing):
    """Rules in order of name."""

    items: list[Rule]


class AlertsQuery(PageQuery):
    """Which alerts."""

    state: list[Literal["pending", "firing", "resolved", "unknown", "flapping"]] = Field(
        default_factory=list, description="Only in these states."
    )


class AlertEvidence(Answer):
    """The query that gives the value again."""

    expr: str
    time: Time | None
    value: float | None


class Alert(Answer):
    """One series for which a rule holds."""

    id: str
    rule: str
    rule_id: str
    state: str
    severity: Severity
    labels: dict[str, str]
    annotations: dict[str, str]
    value: float | None
    started_at: Time | None
    fired_at: Time | None
    ends_at: Time | None
    evidence: AlertEvidence
    fingerprint: str


class AlertList(Listing):
    """Alerts, the newest first."""

    items: list[Alert]


class ChannelBody(Strict):
    """A place that notifications go to."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    kind: str = Field(min_length=1, max_length=50, description="Such as webhook.")
    config: Document = Field(default_factory=dict, description="Settings of the kind; secrets are never returned.")


class ChannelUpdateBody(Strict):
    """What a channel shall be; a masked secret stays as it was."""

    name: str | None = Field(None, description="Must be that of the URL, when given.")
    kind: str = Field(min_length=1, max_length=50)
    config: Document = Field(default_factory=dict)


class Channel(Answer):
    """A channel, its secrets masked."""

    name: str
    kind: str
    config: dict[str, Any]
    created_at: Time | None


class ChannelList(Listing):
    """Channels in order of name."""

    items: list[Channel]


class Delivery(Answer):
    """One try to deliver."""

    at: Time | None
    delivered: bool
    outcome: str
    detail: str
    http_status: int | None
    elapsed_seconds: float


class NotificationsQuery(PageQuery):
    """Which notifications."""

    state: list[Literal["queued", "delivered", "dead"]] = Field(default_factory=list, description="Only in these states.")


class Notification(Answer):
    """One message to one channel, with every attempt to deliver it."""

    id: str
    type: str
    severity: Severity
    title: str
    message: str
    recommendations: list[str]
    timestamp: Time | None
    channel: str
    rule: str | None
    server: str | None
    state: str
    attempts: list[Delivery]
    next_attempt_at: Time | None
    idempotency_key: str
    confidence: float
    alert_ids: list[str]


class NotificationList(Listing):
    """Notifications, the newest first."""

    items: list[Notification]
