"""Title and message of a notification, in the language and zone of the settings. Code writes them, from figures that can be re-run."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.notifier.domain.alerts import Alert, Status
from services.notifier.domain.expressions import Expression
from services.notifier.domain.labels import ALERT_NAME
from services.notifier.domain.rules import Rule

MAX_LINES: Final = 20

_TEXT: Final = {
    "en": {
        Status.FIRING: "Firing",
        Status.RESOLVED: "Resolved",
        "value": "value {value}",
        "limit": "value {value}, the rule fires at {op} {limit}",
        "missing": "no data",
        "since": "since {start}",
        "over": "from {start} to {end}",
        "evidence": "evidence: {expr} at {time}",
        "more": "and {count} more",
        "alerts": "{count} alerts",
        "test_title": "Test notification from OpenManager",
        "test": "This is a test of the channel {channel}. Nothing is wrong.",
    },
    "ko": {
        Status.FIRING: "발생",
        Status.RESOLVED: "해소",
        "value": "값 {value}",
        "limit": "값 {value}, 발생 조건 {op} {limit}",
        "missing": "데이터 없음",
        "since": "{start}부터",
        "over": "{start} ~ {end}",
        "evidence": "근거: {time}의 {expr}",
        "more": "외 {count}건",
        "alerts": "알림 {count}건",
        "test_title": "OpenManager 시험 알림",
        "test": "채널 {channel}의 시험 알림입니다. 이상이 없습니다.",
    },
}


class Wording:
    """Writes the texts of notifications in one language (`ko` or `en`) and one zone."""

    def __init__(self, lang: str, zone: str) -> None:
        self.lang = lang
        self._text = _TEXT[lang]
        self._zone = ZoneInfo(zone)

    def title(self, rule: Rule, status: Status, alerts: Sequence[Alert]) -> str:
        """One line: what happened, to which rule, where."""
        subject = _subject(alerts[0]) if len(alerts) == 1 else self._text["alerts"].format(count=len(alerts))
        return f"[{self._text[status]}] {rule.name}" + (f" · {subject}" if subject else "")

    def message(self, rule: Rule, expression: Expression, alerts: Sequence[Alert]) -> str:
        """One line an alert: value against threshold, since when, and the evidence that gives the value again."""
        lines = [self._line(rule, expression, alert) for alert in alerts[:MAX_LINES]]
        if len(alerts) > MAX_LINES:
            lines.append(self._text["more"].format(count=len(alerts) - MAX_LINES))
        return "\n".join(lines)

    def test(self, channel: str) -> tuple[str, str]:
        """Title and message of a test."""
        return self._text["test_title"], self._text["test"].format(channel=channel)

    def _line(self, rule: Rule, expression: Expression, alert: Alert) -> str:
        threshold = expression.threshold
        if math.isnan(alert.value):
            value = self._text["missing"]
        elif threshold is None:
            value = self._text["value"].format(value=_number(alert.value))
        else:
            value = self._text["limit"].format(value=_number(alert.value), op=threshold.op, limit=_number(threshold.limit))
        start = self._time(alert.started_at)
        if alert.ends_at is None:
            when = self._text["since"].format(start=start)
        else:
            when = self._text["over"].format(start=start, end=self._time(alert.ends_at))
        evidence = self._text["evidence"].format(expr=alert.evidence.expr, time=self._time(alert.evidence.time))
        head = f"{_subject(alert) or rule.name}: {value}; {when}; {evidence}"
        summary = alert.annotations.get("summary")
        return f"{summary} — {head}" if summary else head

    def _time(self, seconds: float) -> str:
        return datetime.fromtimestamp(seconds, UTC).astimezone(self._zone).isoformat(timespec="milliseconds")


def _subject(alert: Alert) -> str:
    if server := alert.labels.get("server"):
        return server
    return ", ".join(f"{name}={value}" for name, value in alert.labels.items() if name != ALERT_NAME)


def _number(value: float) -> str:
    return f"{value:.6g}"
