import asyncio

import numpy as np
import pytest

from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import Columns


def batch(*values: float) -> Columns:
    count = len(values)
    return Columns(np.arange(1, count + 1, dtype=np.uint64), np.arange(count, dtype=np.int64), np.array(values))


async def test_a_reader_gets_what_is_published_in_order() -> None:
    feed = Feed(1000)
    reader = feed.reader(feed.cursor)
    waiting = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    assert not waiting.done()
    feed.publish(batch(1.0, 2.0))
    feed.publish(batch(3.0))
    first = await waiting
    assert first.columns.values.tolist() == [1.0, 2.0, 3.0]
    assert (first.cursor, first.dropped) == (feed.cursor, 0)


async def test_a_reader_continues_after_its_cursor() -> None:
    feed = Feed(1000)
    feed.publish(batch(1.0))
    cursor = feed.cursor
    feed.publish(batch(2.0))
    assert feed.holds(cursor)
    assert (await feed.reader(cursor).read()).columns.values.tolist() == [2.0]


async def test_a_slow_reader_is_told_what_it_missed_and_holds_nobody_up() -> None:
    feed = Feed(1000, max_samples=4)
    slow, fast = feed.reader(feed.cursor), feed.reader(feed.cursor)
    seen = []
    for value in range(5):
        feed.publish(batch(value, value + 0.5))
        seen += (await fast.read()).columns.values.tolist()
    assert seen == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5]
    late = await slow.read()
    assert (late.columns.values.tolist(), late.dropped) == ([3, 3.5, 4, 4.5], 6)
    feed.publish(batch(9.0))
    assert (await slow.read()).dropped == 0


async def test_what_was_read_and_what_was_dropped_are_all_that_was_published() -> None:
    rng = np.random.default_rng(5)
    feed = Feed(1000, max_samples=50)
    reader = feed.reader(feed.cursor)
    published = delivered = 0
    for _ in range(500):
        for _ in range(rng.integers(0, 6)):
            size = int(rng.integers(1, 30))
            feed.publish(batch(*range(size)))
            published += size
        if published > delivered and rng.random() < 0.5:
            read = await reader.read()
            delivered += len(read.columns) + read.dropped
    while delivered < published:
        read = await reader.read()
        delivered += len(read.columns) + read.dropped
    assert delivered == published


async def test_a_batch_larger_than_the_ring_is_delivered_whole() -> None:
    feed = Feed(1000, max_samples=2)
    reader = feed.reader(feed.cursor)
    feed.publish(batch(*range(10)))
    assert len((await reader.read()).columns) == 10


def test_cursors_of_another_run_and_from_before_the_ring_are_not_held() -> None:
    old = Feed(1_700_000_000_000)
    for _ in range(5):
        old.publish(batch(1.0))
    feed = Feed(1_700_000_000_001, max_samples=2)
    assert not feed.holds(old.cursor)
    assert not feed.holds(0)
    assert feed.holds(feed.cursor)
    start = feed.cursor
    for _ in range(3):
        feed.publish(batch(1.0))
    assert not feed.holds(start)
    assert feed.holds(start + 1)
    assert not feed.holds(feed.cursor + 1)
    with pytest.raises(ValueError, match="not held"):
        feed.reader(start)


async def test_readers_are_woken_and_told_that_series_were_deleted() -> None:
    feed = Feed(1000)
    reader = feed.reader(feed.cursor)
    feed.publish(batch(1.0))
    feed.series_deleted()
    feed.publish(batch(2.0))
    read = await reader.read()
    assert (read.columns.values.tolist(), read.deleted) == ([1.0, 2.0], True)
    feed.publish(batch(3.0))
    assert not (await reader.read()).deleted
    feed.series_deleted()
    read = await reader.read()
    assert (len(read.columns), read.deleted) == (0, True)


async def test_a_reader_that_fell_behind_is_told_of_deletions_that_left_the_ring() -> None:
    feed = Feed(1000, max_samples=2)
    reader = feed.reader(feed.cursor)
    feed.series_deleted()
    for _ in range(5):
        feed.publish(batch(1.0, 2.0))
    assert (await reader.read()).deleted


def test_cursors_from_before_a_deletion_are_not_held() -> None:
    feed = Feed(1000)
    feed.publish(batch(1.0))
    before = feed.cursor
    feed.series_deleted()
    assert not feed.holds(before)
    assert feed.holds(feed.cursor)
