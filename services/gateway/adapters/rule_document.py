"""Rules as the HTTP contract has them, both ways."""

from typing import Final

from google.protobuf.duration_pb2 import Duration

from openmanager.notifier.v1 import notifier_pb2
from services.gateway.adapters.calls import duration, seconds, timestamp_text
from services.gateway.domain.ports import Document

SEVERITIES: Final = {
    "info": notifier_pb2.SEVERITY_INFO,
    "warning": notifier_pb2.SEVERITY_WARNING,
    "critical": notifier_pb2.SEVERITY_CRITICAL,
}
_NO_DATA: Final = {
    "keep": notifier_pb2.NO_DATA_POLICY_KEEP,
    "alert": notifier_pb2.NO_DATA_POLICY_ALERT,
    "ok": notifier_pb2.NO_DATA_POLICY_OK,
}


def rule_message(rule: Document, rule_id: str = "") -> notifier_pb2.Rule:
    """The rule of a request."""
    message = notifier_pb2.Rule(
        id=rule_id,
        name=rule["name"],
        expr=rule["expr"],
        keep_firing_for=_optional(rule.get("keep_firing_for_seconds")),
        recovery_expr=rule.get("recovery_expr") or "",
        labels=rule.get("labels") or {},
        annotations=rule.get("annotations") or {},
        no_data=_NO_DATA[rule.get("no_data") or "keep"],
        severity=SEVERITIES[rule["severity"]],
        channels=rule.get("channels") or [],
        enabled=rule.get("enabled", True),
        group_by=rule.get("group_by") or [],
        group_wait=_optional(rule.get("group_wait_seconds")),
        group_interval=_optional(rule.get("group_interval_seconds")),
        repeat_interval=_optional(rule.get("repeat_interval_seconds")),
    )
    getattr(message, "for").CopyFrom(duration(rule.get("for_seconds") or 0.0))
    return message


def rule_document(rule: notifier_pb2.Rule) -> Document:
    """The rule of an answer."""
    return {
        "id": rule.id,
        "name": rule.name,
        "expr": rule.expr,
        "for_seconds": seconds(getattr(rule, "for")),
        "keep_firing_for_seconds": seconds(rule.keep_firing_for),
        "recovery_expr": rule.recovery_expr or None,
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
        "no_data": _name(notifier_pb2.NoDataPolicy.Name(rule.no_data), "NO_DATA_POLICY_", "keep"),
        "severity": severity_name(rule.severity),
        "channels": list(rule.channels),
        "group_by": list(rule.group_by),
        "group_wait_seconds": seconds(rule.group_wait) if rule.HasField("group_wait") else None,
        "group_interval_seconds": seconds(rule.group_interval) if rule.HasField("group_interval") else None,
        "repeat_interval_seconds": seconds(rule.repeat_interval) if rule.HasField("repeat_interval") else None,
        "enabled": rule.enabled if rule.HasField("enabled") else True,
        "created_at": timestamp_text(rule.created_at) if rule.HasField("created_at") else None,
        "updated_at": timestamp_text(rule.updated_at) if rule.HasField("updated_at") else None,
        "last_error": rule.last_error or None,
        "last_evaluated_at": timestamp_text(rule.last_evaluated_at) if rule.HasField("last_evaluated_at") else None,
    }


def severity_name(severity: notifier_pb2.Severity.ValueType) -> str:
    """info, warning or critical."""
    return _name(notifier_pb2.Severity.Name(severity), "SEVERITY_", "info")


def _name(enum_name: str, prefix: str, unspecified: str) -> str:
    name = enum_name.removeprefix(prefix).lower()
    return unspecified if name == "unspecified" else name


def _optional(value: float | None) -> Duration | None:
    return None if value is None else duration(value)
