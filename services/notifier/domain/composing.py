"""Writes the notifications of a group of alerts, one for each channel of the rule."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.common.ids import IdSource
from services.notifier.domain.advice import recommendations
from services.notifier.domain.alerts import Alert, Status
from services.notifier.domain.expressions import Expression
from services.notifier.domain.notifications import Notification, NotificationType
from services.notifier.domain.pipeline import News
from services.notifier.domain.rules import Severity
from services.notifier.domain.wording import Wording

MAX_ALERTS: Final = 500
"""A notification of one group holds at most this many alerts; a receiver that takes no more than 1 MB takes these."""

MEASURED_CONFIDENCE: Final = 1.0
MISSING_CONFIDENCE: Final = 0.5
"""Missing data may be a dead server as well as a dead agent, so an alert that stands on it is half sure."""


@dataclass(frozen=True)
class Composer:
    """Turns news into notifications."""

    wording: Wording
    new_id: IdSource

    def compose(self, news: News, expression: Expression) -> Iterator[Notification]:
        """One notification for each channel of the rule."""
        rule, now = news.rule, news.now
        alerts = sorted((a for a in news.alerts if a.status is Status.FIRING or a.is_untold), key=_order)
        status = Status.FIRING if any(alert.status is Status.FIRING for alert in alerts) else Status.RESOLVED
        for channel in rule.channels:
            yield Notification(
                id=self.new_id(),
                type=NotificationType(status.value),
                channel=channel,
                severity=rule.severity,
                title=self.wording.title(rule, status, alerts),
                message=self.wording.message(rule, expression, alerts),
                recommendations=recommendations(expression.metrics or (), self.wording.lang) if status is Status.FIRING else (),
                timestamp=now,
                idempotency_key=idempotency_key(channel, news, alerts),
                rule=rule.name,
                server=_common_server(alerts),
                confidence=min(MISSING_CONFIDENCE if math.isnan(a.value) else MEASURED_CONFIDENCE for a in alerts),
                group_key=news.group.key,
                group_labels=news.group.labels,
                alerts=tuple(alerts[:MAX_ALERTS]),
                truncated_alerts=max(0, len(alerts) - MAX_ALERTS),
                next_attempt_at=now,
            )

    def compose_test(self, channel: str, now: float) -> Notification:
        """A notification that only tries the channel."""
        title, message = self.wording.test(channel)
        notification_id = self.new_id()
        return Notification(
            id=notification_id,
            type=NotificationType.TEST,
            channel=channel,
            severity=Severity.INFO,
            title=title,
            message=message,
            timestamp=now,
            idempotency_key=f"test-{notification_id}",
            group_key=f"test:{notification_id}",
        )


def idempotency_key(channel: str, news: News, alerts: Iterable[Alert]) -> str:
    """The same for the same news to the same channel: what is told, and what had been told before."""
    told = ",".join(f"{alert.id}={alert.status}" for alert in alerts)
    text = "\n".join((channel, news.group.key, repr(news.group.told_at), told))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _order(alert: Alert) -> tuple[float, str]:
    return (alert.started_at, alert.fingerprint)


def _common_server(alerts: Sequence[Alert]) -> str:
    servers = {alert.labels.get("server", "") for alert in alerts}
    return servers.pop() if len(servers) == 1 else ""
