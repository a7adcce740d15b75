"""The outbox in the database."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.adapters import tables
from services.notifier.adapters.database import Database
from services.notifier.adapters.rows import attempt_to_row, notification_from_row, notification_to_row
from services.notifier.domain.notifications import DeliveryAttempt, Notification, NotificationState

_NOTIFICATIONS = tables.notifications
_ATTEMPTS = tables.delivery_attempts


class SqlOutboxStore:
    """Implements `OutboxStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_for(self, channel: str) -> Notification | None:
        """See the port."""
        earlier = _NOTIFICATIONS.alias("earlier")
        waits = sa.exists().where(
            earlier.c.channel == _NOTIFICATIONS.c.channel,
            earlier.c.state == NotificationState.QUEUED.value,
            earlier.c.group_key == _NOTIFICATIONS.c.group_key,
            earlier.c.position < _NOTIFICATIONS.c.position,
        )
        query = (
            sa.select(_NOTIFICATIONS)
            .where(_NOTIFICATIONS.c.channel == channel, _NOTIFICATIONS.c.state == NotificationState.QUEUED.value, ~waits)
            .order_by(_NOTIFICATIONS.c.next_attempt_at, _NOTIFICATIONS.c.position)
            .limit(1)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            return None if row is None else (await _with_attempts(connection, [row]))[0][1]

    async def record(
        self, notification_id: str, attempt: DeliveryAttempt, state: NotificationState, next_attempt_at: float | None
    ) -> None:
        """See the port."""
        still_queued = (_NOTIFICATIONS.c.id == notification_id) & (_NOTIFICATIONS.c.state == NotificationState.QUEUED.value)
        async with self._database.transaction() as connection:
            await connection.execute(sa.insert(_ATTEMPTS).values(**attempt_to_row(notification_id, attempt)))
            change = {"state": state.value, "next_attempt_at": next_attempt_at}
            await connection.execute(sa.update(_NOTIFICATIONS).where(still_queued).values(**change))

    async def add(self, notification: Notification) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(sa.insert(_NOTIFICATIONS).values(**notification_to_row(notification)))
            rows = [attempt_to_row(notification.id, attempt) for attempt in notification.attempts]
            if rows:
                await connection.execute(sa.insert(_ATTEMPTS), rows)

    async def list_notifications(
        self, states: Collection[NotificationState], limit: int, before: int | None
    ) -> Sequence[tuple[int, Notification]]:
        """See the port."""
        query = sa.select(_NOTIFICATIONS).order_by(_NOTIFICATIONS.c.position.desc()).limit(limit)
        if states:
            query = query.where(_NOTIFICATIONS.c.state.in_([state.value for state in states]))
        if before is not None:
            query = query.where(_NOTIFICATIONS.c.position < before)
        async with self._database.transaction() as connection:
            return await _with_attempts(connection, (await connection.execute(query)).mappings().all())


async def _with_attempts(connection: AsyncConnection, rows: Sequence[RowMapping]) -> list[tuple[int, Notification]]:
    query = sa.select(_ATTEMPTS).where(_ATTEMPTS.c.notification_id.in_([row["id"] for row in rows])).order_by(_ATTEMPTS.c.id)
    attempts: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for attempt in (await connection.execute(query)).mappings():
        attempts[attempt["notification_id"]].append(attempt)
    return [(row["position"], notification_from_row(row, attempts[row["id"]])) for row in rows]
