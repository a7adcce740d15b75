"""Rules and alerts in the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.errors import AlreadyExistsError
from services.notifier.adapters import tables
from services.notifier.adapters.database import Database
from services.notifier.adapters.rows import (
    alert_from_row,
    alert_to_row,
    group_to_row,
    notification_to_row,
    rule_from_row,
    rule_to_row,
)
from services.notifier.domain.alerts import Alert, AlertState, Status
from services.notifier.domain.notifications import NotificationState
from services.notifier.domain.pipeline import Group
from services.notifier.domain.ports import Changes, Snapshot, WatchedSeries


class SqlAlertStore:
    """Implements `AlertStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Snapshot:
        """See the port."""
        alerts = tables.alerts
        untold = (alerts.c.state == AlertState.RESOLVED.value) & (alerts.c.told == Status.FIRING.value)
        async with self._database.transaction() as connection:
            rules = (await connection.execute(sa.select(tables.rules))).mappings().all()
            kept = (await connection.execute(sa.select(alerts).where(alerts.c.ends_at.is_(None) | untold))).mappings().all()
            groups = (await connection.execute(sa.select(tables.groups))).mappings().all()
            watched = (await connection.execute(sa.select(tables.watched_series))).mappings().all()
        return Snapshot(
            [rule_from_row(row) for row in rules],
            [alert_from_row(row) for row in kept],
            [Group(**row) for row in groups],
            [WatchedSeries(**row) for row in watched],
        )

    async def commit(self, changes: Changes) -> None:
        """See the port."""
        try:
            async with self._database.transaction() as connection:
                await _write_rules(connection, changes)
                await _write_alerts(connection, changes)
                if changes.notifications:
                    rows = [notification_to_row(notification) for notification in changes.notifications]
                    await connection.execute(sa.insert(tables.notifications), rows)
        except IntegrityError as error:
            if changes.rules:
                raise AlreadyExistsError(f"there is a rule named {changes.rules[0].name!r} already") from error
            raise

    async def list_alerts(self, states: Collection[AlertState], limit: int, before: tuple[float, str] | None) -> Sequence[Alert]:
        """See the port."""
        alerts = tables.alerts
        query = sa.select(alerts).order_by(alerts.c.started_at.desc(), alerts.c.id.desc()).limit(limit)
        if states:
            query = query.where(alerts.c.state.in_([state.value for state in states]))
        if before is not None:
            query = query.where(sa.tuple_(alerts.c.started_at, alerts.c.id) < sa.tuple_(before[0], before[1]))
        async with self._database.transaction() as connection:
            return [alert_from_row(row) for row in (await connection.execute(query)).mappings()]

    async def prune(self, before: float) -> int:
        """See the port."""
        alerts, notifications = tables.alerts, tables.notifications
        told = alerts.c.told.is_(None) | (alerts.c.told == Status.RESOLVED.value)
        finished = notifications.c.state != NotificationState.QUEUED.value
        async with self._database.transaction() as connection:
            ended = await connection.execute(sa.delete(alerts).where(alerts.c.ends_at < before, told))
            sent = await connection.execute(sa.delete(notifications).where(notifications.c.timestamp < before, finished))
        return ended.rowcount + sent.rowcount


async def _write_rules(connection: AsyncConnection, changes: Changes) -> None:
    await _upsert(connection, tables.rules, [rule_to_row(rule) for rule in changes.rules])
    for rule_id, health in changes.health.items():
        await connection.execute(sa.update(tables.rules).where(tables.rules.c.id == rule_id).values(**vars(health)))
    await _delete(connection, tables.rules.c.id, changes.removed_rules)
    await _delete(connection, tables.watched_series.c.rule_id, [*changes.removed_rules, *changes.unwatched_rules])
    if changes.unwatched:
        series = tables.watched_series.c
        one = (series.rule_id == sa.bindparam("rule")) & (series.fingerprint == sa.bindparam("series"))
        keys = [{"rule": gone.rule_id, "series": gone.fingerprint} for gone in changes.unwatched]
        await connection.execute(sa.delete(tables.watched_series).where(one), keys)
    watched = [{**vars(series), "labels": dict(series.labels)} for series in changes.watched]
    await _upsert(connection, tables.watched_series, watched)


async def _write_alerts(connection: AsyncConnection, changes: Changes) -> None:
    await _delete(connection, tables.alerts.c.id, changes.removed_alerts)
    # The ended first: a new alert of the same series may stand in the same step, and only one may be open.
    ordered = sorted(changes.alerts, key=lambda alert: alert.is_open)
    await _upsert(connection, tables.alerts, [alert_to_row(alert) for alert in ordered])
    await _delete(connection, tables.groups.c.key, changes.removed_groups)
    await _upsert(connection, tables.groups, [group_to_row(group) for group in changes.groups])


async def _upsert(connection: AsyncConnection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    key = [column.name for column in table.primary_key]
    changed = {name: insert.excluded[name] for name in rows[0] if name not in key}
    await connection.execute(insert.on_conflict_do_update(index_elements=key, set_=changed), list(rows))


async def _delete(connection: AsyncConnection, column: sa.Column[str], keys: Sequence[str]) -> None:
    if keys:
        await connection.execute(sa.delete(column.table).where(column.in_(keys)))
