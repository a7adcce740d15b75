"""One feed to many readers: each has a bounded queue, and who cannot keep up is told so and let go."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

HEARTBEAT_TOPIC: Final = ""
_LONGEST_NUMBER: Final = 18


@dataclass(frozen=True)
class Event:
    """One event of a live stream.

    Attributes:
        topic: what it is about; empty for a heartbeat.
        data: JSON text in one line.
        id: names the event for resuming; empty when one cannot resume after it.
    """

    topic: str
    data: bytes = b""
    id: str = ""


HEARTBEAT: Final = Event(HEARTBEAT_TOPIC)
Snapshot = Callable[[str], bytes | None]
"""Gives the present state of a topic as JSON; None when there is nothing to say yet."""


class TooManyReadersError(Exception):
    """As many readers as allowed are there already."""


class Subscription:
    """What one reader gets; iterate over `next()` until it gives None."""

    def __init__(self, topics: frozenset[str], size: int, first: Iterable[Event] = ()) -> None:
        self.topics = topics
        self._size = size
        self._events: deque[Event] = deque(first)
        self._wake = asyncio.Event()
        self._ended = False

    async def next(self) -> Event | None:
        """The next event; None when the stream is over."""
        while not self._events:
            if self._ended:
                return None
            self._wake.clear()
            await self._wake.wait()
        return self._events.popleft()

    def offer(self, event: Event) -> bool:
        """Queue an event; false when the reader is too slow, which ends the stream with an event `lagged`."""
        if self._ended:
            return False
        if len(self._events) >= self._size:
            self._events.clear()
            self._events.append(Event("lagged", b'{"detail":"this reader was too slow; connect again for the present state"}'))
            self.end()
            return False
        self._events.append(event)
        self._wake.set()
        return True

    def end(self) -> None:
        """Let the reader take what is queued and then stop."""
        self._ended = True
        self._wake.set()


class Hub:
    """Hands events to subscriptions and holds the latest ones for readers that come back.

    Args:
        epoch: names this hub among those before it, so that an id of another process is not mistaken for one of ours.
        snapshot: the state that a new reader starts from.
        history: events held for resuming.
        history_bytes: how large they may be together; one event of a large fleet can be a megabyte.
        queue_size: events that may wait for one reader.
        max_readers: readers at once.
    """

    def __init__(
        self,
        epoch: str,
        snapshot: Snapshot,
        *,
        history: int = 512,
        history_bytes: int = 16 * 1024 * 1024,
        queue_size: int = 64,
        max_readers: int = 200,
    ) -> None:
        self._epoch = epoch
        self._snapshot = snapshot
        self._sequence = 0
        self._history: deque[tuple[int, Event]] = deque()
        self._history_size = history
        self._history_bytes = history_bytes
        self._held_bytes = 0
        self._queue_size = queue_size
        self._max_readers = max_readers
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @property
    def readers(self) -> int:
        """How many are connected."""
        return len(self._subscriptions)

    def publish(self, topic: str, data: bytes) -> None:
        """Send an event to every reader of its topic."""
        self._sequence += 1
        event = Event(topic, data, f"{self._epoch}-{self._sequence}")
        self._history.append((self._sequence, event))
        self._held_bytes += len(data)
        while len(self._history) > self._history_size or self._held_bytes > self._history_bytes:
            self._held_bytes -= len(self._history.popleft()[1].data)
        self._send(event, (s for s in self._subscriptions if topic in s.topics))

    def heartbeat(self) -> None:
        """Show every reader, and every proxy on the way, that the stream is alive."""
        self._send(HEARTBEAT, self._subscriptions)

    def subscribe(self, topics: Iterable[str], last_event_id: str = "") -> Subscription:
        """Start a stream: after a known id with what was missed, otherwise with the state of each topic.

        Raises:
            TooManyReadersError: no reader more is taken.
        """
        if self._closed or len(self._subscriptions) >= self._max_readers:
            raise TooManyReadersError
        missed = self._since(last_event_id)
        wanted = frozenset(topics)
        if missed is None:
            at = f"{self._epoch}-{self._sequence}"
            states = ((topic, self._snapshot(topic)) for topic in sorted(wanted))
            missed = [Event(topic, state, at) for topic, state in states if state is not None]
        # What was missed waits beside the queue's own room: coming back late does not make a reader slow.
        first = [event for event in missed if event.topic in wanted]
        subscription = Subscription(wanted, self._queue_size + len(first), first)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a reader that left."""
        self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every stream; new ones are refused."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()
        self._subscriptions.clear()

    def _send(self, event: Event, readers: Iterable[Subscription]) -> None:
        for subscription in list(readers):
            if not subscription.offer(event):
                self._subscriptions.discard(subscription)

    def _since(self, last_event_id: str) -> list[Event] | None:
        """The events after this id; None when they are not all held."""
        epoch, _, number = last_event_id.rpartition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdigit()) or len(number) > _LONGEST_NUMBER:
            return None
        sequence = int(number)
        oldest = self._history[0][0] if self._history else self._sequence + 1
        if sequence > self._sequence or sequence < oldest - 1:
            return None
        return [event for at, event in self._history if at > sequence]
