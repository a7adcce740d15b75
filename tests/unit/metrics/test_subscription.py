from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from services.common.clock import ManualClock
from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain import subscription
from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import Columns, Receipt, WriteMode
from services.metrics.domain.promql import parse_selector
from services.metrics.domain.subscription import Delivery, Subscription
from services.metrics.domain.write import SampleWriter, Source

NOW_MS = 1_700_000_000_000


class Fixture:
    def __init__(self, feed_samples: int = 1000) -> None:
        self.store = MemoryStore()
        self.feed = Feed(NOW_MS, feed_samples)
        self.receipts: list[Receipt] = []
        self.writer = SampleWriter(self.store, self.feed, ManualClock(NOW_MS / 1000), lambda _, r: self.receipts.append(r))

    async def write(self, samples: dict[tuple[str, str], float], seconds: int = 0) -> Receipt:
        series = [(("__name__", name), ("server", server)) for name, server in samples]
        ids = (await self.store.register(series)).ids
        times = np.full(len(ids), NOW_MS + 1000 * seconds, np.int64)
        return await self.writer.write(Columns(ids, times, np.array(list(samples.values()))), Source.RPC, WriteMode.LIVE)

    def watch(self, *selectors: str, cursor: int | None = None) -> AsyncIterator[Delivery]:
        return Subscription(self.store, self.feed, [parse_selector(text) for text in selectors]).deliveries(cursor)


def told(delivery: Delivery) -> list[tuple[str, float]]:
    """(name@server, value) of each sample, by the definitions of this delivery."""
    labels = {series_id: dict(labels) for series_id, labels in delivery.series}
    rows = zip(delivery.columns.ids.tolist(), delivery.columns.values.tolist(), strict=True)
    return [(f"{labels[i]['__name__']}@{labels[i]['server']}", value) for i, value in rows]


async def test_a_snapshot_comes_first_and_then_each_batch() -> None:
    fixture = Fixture()
    await fixture.write({("cpu", "a"): 1.0, ("cpu", "b"): 2.0})
    await fixture.write({("cpu", "a"): 3.0}, seconds=10)
    watch = fixture.watch()
    first = await anext(watch)
    assert first.snapshot
    assert told(first) == [("cpu@a", 3.0), ("cpu@b", 2.0)]
    await fixture.write({("cpu", "b"): 4.0, ("memory", "b"): 5.0}, seconds=20)
    second = await anext(watch)
    assert not second.snapshot
    assert [dict(labels)["__name__"] for _, labels in second.series] == ["memory"]
    assert second.columns.values.tolist() == [4.0, 5.0]


async def test_an_empty_store_gives_an_empty_snapshot() -> None:
    first = await anext(Fixture().watch())
    assert (first.snapshot, len(first.columns), first.series) == (True, 0, [])


async def test_only_series_that_match_any_selector_are_sent() -> None:
    fixture = Fixture()
    await fixture.write({("cpu", "a"): 1.0, ("cpu", "b"): 2.0, ("memory", "b"): 3.0, ("disk", "c"): 4.0})
    watch = fixture.watch('cpu{server="a"}', "disk")
    assert told(await anext(watch)) == [("cpu@a", 1.0), ("disk@c", 4.0)]
    await fixture.write({("memory", "a"): 5.0}, seconds=10)
    await fixture.write({("disk", "a"): 6.0}, seconds=10)
    assert told(await anext(watch)) == [("disk@a", 6.0)]


async def test_a_reader_resumes_without_a_snapshot_and_without_a_gap() -> None:
    fixture = Fixture()
    await fixture.write({("cpu", "a"): 1.0})
    cursor = (await anext(fixture.watch())).cursor
    await fixture.write({("cpu", "a"): 2.0}, seconds=10)
    again = await anext(fixture.watch(cursor=cursor))
    assert not again.snapshot
    assert told(again) == [("cpu@a", 2.0)]


@pytest.mark.parametrize("cursor", [0, 12345, 2**63])
async def test_a_cursor_that_is_not_held_gives_a_snapshot(cursor: int) -> None:
    fixture = Fixture()
    await fixture.write({("cpu", "a"): 1.0})
    assert (await anext(fixture.watch(cursor=cursor))).snapshot


async def test_a_slow_reader_is_told() -> None:
    fixture = Fixture(feed_samples=3)
    watch = fixture.watch("cpu")
    await anext(watch)
    for step in range(10):
        await fixture.write({("cpu", "a"): float(step)}, seconds=step)
    late = await anext(watch)
    assert (told(late), late.dropped) == ([("cpu@a", 7.0), ("cpu@a", 8.0), ("cpu@a", 9.0)], 7)


