"""What was stored lately, for readers who want it as it comes.

All readers share one bounded ring of batches and each keeps nothing but its place in it. So publishing costs the same whatever the
number of readers, nobody waits for a slow one, and one that falls out of the ring is told how much it missed.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from services.metrics.domain.ports import Columns

DEFAULT_MAX_SAMPLES: Final = 1_000_000
MAX_BATCHES: Final = 65_536
MAX_READ_SAMPLES: Final = 100_000
"""A reader that is behind gets batches together, up to this many samples unless one batch alone has more."""

_RUN_BITS: Final = 20
"""A run may publish this many (2^20) batches for each millisecond that it lasts before its cursors meet those of the next."""


@dataclass(frozen=True)
class FeedRead:
    """What followed a cursor.

    Attributes:
        cursor: continue after this one.
        columns: the samples, in the order they were stored.
        dropped: samples that had left the ring before they were read. Nobody looked at them again, so all are counted, also
            those of series that the reader would not have asked for.
        deleted: whether series were deleted since the read before; samples of theirs may still be among the columns.
    """

    cursor: int
    columns: Columns
    dropped: int
    deleted: bool = False


@dataclass(frozen=True)
class _Batch:
    cursor: int
    columns: Columns
    published_before: int


class Feed:
    """The newest batches by cursor.

    Args:
        started_ms: time of the start; cursors of this run lie above those of every earlier run, so an old one is recognised.
        max_samples: the ring holds the newest batches with at most this many samples together, and the newest one always.
    """

    def __init__(self, started_ms: int, max_samples: int = DEFAULT_MAX_SAMPLES) -> None:
        self._cursor = started_ms << _RUN_BITS
        self._max_samples = max_samples
        self._batches: deque[_Batch] = deque()
        self._held_samples = 0
        self._published_samples = 0
        self._published = asyncio.Event()
        self._deletions = 0
        self._deleted_at = self._cursor

    @property
    def deletions(self) -> int:
        """How often series were deleted."""
        return self._deletions

    @property
    def cursor(self) -> int:
        """Cursor of the newest batch."""
        return self._cursor

    def holds(self, cursor: int) -> bool:
        """Whether a reader can continue after this cursor without having missed anything."""
        oldest = self._batches[0].cursor if self._batches else self._cursor + 1
        return max(oldest - 1, self._deleted_at) <= cursor <= self._cursor

    def publish(self, columns: Columns) -> None:
        """Add a batch that is durable, and wake the readers."""
        self._cursor += 1
        self._batches.append(_Batch(self._cursor, columns, self._published_samples))
        self._published_samples += len(columns)
        self._held_samples += len(columns)
        while len(self._batches) > 1 and (self._held_samples > self._max_samples or len(self._batches) > MAX_BATCHES):
            self._held_samples -= len(self._batches.popleft().columns)
        self._published.set()
        self._published = asyncio.Event()

    def series_deleted(self) -> None:
        """Say that series are gone from the store, and wake the readers.

        Which ones is nothing that a ring can hold: a reader compares what it has with the store. One that was away does not know
        what it has to give up, so earlier cursors are not held any more.
        """
        self._deletions += 1
        self._deleted_at = self._cursor + 1
        self.publish(Columns.empty())

    def reader(self, cursor: int) -> "FeedReader":
        """A reader that continues after this cursor, which the feed must hold."""
        if not self.holds(cursor):
            raise ValueError(f"cursor {cursor} is not held")
        return FeedReader(self, cursor, self._published_up_to(cursor))

    async def wait(self, cursor: int) -> None:
        """Wait until there is something after this cursor."""
        while self._cursor <= cursor:
            await self._published.wait()

    def read_after(self, cursor: int, published_before: int) -> tuple[FeedRead, int]:
        """What follows the cursor, and how many samples had been published up to its end."""
        oldest = self._batches[0]
        dropped = max(0, oldest.published_before - published_before)
        taken: list[Columns] = []
        size = 0
        start = max(0, cursor + 1 - oldest.cursor)
        for index in range(start, len(self._batches)):
            batch = self._batches[index]
            if taken and size + len(batch.columns) > MAX_READ_SAMPLES:
                break
            taken.append(batch.columns)
            size += len(batch.columns)
            cursor = batch.cursor
        return FeedRead(cursor, Columns.concatenated(taken), dropped), max(published_before, oldest.published_before) + size

    def _published_up_to(self, cursor: int) -> int:
        for batch in self._batches:
            if batch.cursor > cursor:
                return batch.published_before
        return self._published_samples


class FeedReader:
    """One reader's place in a feed."""

    def __init__(self, feed: Feed, cursor: int, published: int) -> None:
        self._feed = feed
        self._cursor = cursor
        self._published = published
        self._deletions = feed.deletions

    async def read(self) -> FeedRead:
        """The next batches; waits until there are some."""
        await self._feed.wait(self._cursor)
        read, self._published = self._feed.read_after(self._cursor, self._published)
        self._cursor = read.cursor
        if self._feed.deletions == self._deletions:
            return read
        self._deletions = self._feed.deletions
        return replace(read, deleted=True)
