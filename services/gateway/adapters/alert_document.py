"""Alerts, channels and notifications as the HTTP contract has them."""

from typing import Any

import orjson

from openmanager.notifier.v1 import notifier_pb2
from services.gateway.adapters.calls import labels_dict, seconds, timestamp_text
from services.gateway.adapters.rule_document import severity_name
from services.gateway.domain.ports import Document


def alert_document(alert: notifier_pb2.Alert) -> Document:
    """One alert, with the expression that gives its value again."""
    return {
        "id": alert.id,
        "rule": alert.rule,
        "rule_id": alert.rule_id,
        "state": notifier_pb2.AlertState.Name(alert.state).removeprefix("ALERT_STATE_").lower(),
        "severity": severity_name(alert.severity),
        "labels": labels_dict(alert.labels),
        "annotations": dict(alert.annotations),
        "value": alert.value,
        "started_at": _time(alert, "started_at"),
        "fired_at": _time(alert, "fired_at"),
        "ends_at": _time(alert, "ends_at"),
        "evidence": {"expr": alert.evidence_expr, "time": _time(alert, "evidence_time"), "value": alert.value},
        "fingerprint": alert.fingerprint,
    }


def channel_document(channel: notifier_pb2.Channel) -> Document:
    """One channel; the notifier has masked its secrets."""
    return {
        "name": channel.name,
        "kind": channel.kind,
        "config": orjson.loads(channel.config_json) if channel.config_json else {},
        "created_at": _time(channel, "created_at"),
    }


def channel_message(channel: Document) -> notifier_pb2.Channel:
    """The channel of a request."""
    config = orjson.dumps(channel.get("config") or {}).decode()
    return notifier_pb2.Channel(name=channel["name"], kind=channel["kind"], config_json=config)


def delivery_document(attempt: notifier_pb2.DeliveryAttempt) -> Document:
    """One try to deliver."""
    return {
        "at": _time(attempt, "at"),
        "delivered": attempt.delivered,
        "outcome": attempt.outcome,
        "detail": attempt.detail,
        "http_status": attempt.http_status if attempt.HasField("http_status") else None,
        "elapsed_seconds": seconds(attempt.elapsed),
    }


def notification_document(notification: notifier_pb2.Notification) -> Document:
    """One message to one channel, with every attempt."""
    return {
        "id": notification.id,
        "type": notification.type,
        "severity": severity_name(notification.severity),
        "title": notification.title,
        "message": notification.message,
        "recommendations": list(notification.recommendations),
        "timestamp": _time(notification, "timestamp"),
        "channel": notification.channel,
        "rule": notification.rule or None,
        "server": notification.server or None,
        "state": notifier_pb2.NotificationState.Name(notification.state).removeprefix("NOTIFICATION_STATE_").lower(),
        "attempts": [delivery_document(attempt) for attempt in notification.attempts],
        "next_attempt_at": _time(notification, "next_attempt_at"),
        "idempotency_key": notification.idempotency_key,
        "confidence": notification.confidence,
        "alert_ids": list(notification.alert_ids),
    }


def _time(message: Any, field: str) -> str | None:
    return timestamp_text(getattr(message, field)) if message.HasField(field) else None
