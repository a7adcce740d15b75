"""Between domain values and rows of the database."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from services.notifier.domain.alerts import Alert, AlertState, Evidence, Status
from services.notifier.domain.channels import Channel
from services.notifier.domain.notifications import (
    DeliveryAttempt,
    Notification,
    NotificationState,
    NotificationType,
    Outcome,
)
from services.notifier.domain.pipeline import Group
from services.notifier.domain.rules import NoDataPolicy, Rule, RuleHealth, Severity

Row = Mapping[Any, Any]


def rule_to_row(rule: Rule) -> dict[str, Any]:
    """Columns of table `rules`, but for the rule's health."""
    return {
        **asdict(rule),
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
        "no_data": rule.no_data.value,
        "severity": rule.severity.value,
        "channels": list(rule.channels),
        "group_by": list(rule.group_by),
    }


def rule_from_row(row: Row) -> tuple[Rule, RuleHealth]:
    """The rule and its health."""
    values = dict(row)
    health = RuleHealth(values.pop("last_error"), values.pop("last_evaluated_at"))
    values["no_data"] = NoDataPolicy(values["no_data"])
    values["severity"] = Severity(values["severity"])
    values["channels"] = tuple(values["channels"])
    values["group_by"] = tuple(values["group_by"])
    return Rule(**values), health


def alert_to_row(alert: Alert) -> dict[str, Any]:
    """Columns of table `alerts`; also how a notification keeps its alerts."""
    return {
        "id": alert.id,
        "rule_id": alert.rule_id,
        "rule": alert.rule,
        "state": alert.state.value,
        "severity": alert.severity.value,
        "labels": dict(alert.labels),
        "fingerprint": alert.fingerprint,
        "group_key": alert.group_key,
        "value": None if math.isnan(alert.value) else alert.value,
        "evidence_expr": alert.evidence.expr,
        "evidence_time": alert.evidence.time,
        "started_at": alert.started_at,
        "annotations": dict(alert.annotations),
        "fired_at": alert.fired_at,
        "ends_at": alert.ends_at,
        "cleared_at": alert.cleared_at,
        "told": alert.told.value if alert.told else None,
    }


def alert_from_row(row: Row) -> Alert:
    """The alert."""
    values = dict(row)
    values["evidence"] = Evidence(values.pop("evidence_expr"), values.pop("evidence_time"))
    values["value"] = math.nan if values["value"] is None else values["value"]
    values["state"] = AlertState(values["state"])
    values["severity"] = Severity(values["severity"])
    values["told"] = Status(values["told"]) if values["told"] else None
    return Alert(**values)


def group_to_row(group: Group) -> dict[str, Any]:
    """Columns of table `alert_groups`."""
    return {**asdict(group), "labels": dict(group.labels)}


def channel_to_row(channel: Channel) -> dict[str, Any]:
    """Columns of table `channels`."""
    return {**asdict(channel), "config": dict(channel.config)}


def notification_to_row(notification: Notification) -> dict[str, Any]:
    """Columns of table `notifications`, but for the position, which the database gives."""
    values = {name: value for name, value in vars(notification).items() if name != "attempts"}
    return {
        **values,
        "type": notification.type.value,
        "severity": notification.severity.value,
        "state": notification.state.value,
        "recommendations": list(notification.recommendations),
        "group_labels": dict(notification.group_labels),
        "alerts": [_json_alert(alert) for alert in notification.alerts],
    }


def notification_from_row(row: Row, attempts: Iterable[Row]) -> Notification:
    """The notification with its attempts."""
    values: dict[str, Any] = {name: value for name, value in row.items() if name != "position"}
    values["type"] = NotificationType(values["type"])
    values["severity"] = Severity(values["severity"])
    values["state"] = NotificationState(values["state"])
    values["recommendations"] = tuple(values["recommendations"])
    values["alerts"] = tuple(alert_from_row({**alert, "value": _from_json_number(alert["value"])}) for alert in values["alerts"])
    return Notification(**values, attempts=tuple(_attempt_from_row(attempt) for attempt in attempts))


def attempt_to_row(notification_id: str, attempt: DeliveryAttempt) -> dict[str, Any]:
    """Columns of table `delivery_attempts`."""
    return {**asdict(attempt), "notification_id": notification_id, "outcome": attempt.outcome.value}


def _attempt_from_row(row: Row) -> DeliveryAttempt:
    return DeliveryAttempt(row["at"], Outcome(row["outcome"]), row["detail"], row["http_status"], row["elapsed_seconds"])


def _json_alert(alert: Alert) -> dict[str, Any]:
    row = alert_to_row(alert)
    if isinstance(row["value"], float) and math.isinf(row["value"]):
        row["value"] = repr(row["value"])  # JSON has no infinity
    return row


def _from_json_number(value: float | str | None) -> float | None:
    return None if value is None else float(value)