async def test_duplicates_are_not_sent() -> None:
    fixture = Fixture()
    watch = fixture.watch()
    await anext(watch)
    await fixture.write({("cpu", "a"): 1.0})
    receipt = await fixture.write({("cpu", "a"): 9.0, ("cpu", "c"): 2.0})
    assert (receipt.accepted, receipt.duplicate) == (1, 1)
    # Both batches waited for the reader, so they come together.
    assert told(await anext(watch)) == [("cpu@a", 1.0), ("cpu@c", 2.0)]
    assert [r.accepted for r in fixture.receipts] == [1, 1]


async def test_a_large_snapshot_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "NEW_SERIES", 4)
    fixture = Fixture()
    await fixture.write({("cpu", f"s{number}"): float(number) for number in range(10)})
    watch = fixture.watch()
    parts: Sequence[Delivery] = [await anext(watch) for _ in range(3)]
    assert [len(part.columns) for part in parts] == [4, 4, 2]
    assert all(part.snapshot and part.cursor == fixture.feed.cursor for part in parts)
    assert [value for part in parts for _, value in told(part)] == [float(number) for number in range(10)]


async def test_many_new_series_come_in_parts_and_are_sent_again_to_who_leaves_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "NEW_SERIES", 4)
    fixture = Fixture()
    await fixture.write({("cpu", "known"): 0.0})
    watch = fixture.watch()
    before = (await anext(watch)).cursor
    await fixture.write({("cpu", f"s{number}"): float(number) for number in range(9)} | {("cpu", "known"): 1.0}, seconds=10)
    parts: Sequence[Delivery] = [await anext(watch) for _ in range(3)]
    assert [value for part in parts for value in part.columns.values.tolist()] == [*map(float, range(9)), 1.0]
    assert [len(part.series) for part in parts] == [4, 4, 1]
    assert [part.cursor for part in parts] == [before, before, fixture.feed.cursor]
    assert not any(part.snapshot for part in parts)
    again = fixture.watch(cursor=parts[1].cursor)
    parts = [await anext(again) for _ in range(3)]
    assert [value for part in parts for value in part.columns.values.tolist()] == [*map(float, range(9)), 1.0]


async def test_series_that_are_no_more_are_named_once_and_nothing_of_them_follows() -> None:
    fixture = Fixture()
    await fixture.write({("cpu", "a"): 1.0, ("cpu", "b"): 2.0, ("disk", "a"): 3.0})
    watch = fixture.watch("cpu")
    ids = {dict(labels)["server"]: series_id for series_id, labels in (await anext(watch)).series}
    await fixture.write({("cpu", "a"): 4.0, ("cpu", "b"): 5.0}, seconds=10)
    await fixture.writer.delete_series(parse_selector('{server="a"}'))
    message = await anext(watch)
    assert message.removed.tolist() == [ids["a"]]
    assert (message.columns.ids.tolist(), message.columns.values.tolist()) == ([ids["b"]], [5.0])
    # One of the same name is another series.
    await fixture.write({("cpu", "a"): 6.0}, seconds=20)
    message = await anext(watch)
    assert told(message) == [("cpu@a", 6.0)]
    assert message.series[0][0] != ids["a"]
    assert not len(message.removed)


async def test_a_reader_that_was_away_during_a_deletion_starts_over() -> None:
    fixture = Fixture()
    await fixture.write({("cpu", "a"): 1.0, ("cpu", "b"): 2.0})
    cursor = (await anext(fixture.watch())).cursor
    assert await fixture.writer.delete_series(parse_selector('{server="a"}')) == 1
    again = await anext(fixture.watch(cursor=cursor))
    assert again.snapshot
    assert told(again) == [("cpu@b", 2.0)]


async def test_deleting_what_is_not_there_tells_nobody() -> None:
    fixture = Fixture()
    await fixture.write({("cpu", "a"): 1.0})
    cursor = fixture.feed.cursor
    assert await fixture.writer.delete_series(parse_selector("memory")) == 0
    assert fixture.feed.cursor == cursor


async def test_the_past_is_stored_and_not_sent() -> None:
    fixture = Fixture()
    await fixture.write({("cpu", "a"): 1.0})
    cursor = fixture.feed.cursor
    ids = fixture.store.matching([])
    receipt = await fixture.writer.write_past(Columns(ids, np.array([NOW_MS - 9 * 86_400_000]), np.array([7.0])), Source.FLEET)
    assert receipt.accepted == 1
    assert fixture.feed.cursor == cursor
    assert fixture.receipts[-1] is receipt
