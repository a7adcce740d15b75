"""Channels in the database."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.common.errors import AlreadyExistsError
from services.notifier.adapters import tables
from services.notifier.adapters.database import Database
from services.notifier.adapters.rows import attempt_to_row, channel_to_row
from services.notifier.domain.channels import Channel
from services.notifier.domain.notifications import DeliveryAttempt, NotificationState

_CHANNELS = tables.channels


class SqlChannelStore:
    """Implements `ChannelStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> Channel | None:
        """See the port."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(sa.select(_CHANNELS).where(_CHANNELS.c.name == name))).mappings().one_or_none()
        return None if row is None else Channel(**row)

    async def list(self, limit: int, after: str) -> Sequence[Channel]:
        """See the port."""
        query = sa.select(_CHANNELS).where(_CHANNELS.c.name > after).order_by(_CHANNELS.c.name).limit(limit)
        async with self._database.transaction() as connection:
            return [Channel(**row) for row in (await connection.execute(query)).mappings()]

    async def create(self, channel: Channel) -> None:
        """See the port."""
        try:
            async with self._database.transaction() as connection:
                await connection.execute(sa.insert(_CHANNELS).values(**channel_to_row(channel)))
        except IntegrityError as error:
            raise AlreadyExistsError(f"there is a channel named {channel.name!r} already") from error

    async def update(self, channel: Channel) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            statement = sa.update(_CHANNELS).where(_CHANNELS.c.name == channel.name)
            await connection.execute(statement.values(**channel_to_row(channel)))

    async def delete(self, name: str, attempt: DeliveryAttempt) -> bool:
        """See the port."""
        notifications = tables.notifications
        queued = (notifications.c.channel == name) & (notifications.c.state == NotificationState.QUEUED.value)
        async with self._database.transaction() as connection:
            deleted = await connection.execute(sa.delete(_CHANNELS).where(_CHANNELS.c.name == name))
            if not deleted.rowcount:
                return False
            ids = (await connection.execute(sa.select(notifications.c.id).where(queued))).scalars().all()
            if ids:
                rows = [attempt_to_row(notification_id, attempt) for notification_id in ids]
                await connection.execute(sa.insert(tables.delivery_attempts), rows)
                given_up = {"state": NotificationState.DEAD.value, "next_attempt_at": None}
                await connection.execute(sa.update(notifications).where(queued).values(**given_up))
        return True
