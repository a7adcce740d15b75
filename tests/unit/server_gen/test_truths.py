"""The truth is computed once for each fault, however often it is asked for and whoever joins."""

import asyncio

import pytest

from services.common.clock import ManualClock
from services.common.pools.threads import ThreadPool
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.scenario_file import load_scenario
from services.server_gen.domain.faults.truth import Truth
from services.server_gen.domain.fleet import Fleet
from services.server_gen.domain.injection import FaultWish
from services.server_gen.domain.snapshot import Snapshot
from services.server_gen.domain.truths import Truths
from tests.support.fleet_state import MemoryState, an_open_fleet

NOW = 1_795_000_000.0
DAY = 86_400.0


class Counted:
    """Truths of a fleet, counting what is really computed."""

    def __init__(self, fleet: Fleet, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.computed: list[Fault] = []
        self.pool = ThreadPool("truth", workers=1)
        self.truths = Truths(fleet, self.pool, clock)
        compute = fleet.world.truth

        def counting(snapshot: Snapshot, fault: Fault) -> Truth:
            self.computed.append(fault)
            return compute(snapshot, fault)

        monkeypatch.setattr(fleet.world, "truth", counting)


async def test_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(NOW)
    async with an_open_fleet(MemoryState(), clock, first_size=20, scenario=load_scenario("demo")) as fleet:
        counted = Counted(fleet, clock, monkeypatch)
        snapshot, faults = await counted.truths.between(NOW - DAY, NOW + DAY, cancelled=False)
        first, second = await asyncio.gather(*(counted.truths.of(snapshot, faults) for _ in range(2)))
        assert len(faults) > 1
        assert first == second == await counted.truths.of(snapshot, faults)
        assert sorted(fault.id for fault in counted.computed) == sorted(fault.id for fault in faults)
        await counted.pool.stop()


async def test_a_change_elsewhere_leaves_it_known(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(NOW)
    async with an_open_fleet(MemoryState(), clock, first_size=19) as fleet:
        counted = Counted(fleet, clock, monkeypatch)
        skewed = await fleet.inject(FaultWish("clock_skew", "app-01", None, 600.0, 0.7))
        before = await counted.truths.of(skewed.snapshot, [skewed.fault])
        slow = await fleet.inject(FaultWish("slow_query", "", None, 600.0, 0.7))
        grown = await fleet.grow()
        assert await counted.truths.of(grown.snapshot, [skewed.fault]) == before
        assert counted.computed == [skewed.fault]
        await counted.truths.of(grown.snapshot, [slow.fault])
        assert counted.computed == [skewed.fault, slow.fault]
        cancelled = await fleet.cancel(skewed.fault.id)
        (after,) = await counted.truths.of(cancelled.snapshot, [cancelled.fault])
        assert after.symptoms == ()
        await counted.pool.stop()


async def test_it_is_at_hand_before_anybody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(NOW)
    async with an_open_fleet(MemoryState(), clock, first_size=20) as fleet:
        counted = Counted(fleet, clock, monkeypatch)
        ready = asyncio.Event()
        fleet_changed = fleet.changed

        async def idle() -> None:
            ready.set()
            await fleet_changed()

        monkeypatch.setattr(fleet, "changed", idle)
        preparing = asyncio.create_task(counted.truths.prepare())
        for number, kind in enumerate(("clock_skew", "disk_fill"), 1):
            planned = await fleet.inject(FaultWish(kind, "", None, 600.0, 0.7))
            await clock.advance(10)
            async with asyncio.timeout(30):
                await ready.wait()
            ready.clear()
            assert len(counted.computed) == number
            await counted.truths.of(planned.snapshot, [planned.fault])
            assert len(counted.computed) == number
        preparing.cancel()
        await asyncio.wait([preparing])
        await counted.pool.stop()
