"""Trying a channel out."""

from dataclasses import replace

from services.common.clock import Clock
from services.notifier.domain.catalogue import ChannelCatalogue
from services.notifier.domain.composing import Composer
from services.notifier.domain.notifications import DeliveryAttempt, NotificationState, Outcome
from services.notifier.domain.outbox import Outbox
from services.notifier.domain.ports import OutboxStore


class ChannelTrial:
    """Sends a test notification at once: one attempt, no retry, kept among the notifications like any other."""

    def __init__(self, channels: ChannelCatalogue, outbox: Outbox, store: OutboxStore, composer: Composer, clock: Clock) -> None:
        self._channels = channels
        self._outbox = outbox
        self._store = store
        self._composer = composer
        self._clock = clock

    async def run(self, name: str) -> DeliveryAttempt:
        """The attempt; raises NotFoundError when there is no channel of this name."""
        channel = await self._channels.get(name)
        notification = self._composer.compose_test(name, self._clock.now())
        attempt, _ = await self._outbox.send(channel, notification)
        state = NotificationState.DELIVERED if attempt.outcome is Outcome.DELIVERED else NotificationState.DEAD
        await self._store.add(replace(notification, state=state, attempts=(attempt,)))
        return attempt
