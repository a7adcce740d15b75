"""Labels of alerts, and the fingerprint that names an alert by them."""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

Labels = Mapping[str, str]

METRIC_NAME: Final = "__name__"
ALERT_NAME: Final = "alertname"
LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def alert_labels(series: Labels, rule_name: str, rule_labels: Labels) -> dict[str, str]:
    """Labels of the alert of one series: the series' own without its name, the rule's over them, and `alertname`."""
    own = {name: value for name, value in series.items() if name != METRIC_NAME}
    merged = own | dict(rule_labels) | {ALERT_NAME: rule_name}
    return {name: value for name, value in sorted(merged.items()) if value}


def fingerprint(labels: Labels) -> str:
    """16 hexadecimal digits that are the same for the same labels, in every process and release."""
    digest = hashlib.sha256()
    for name, value in sorted(labels.items()):
        digest.update(name.encode() + b"\xff" + value.encode() + b"\xff")  # 0xff is no byte of UTF-8, so it separates safely
    return digest.hexdigest()[:16]
