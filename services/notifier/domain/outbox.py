"""Delivers what the outbox holds: one worker a channel, so a channel that is stuck delays no other.

At least once: an attempt is written down after it was made, so a crash in between repeats it under the same idempotency key.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

import structlog
from prometheus_client import Counter

from services.common.clock import Clock
from services.notifier.domain.alarm import Alarm
from services.notifier.domain.channels import Channel
from services.notifier.domain.notifications import (
    DeliveryAttempt,
    DeliveryResult,
    Notification,
    NotificationState,
    Outcome,
)
from services.notifier.domain.ports import ChannelKind, ChannelStore, OutboxStore
from services.notifier.domain.retry import RetryPolicy

log = structlog.get_logger("notifier.outbox")

STORE_RETRY_SECONDS: Final = 5.0
CHANNELS_PER_READ: Final = 500


class Outbox:
    """Runs one worker for each channel."""

    def __init__(
        self,
        store: OutboxStore,
        channels: ChannelStore,
        kinds: Mapping[str, ChannelKind],
        policy: RetryPolicy,
        clock: Clock,
        attempts: Counter,
    ) -> None:
        self._store = store
        self._channels = channels
        self._kinds = kinds
        self._policy = policy
        self._clock = clock
        self._attempts = attempts  # by outcome
        self._alarms: dict[str, Alarm] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Delivers to every channel there is, and to those named to `wake` later, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.wake(await self._all_channels())
            await asyncio.Event().wait()

    def wake(self, channels: Collection[str]) -> None:
        """Says that there may be something to deliver to these channels, or that they changed."""
        for name in channels:
            if name in self._alarms:
                self._alarms[name].set()
            elif self._tasks is not None:
                self._alarms[name] = Alarm(self._clock)
                self._tasks.create_task(self._serve(name), name=f"notifier.channel.{name}")

    async def send(self, channel: Channel, notification: Notification) -> tuple[DeliveryAttempt, DeliveryResult]:
        """Tries once and says how it went; writes nothing down."""
        at, started = self._clock.now(), self._clock.monotonic()
        try:
            result = await self._kinds[channel.kind].sender(channel).send(notification)
        except Exception as error:  # a bug in a channel is a failed attempt, not the end of its worker
            log.error("channel_broke", channel=channel.name, kind=channel.kind, error=repr(error), exc_info=error)
            result = DeliveryResult(Outcome.ERROR, retryable=True, detail=f"internal error: {type(error).__name__}")
        self._attempts.labels(result.outcome.value).inc()
        elapsed = self._clock.monotonic() - started
        return DeliveryAttempt(at, result.outcome, result.detail, result.http_status, elapsed), result

    async def _serve(self, name: str) -> None:
        alarm = self._alarms[name]
        paused_until = 0.0  # a receiver that asks for a pause means all notifications to it
        try:
            while True:
                try:
                    channel = await self._channels.get(name)
                    if channel is None:
                        if await alarm.wait(0):
                            continue  # made again while we looked
                        return
                    notification = await self._store.next_for(name)
                    if notification is None:
                        await alarm.wait(None)
                        continue
                    wait = max(notification.next_attempt_at or 0.0, paused_until) - self._clock.now()
                    if wait > 0:
                        await alarm.wait(wait)
                        continue
                    paused_until = await self._deliver(channel, notification)
                except Exception as error:  # the database is away: nothing is lost, try again
                    log.error("outbox_not_readable", channel=name, error=repr(error), exc_info=error)
                    await self._clock.sleep(STORE_RETRY_SECONDS)
        finally:
            del self._alarms[name]

    async def _all_channels(self) -> list[str]:
        names: list[str] = []
        while page := await self._channels.list(CHANNELS_PER_READ, names[-1] if names else ""):
            names.extend(channel.name for channel in page)
        return names

    async def _deliver(self, channel: Channel, notification: Notification) -> float:
        """Tries once and writes it down; returns until when the receiver wants a pause (Unix seconds, 0 for none)."""
        attempt, result = await self.send(channel, notification)
        now = self._clock.now()
        state, next_attempt_at = NotificationState.DELIVERED, None
        if result.outcome is not Outcome.DELIVERED:
            next_attempt_at = self._policy.next_attempt_at(notification, len(notification.attempts) + 1, result, now)
            state = NotificationState.DEAD if next_attempt_at is None else NotificationState.QUEUED
            log.warning(
                "delivery_failed",
                channel=channel.name,
                notification=notification.id,
                outcome=result.outcome.value,
                detail=result.detail,
                given_up=state is NotificationState.DEAD,
            )
        await self._store.record(notification.id, attempt, state, next_attempt_at)
        return now + result.retry_after_seconds if result.retryable and result.retry_after_seconds else 0.0
