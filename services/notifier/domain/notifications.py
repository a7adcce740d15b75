"""Notifications: what goes to a channel, and how each try to deliver it went."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.notifier.domain.alerts import Alert
from services.notifier.domain.rules import Severity


class NotificationType(enum.StrEnum):
    """Why a notification is sent."""

    FIRING = "firing"
    RESOLVED = "resolved"
    TEST = "test"


class NotificationState(enum.StrEnum):
    """Where a notification is."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    DEAD = "dead"


class Outcome(enum.StrEnum):
    """How one try to deliver ended."""

    DELIVERED = "delivered"
    TIMEOUT = "timeout"  # no answer in time
    REFUSED = "refused"  # nobody listens there
    UNREACHABLE = "unreachable"  # no way to the receiver: name, network, TLS
    REJECTED = "rejected"  # the receiver answered, but did not take it
    BLOCKED = "blocked"  # the channel may not go to that address
    ERROR = "error"  # it failed on our side


@dataclass(frozen=True)
class DeliveryResult:
    """What a channel says of one try. `retryable` is its judgement; when and how often to retry is the outbox's."""

    outcome: Outcome
    retryable: bool = False
    detail: str = ""
    http_status: int | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True)
class DeliveryAttempt:
    """One try to deliver, at Unix time `at`."""

    at: float
    outcome: Outcome
    detail: str = ""
    http_status: int | None = None
    elapsed_seconds: float = 0.0


@dataclass(frozen=True)
class Notification:
    """One message to one channel. Times are Unix seconds.

    `alerts` are the alerts as they were when it was made, so every attempt sends the same body under the same `idempotency_key`;
    `truncated_alerts` more were left out to keep it small.
    `confidence` is 1 when a measured value proves the alert and less when it stands on missing data.
    """

    id: str
    type: NotificationType
    channel: str
    severity: Severity
    title: str
    message: str
    timestamp: float
    idempotency_key: str
    rule: str = ""
    server: str = ""
    recommendations: tuple[str, ...] = ()
    confidence: float = 1.0
    group_key: str = ""
    group_labels: Mapping[str, str] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    truncated_alerts: int = 0
    state: NotificationState = NotificationState.QUEUED
    next_attempt_at: float | None = None
    attempts: Sequence[DeliveryAttempt] = ()
