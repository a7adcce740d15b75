"""The body of a webhook: Alertmanager's JSON, version "4", with our own fields beside it.

Source: prometheus.io/docs/alerting/latest/configuration, `webhook_config`. The same notification always gives the same bytes.
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from services.notifier.domain.alerts import Alert, Status
from services.notifier.domain.notifications import Notification

NO_END: Final = "0001-01-01T00:00:00Z"
"""What Alertmanager sends as the end of an alert that is not over: Go's zero time."""


def webhook_body(notification: Notification, external_url: str) -> bytes:
    """UTF-8 JSON."""
    alerts = [_alert(alert, external_url) for alert in notification.alerts]
    body = {
        "version": "4",
        "receiver": notification.channel,
        "status": _status(notification),
        "groupKey": notification.group_key,
        "groupLabels": dict(notification.group_labels),
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": external_url,
        "truncatedAlerts": notification.truncated_alerts,
        "alerts": alerts,
        "id": notification.id,
        "type": notification.type.value,
        "severity": notification.severity.value,
        "title": notification.title,
        "message": notification.message,
        "recommendations": list(notification.recommendations),
        "timestamp": _time(notification.timestamp),
        "metadata": {"server": notification.server, "rule": notification.rule, "confidence": notification.confidence},
        "evidence": alerts[0]["evidence"] if alerts else None,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _status(notification: Notification) -> str:
    firing = any(alert.status is Status.FIRING for alert in notification.alerts) or not notification.alerts
    return (Status.FIRING if firing else Status.RESOLVED).value


def _alert(alert: Alert, external_url: str) -> dict[str, Any]:
    evidence = {"expr": alert.evidence.expr, "time": _time(alert.evidence.time), "value": _number(alert.value)}
    query = urlencode({"query": alert.evidence.expr, "time": f"{alert.evidence.time:.3f}"})
    return {
        "status": alert.status.value if alert.status else "",
        "labels": {"severity": alert.severity.value, **alert.labels},
        "annotations": dict(alert.annotations),
        "startsAt": _time(alert.started_at if alert.fired_at is None else alert.fired_at),
        "endsAt": NO_END if alert.ends_at is None else _time(alert.ends_at),
        "generatorURL": f"{external_url}/prometheus/api/v1/query?{query}" if external_url else "",
        "fingerprint": alert.fingerprint,
        "evidence": evidence,
    }


def _common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if not maps:
        return {}
    return {name: value for name, value in maps[0].items() if all(other.get(name) == value for other in maps[1:])}


def _number(value: float) -> float | str | None:
    """JSON has neither NaN nor infinity: null where there is no value, Prometheus' words for the infinities."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("+Inf" if value > 0 else "-Inf")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
