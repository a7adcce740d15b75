"""Values for the contract of the notifier's databases."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.notifier.adapters import tables
from services.notifier.adapters.alert_store import SqlAlertStore
from services.notifier.adapters.channel_store import SqlChannelStore
from services.notifier.adapters.database import Database
from services.notifier.adapters.outbox_store import SqlOutboxStore
from services.notifier.domain.alerts import Alert, AlertState, Evidence, Status
from services.notifier.domain.notifications import Notification, NotificationType
from services.notifier.domain.rules import Rule, Severity


@dataclass(frozen=True)
class State:
    """The three stores over one database."""

    url: str | None
    folder: Path
    database: Database
    alerts: SqlAlertStore
    channels: SqlChannelStore
    outbox: SqlOutboxStore

    async def reopened(self) -> "State":
        """The same database, opened by another process, as it were."""
        await self.database.close()
        database = Database(self.url, self.folder)
        await database.open()
        return State(self.url, self.folder, database, SqlAlertStore(database), SqlChannelStore(database), SqlOutboxStore(database))


async def empty_tables(database: Database) -> None:
    """Leaves nothing of an earlier test."""
    async with database.transaction() as connection:
        for table in reversed(tables.metadata.sorted_tables):
            await connection.execute(sa.delete(table))


def a_rule(number: int = 1, **changes: Any) -> Rule:
    """A rule with every field set."""
    rule = Rule(
        id=f"rule-{number}",
        name=f"Rule {number} 규칙",
        expr="cpu > 90",
        for_seconds=0.25,
        keep_firing_for_seconds=2.5,
        recovery_expr="cpu < 70",
        labels={"team": "운영"},
        annotations={"summary": "{{ labels.server }}"},
        channels=("ops", "night"),
        group_by=("role",),
        group_wait_seconds=1.0,
        group_interval_seconds=2.0,
        repeat_interval_seconds=3.0,
        created_at=1_700_000_000.123,
        updated_at=1_700_000_001.5,
    )
    return replace(rule, **changes)


def an_alert(number: int = 1, **changes: Any) -> Alert:
    """An open alert."""
    alert = Alert(
        id=f"alert-{number:03d}",
        rule_id="rule-1",
        rule="Rule 1 규칙",
        state=AlertState.FIRING,
        severity=Severity.CRITICAL,
        labels={"alertname": "Rule 1 규칙", "server": f"web-{number:02d}"},
        fingerprint=f"{number:016x}",
        group_key=f"rule-1:{number}",
        value=97.25,
        evidence=Evidence("cpu > 90", 1_700_000_100.125),
        started_at=1_700_000_100.0 + number,
        annotations={"summary": "높음"},
        fired_at=1_700_000_100.0 + number,
        told=Status.FIRING,
    )
    return replace(alert, **changes)


def a_notification(number: int = 1, **changes: Any) -> Notification:
    """A queued notification of one alert."""
    notification = Notification(
        id=f"notification-{number:03d}",
        type=NotificationType.FIRING,
        channel="ops",
        severity=Severity.CRITICAL,
        title="title",
        message="줄 1\n줄 2",
        timestamp=1_700_000_100.0 + number,
        idempotency_key=f"key-{number}",
        rule="Rule 1 규칙",
        server=f"web-{number:02d}",
        recommendations=("one", "two"),
        confidence=0.5,
        group_key=f"group-{number}",
        group_labels={"role": "web"},
        alerts=(an_alert(number),),
        next_attempt_at=1_700_000_100.0 + number,
    )
    return replace(notification, **changes)
