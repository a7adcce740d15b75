import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from services.common.clock import ManualClock, settle
from services.common.errors import RefusedError, UnavailableError
from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import Columns, Matcher, Receipt, WriteMode
from services.metrics.domain.stored_fleet import FleetChangedError, StoredFleet
from services.metrics.domain.write import SampleWriter, Source

NOW_MS = 1_700_000_000_000
CPU = (("__name__", "cpu"), ("fleet", "demo"), ("server", "a"))
OTHER = (("__name__", "cpu"), ("server", "b"))


class FussyStore(MemoryStore):
    """A store whose deletions fail when told, and whose appends wait when told."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.may_append = asyncio.Event()
        self.may_append.set()

    async def append(self, columns: Columns, *, mode: WriteMode = WriteMode.LIVE, now_ms: int) -> Receipt:
        await self.may_append.wait()
        return await super().append(columns, mode=mode, now_ms=now_ms)

    async def delete_series(self, matchers: Sequence[Matcher]) -> int:
        if self.broken:
            raise UnavailableError("the disk is full", reason="STORE_WRITE_FAILED")
        return await super().delete_series(matchers)


class Fixture:
    def __init__(self) -> None:
        self.store = FussyStore()
        self.clock = ManualClock(NOW_MS / 1000)
        self.writer = SampleWriter(self.store, Feed(NOW_MS), self.clock, lambda *_: None)
        self.fleet = StoredFleet(self.store, self.writer, self.clock)

    async def begin(self, generation: int) -> None:
        await self.fleet.begin(generation, self.fleet.fences)

    async def write(self, generation: int, seconds: int = 0) -> None:
        async def work() -> None:
            ids = (await self.store.register([CPU])).ids
            times = np.array([NOW_MS + 1000 * seconds])
            await self.writer.write(Columns(ids, times, np.array([float(generation)])), Source.FLEET)

        await self.fleet.write(generation, work)

    async def values(self) -> dict[str, float]:
        latest = await self.store.latest()
        names = [dict(labels)["__name__"] + dict(labels).get("server", "") for labels in self.store.labels_of(latest.ids)]
        return dict(zip(names, latest.values.tolist(), strict=True))


@pytest.fixture
async def fixture() -> Fixture:
    return Fixture()


async def test_nothing_is_written_before_a_generation_has_begun(fixture: Fixture) -> None:
    with pytest.raises(FleetChangedError):
        await fixture.write(1)
    await fixture.begin(1)
    await fixture.write(1)
    assert await fixture.values() == {"fleet_generation": 1.0, "cpua": 1.0}


async def test_the_same_generation_goes_on_after_a_restart_and_another_replaces_it(fixture: Fixture) -> None:
    await fixture.begin(7)
    await fixture.write(7)
    for generation, expected in ((7, {"fleet_generation": 7.0, "cpua": 7.0}), (3, {"fleet_generation": 3.0})):
        again = StoredFleet(fixture.store, fixture.writer, fixture.clock)
        await again.begin(generation, again.fences)
        assert await fixture.values() == expected


async def test_series_of_others_stay(fixture: Fixture) -> None:
    ids = (await fixture.store.register([OTHER])).ids
    await fixture.writer.write(Columns(ids, np.array([NOW_MS]), np.array([5.0])), Source.RPC)
    await fixture.begin(1)
    await fixture.write(1)
    assert await fixture.fleet.forget(2) == 2
    assert await fixture.values() == {"cpub": 5.0, "fleet_generation": 2.0}


async def test_forgetting_waits_for_the_writes_under_way_even_if_their_callers_left(fixture: Fixture) -> None:
    await fixture.begin(1)
    fixture.store.may_append.clear()
    left, stays = (asyncio.create_task(fixture.write(1, second)) for second in (0, 1))
    await settle()
    left.cancel()
    forgetting = asyncio.create_task(fixture.fleet.forget(2))
    late = asyncio.create_task(fixture.write(1, 2))
    await settle()
    assert not forgetting.done()
    fixture.store.may_append.set()
    assert await forgetting == 2
    await stays
    with pytest.raises(FleetChangedError):
        await late
    assert await fixture.values() == {"fleet_generation": 2.0}


async def test_what_was_learnt_before_forgetting_begins_nothing(fixture: Fixture) -> None:
    await fixture.begin(1)
    fences = fixture.fleet.fences
    fenced = asyncio.create_task(fixture.fleet.fenced(fences))
    await fixture.fleet.forget(2)
    await asyncio.wait_for(fenced, 1.0)
    with pytest.raises(FleetChangedError):
        await fixture.fleet.begin(1, fences)
    assert await fixture.values() == {"fleet_generation": 2.0}
    await fixture.begin(2)
    await fixture.write(2)


async def test_forgetting_what_is_forgotten_does_nothing_and_going_back_is_refused(fixture: Fixture) -> None:
    await fixture.begin(5)
    await fixture.write(5)
    assert await fixture.fleet.forget(5) == 0
    with pytest.raises(RefusedError, match="generation 5 already"):
        await fixture.fleet.forget(4)
    assert await fixture.values() == {"fleet_generation": 5.0, "cpua": 5.0}


async def test_a_store_that_cannot_delete_lets_nothing_in_until_it_can(fixture: Fixture) -> None:
    await fixture.begin(1)
    await fixture.write(1)
    fixture.store.broken = True
    with pytest.raises(UnavailableError):
        await fixture.fleet.forget(2)
    for generation in (1, 2):
        with pytest.raises(FleetChangedError):
            await fixture.write(generation, 10)
    fixture.store.broken = False
    assert await fixture.fleet.forget(2) == 2
    await fixture.begin(2)
    await fixture.write(2, 20)
    assert await fixture.values() == {"fleet_generation": 2.0, "cpua": 2.0}
