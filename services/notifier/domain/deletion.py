"""Which series without data were deleted, and which merely fell silent.

A series that fell silent is still stored until its samples are too old to keep, and one that was deleted is not. What a rule finds
is seldom a stored series itself, but its labels are those of series that the rule reads. So as long as one of these is stored that
bears the same labels, nothing is known to be deleted.
"""

from collections.abc import Mapping
from typing import Final

from services.notifier.domain.expressions import Expression
from services.notifier.domain.labels import ALERT_NAME, Labels
from services.notifier.domain.ports import Metrics
from services.notifier.domain.rules import Rule

SERVER: Final = "server"


async def deleted(rule: Rule, expression: Expression, missing: Mapping[str, Labels], metrics: Metrics) -> frozenset[str]:
    """Those of the alerts without data whose series were deleted.

    Args:
        rule: the rule.
        expression: its expression, parsed.
        missing: labels of the alerts, by fingerprint.
        metrics: is asked once, and only if there is something to ask.

    Raises:
        UnavailableError: the metrics service cannot tell now.
    """
    stored = {key: own for key, labels in missing.items() if SERVER in (own := _series_labels(rule, expression, labels))}
    if not stored:
        return frozenset()
    held = await metrics.held(expression.metrics, list(stored.values()))
    return frozenset(key for key, is_held in zip(stored, held, strict=True) if not is_held)


def _series_labels(rule: Rule, expression: Expression, labels: Labels) -> dict[str, str]:
    """The labels of an alert that a stored series bears: not those that the rule or its expression put on it."""
    made = {ALERT_NAME} | rule.labels.keys() | expression.made_labels
    return {name: value for name, value in labels.items() if name not in made}
