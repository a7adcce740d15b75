"""Alerts as they change, for everybody who watches."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.common.clock import Clock
from services.notifier.domain.alerts import Alert

HELD_CHANGES: Final = 1024
QUEUED_CHANGES: Final = 256


@dataclass(frozen=True)
class AlertChange:
    """One message to a watcher. `dropped` counts the changes it missed since the message before because it was too slow."""

    cursor: int
    alerts: tuple[Alert, ...]
    snapshot: bool = False
    dropped: int = 0


@dataclass(eq=False)
class _Reader:
    queue: asyncio.Queue[AlertChange] = field(default_factory=lambda: asyncio.Queue(QUEUED_CHANGES))
    dropped: int = 0


class AlertFeed:
    """Sends each change to all watchers, never waiting for a slow one.

    Cursors grow and start at the clock's microseconds, so that a cursor of an earlier run is known to be no longer held.
    """

    def __init__(self, clock: Clock) -> None:
        self._cursor = int(clock.now() * 1_000_000)
        self._held: deque[AlertChange] = deque(maxlen=HELD_CHANGES)
        self._readers: set[_Reader] = set()

    def publish(self, alerts: Sequence[Alert]) -> None:
        """Tells all watchers that these alerts are now so."""
        self._cursor += 1
        change = AlertChange(self._cursor, tuple(alerts))
        self._held.append(change)
        for reader in self._readers:
            try:
                reader.queue.put_nowait(change)
            except asyncio.QueueFull:
                reader.dropped += 1

    async def watch(self, cursor: int | None, snapshot: Callable[[], Sequence[Alert]]) -> AsyncGenerator[AlertChange]:
        """What followed `cursor`, or a snapshot when it is None or no longer held; then each change."""
        reader = _Reader()
        missed = self._after(cursor)
        first = [AlertChange(self._cursor, tuple(snapshot()), snapshot=True)] if missed is None else missed
        self._readers.add(reader)
        try:
            for change in first:
                yield change
            while True:
                change = await reader.queue.get()
                dropped, reader.dropped = reader.dropped, 0
                yield AlertChange(change.cursor, change.alerts, dropped=dropped)
        finally:
            self._readers.discard(reader)

    def _after(self, cursor: int | None) -> list[AlertChange] | None:
        if cursor is None or cursor > self._cursor:
            return None
        oldest_known = self._held[0].cursor - 1 if self._held else self._cursor
        return None if cursor < oldest_known else [change for change in self._held if change.cursor > cursor]
