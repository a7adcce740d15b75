"""Rules and alerts in the shapes of the Prometheus HTTP API."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import numpy as np

from services.gateway.domain.ports import Document

GROUP: Final = "openmanager"
"""Name of the only group, and of its file: our rules are kept one by one and evaluated each in its own time."""

NEVER: Final = "0001-01-01T00:00:00Z"
"""How Prometheus writes that something has not happened yet."""


def rule_groups(rules: Iterable[Document], active: Iterable[Document]) -> list[Document]:
    """The rules that are evaluated, each with its alerts.

    Args:
        rules: as `/api/v1/rules` of the suite has them.
        active: alerts that are not resolved, as `/api/v1/alerts` of the suite has them.
    """
    by_rule: dict[str, list[Document]] = defaultdict(list)
    for alert in active:
        by_rule[alert["rule_id"]].append(alerts_document(alert))
    shown = [_rule(rule, by_rule[rule["id"]]) for rule in rules if rule["enabled"]]
    if not shown:
        return []
    latest = max(rule["lastEvaluation"] for rule in shown)
    group = {"name": GROUP, "file": GROUP, "rules": shown, "interval": 0, "limit": 0, "evaluationTime": 0, "lastEvaluation": latest}
    return [group]


def alerts_document(alert: Document) -> Document:
    """An alert; one that fired is firing until it is resolved, whether its data is missing now or it flaps."""
    return {
        "labels": alert["labels"],
        "annotations": alert["annotations"],
        "state": "pending" if alert["state"] == "pending" else "firing",
        "activeAt": alert["started_at"],
        "value": _exponent(alert["value"]),
    }


def _rule(rule: Document, alerts: list[Document]) -> Document:
    states = {alert["state"] for alert in alerts}
    failed = {"lastError": rule["last_error"]} if rule["last_error"] else {}
    is_evaluated = rule["last_evaluated_at"] is not None
    return {
        "state": "firing" if "firing" in states else "pending" if states else "inactive",
        "name": rule["name"],
        "query": rule["expr"],
        "duration": rule["for_seconds"],
        "keepFiringFor": rule["keep_firing_for_seconds"],
        "labels": {"severity": rule["severity"], **rule["labels"]},
        "annotations": rule["annotations"],
        "alerts": alerts,
        "health": "err" if failed else "ok" if is_evaluated else "unknown",
        **failed,
        "evaluationTime": 0,
        "lastEvaluation": rule["last_evaluated_at"] if is_evaluated else NEVER,
        "type": "alerting",
    }


def _exponent(value: float) -> str:
    """A number as Prometheus writes the value of an alert: the shortest digits, always with an exponent, `9.12e+01`."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_scientific(value, trim="-", exp_digits=2)
