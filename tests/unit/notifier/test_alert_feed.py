"""Watching alerts: a slow reader is told what it missed and delays nobody."""

from contextlib import aclosing

from services.common.clock import ManualClock
from services.notifier.domain.feed import HELD_CHANGES, QUEUED_CHANGES, AlertFeed
from tests.support.notifier_state import an_alert


async def test_a_slow_reader_is_told_how_many_changes_it_missed() -> None:
    feed = AlertFeed(ManualClock())
    async with aclosing(feed.watch(None, list)) as changes:
        assert (await anext(changes)).snapshot
        for number in range(QUEUED_CHANGES + 5):
            feed.publish([an_alert(number)])
        assert (await anext(changes)).dropped == 5
        assert (await anext(changes)).dropped == 0


async def test_a_reader_resumes_after_its_cursor_or_begins_anew() -> None:
    feed = AlertFeed(ManualClock())
    async with aclosing(feed.watch(None, list)) as changes:
        start = (await anext(changes)).cursor
    feed.publish([an_alert(1)])
    feed.publish([an_alert(2)])
    async with aclosing(feed.watch(start, list)) as changes:
        first, second = await anext(changes), await anext(changes)
    assert [first.alerts[0].id, second.alerts[0].id] == ["alert-001", "alert-002"]
    async with aclosing(feed.watch(second.cursor, list)) as changes:
        feed.publish([an_alert(3)])
        assert (await anext(changes)).alerts[0].id == "alert-003"
    for number in range(HELD_CHANGES):
        feed.publish([an_alert(number)])
    for cursor in (start, second.cursor + 10 * HELD_CHANGES):
        async with aclosing(feed.watch(cursor, lambda: [an_alert(9)])) as changes:
            assert (await anext(changes)).snapshot
