"""Between the notifier's messages and its domain values; decides nothing."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import orjson
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from openmanager.common.v1 import label_pb2
from openmanager.notifier.v1 import notifier_pb2 as pb
from services.common.errors import FieldError, InvalidArgumentError
from services.notifier.domain.alerts import Alert, AlertState
from services.notifier.domain.book import Entry
from services.notifier.domain.channels import Channel
from services.notifier.domain.feed import AlertChange
from services.notifier.domain.notifications import DeliveryAttempt, Notification, NotificationState, Outcome
from services.notifier.domain.rules import NoDataPolicy, Rule, Severity

V = TypeVar("V")

_SEVERITIES: Final = {
    Severity.INFO: pb.SEVERITY_INFO,
    Severity.WARNING: pb.SEVERITY_WARNING,
    Severity.CRITICAL: pb.SEVERITY_CRITICAL,
}
_POLICIES: Final = {
    NoDataPolicy.KEEP: pb.NO_DATA_POLICY_KEEP,
    NoDataPolicy.ALERT: pb.NO_DATA_POLICY_ALERT,
    NoDataPolicy.OK: pb.NO_DATA_POLICY_OK,
}
_ALERT_STATES: Final = {
    AlertState.PENDING: pb.ALERT_STATE_PENDING,
    AlertState.FIRING: pb.ALERT_STATE_FIRING,
    AlertState.RESOLVED: pb.ALERT_STATE_RESOLVED,
    AlertState.UNKNOWN: pb.ALERT_STATE_UNKNOWN,
}
_NOTIFICATION_STATES: Final = {
    NotificationState.QUEUED: pb.NOTIFICATION_STATE_QUEUED,
    NotificationState.DELIVERED: pb.NOTIFICATION_STATE_DELIVERED,
    NotificationState.DEAD: pb.NOTIFICATION_STATE_DEAD,
}


def rule_from_message(message: pb.Rule) -> Rule:
    """The rule that a request asks for; its times are not read.

    Raises:
        InvalidArgumentError: with the field, when an enum has a number without a name.
    """
    severities = {number: severity for severity, number in _SEVERITIES.items()} | {pb.SEVERITY_UNSPECIFIED: Severity.WARNING}
    policies = {number: policy for policy, number in _POLICIES.items()} | {pb.NO_DATA_POLICY_UNSPECIFIED: NoDataPolicy.KEEP}
    return Rule(
        id=message.id,
        name=message.name,
        expr=message.expr,
        for_seconds=_seconds(getattr(message, "for")),
        keep_firing_for_seconds=_seconds(message.keep_firing_for),
        recovery_expr=message.recovery_expr,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
        no_data=_named(policies, message.no_data, "no_data"),
        severity=_named(severities, message.severity, "severity"),
        channels=tuple(message.channels),
        enabled=message.enabled if message.HasField("enabled") else True,
        group_by=tuple(message.group_by),
        group_wait_seconds=_seconds(message.group_wait),
        group_interval_seconds=_seconds(message.group_interval),
        repeat_interval_seconds=_seconds(message.repeat_interval),
    )


def rule_message(entry: Entry) -> pb.Rule:
    """The rule and how its evaluation goes."""
    rule = entry.rule
    message = pb.Rule(
        id=rule.id,
        name=rule.name,
        expr=rule.expr,
        keep_firing_for=_duration(rule.keep_firing_for_seconds),
        recovery_expr=rule.recovery_expr,
        labels=rule.labels,
        annotations=rule.annotations,
        no_data=_POLICIES[rule.no_data],
        severity=_SEVERITIES[rule.severity],
        channels=rule.channels,
        enabled=rule.enabled,
        created_at=_timestamp(rule.created_at),
        updated_at=_timestamp(rule.updated_at),
        last_error=entry.health.last_error,
        last_evaluated_at=_timestamp(entry.health.last_evaluated_at),
        group_by=rule.group_by,
        group_wait=_duration(rule.group_wait_seconds),
        group_interval=_duration(rule.group_interval_seconds),
        repeat_interval=_duration(rule.repeat_interval_seconds),
    )
    getattr(message, "for").CopyFrom(_duration(rule.for_seconds))
    return message


def alert_message(alert: Alert) -> pb.Alert:
    """The alert; its value is NaN when it exists because data is missing."""
    return pb.Alert(
        id=alert.id,
        rule_id=alert.rule_id,
        rule=alert.rule,
        state=_ALERT_STATES[alert.state],
        severity=_SEVERITIES[alert.severity],
        labels=[label_pb2.Label(name=name, value=value) for name, value in sorted(alert.labels.items())],
        annotations=alert.annotations,
        value=alert.value,
        started_at=_timestamp(alert.started_at),
        fired_at=_timestamp(alert.fired_at),
        ends_at=_timestamp(alert.ends_at),
        evidence_expr=alert.evidence.expr,
        evidence_time=_timestamp(alert.evidence.time),
        fingerprint=alert.fingerprint,
    )


def alert_states(numbers: Iterable[int]) -> list[AlertState]:
    """The states asked for. Flapping is never reached here, so asking for it alone finds nothing.

    Raises:
        InvalidArgumentError: a number has no name.
    """
    states = {number: state for state, number in _ALERT_STATES.items()}
    return [_named(states, number, "states") for number in numbers if number != pb.ALERT_STATE_FLAPPING]


def watch_message(change: AlertChange) -> pb.WatchAlertsResponse:
    """One message to a watcher."""
    alerts = [alert_message(alert) for alert in change.alerts]
    return pb.WatchAlertsResponse(cursor=change.cursor, snapshot=change.snapshot, alerts=alerts, dropped=change.dropped)


def config_from_json(text: str) -> dict[str, Any]:
    """A channel's configuration.

    Raises:
        InvalidArgumentError: it is no JSON object.
    """
    try:
        config = orjson.loads(text or "{}")
    except ValueError as error:
        raise _wrong("config_json", f"is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise _wrong("config_json", "must be a JSON object")
    return config


def channel_message(masked: Channel) -> pb.Channel:
    """A channel whose secrets are masked already."""
    config_json = json.dumps(masked.config, ensure_ascii=False)
    return pb.Channel(name=masked.name, kind=masked.kind, config_json=config_json, created_at=_timestamp(masked.created_at))


def notification_states(numbers: Iterable[int]) -> list[NotificationState]:
    """The states asked for; raises InvalidArgumentError when a number has no name."""
    states = {number: state for state, number in _NOTIFICATION_STATES.items()}
    return [_named(states, number, "states") for number in numbers]


def notification_message(notification: Notification) -> pb.Notification:
    """The notification with its attempts."""
    return pb.Notification(
        id=notification.id,
        type=notification.type.value,
        severity=_SEVERITIES[notification.severity],
        title=notification.title,
        message=notification.message,
        recommendations=notification.recommendations,
        timestamp=_timestamp(notification.timestamp),
        channel=notification.channel,
        rule=notification.rule,
        server=notification.server,
        state=_NOTIFICATION_STATES[notification.state],
        attempts=[attempt_message(attempt) for attempt in notification.attempts],
        next_attempt_at=_timestamp(notification.next_attempt_at),
        idempotency_key=notification.idempotency_key,
        confidence=notification.confidence,
        alert_ids=[alert.id for alert in notification.alerts],
    )


def attempt_message(attempt: DeliveryAttempt) -> pb.DeliveryAttempt:
    """One try to deliver."""
    return pb.DeliveryAttempt(
        at=_timestamp(attempt.at),
        delivered=attempt.outcome is Outcome.DELIVERED,
        outcome=attempt.outcome.value,
        detail=attempt.detail,
        http_status=attempt.http_status,
        elapsed=_duration(attempt.elapsed_seconds),
    )


def _named(names: Mapping[Any, V], number: int, field: str) -> V:
    if number not in names:
        raise _wrong(field, f"{number} is no value of it")
    return names[number]


def _wrong(field: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{field}: {message}", fields=[FieldError(field, message)])


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def _timestamp(seconds: float | None) -> Timestamp | None:
    if seconds is None:
        return None
    timestamp = Timestamp()
    timestamp.FromMilliseconds(round(seconds * 1000))
    return timestamp
