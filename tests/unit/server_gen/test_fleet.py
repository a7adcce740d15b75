"""The fleet grows, is emptied and disturbed, and forgets nothing that it has said."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.common.clock import ManualClock
from services.common.errors import ConflictError, UnavailableError
from services.server_gen.domain.faults.scenario_file import load_scenario
from services.server_gen.domain.fleet import Fleet
from services.server_gen.domain.injection import FaultWish
from services.server_gen.domain.snapshot import HISTORY_SECONDS
from tests.support.fleet_state import MemoryState, an_open_fleet

NOW = 1_795_000_000.0
MILLISECONDS = round(NOW * 1000)
WISH = FaultWish("disk_slow", "db-primary-seoul-1", None, 600.0, 0.7)


def names(fleet: Fleet) -> list[str]:
    return [server.hostname for server in fleet.snapshot.servers]


async def test_a_fleet_begins_as_told_and_then_stays_as_it_was() -> None:
    state = MemoryState()
    async with an_open_fleet(state, ManualClock(NOW), first_size=3) as fleet:
        assert names(fleet) == ["lb-01", "web-01", "api-01"]
        assert (fleet.snapshot.generation, fleet.snapshot.record.epoch) == (MILLISECONDS, NOW)
        await fleet.grow()
        before = fleet.snapshot.record
    async with an_open_fleet(state, ManualClock(NOW + 1e6), first_size=20) as again:
        assert again.snapshot.record == before
        assert len(names(again)) == 4


async def test_growth_ends_when_the_fleet_is_complete() -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), target_size=3) as fleet:
        grown = [await fleet.grow(believed_size=size) for size in (0, 1, 2)]
        assert [len(growth.snapshot.servers) for growth in grown] == [1, 2, 3]
        assert [growth.server.hostname for growth in grown if growth.server] == ["lb-01", "web-01", "api-01"]
        # A caller whose count is behind learns that all is done, which is what it wanted.
        late = await fleet.grow(believed_size=0)
        assert (late.server, len(late.snapshot.servers)) == (None, 3)


async def test_a_caller_that_is_behind_is_told() -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=1) as fleet:
        with pytest.raises(ConflictError, match="1 servers now, not 0"):
            await fleet.grow(believed_size=0)
        assert len(names(fleet)) == 1
        assert len((await fleet.grow(believed_size=7, reset=True)).snapshot.servers) == 1


async def test_a_smaller_target_cuts_the_fleet_and_its_faults_come_back_with_the_servers() -> None:
    state = MemoryState()
    async with an_open_fleet(state, ManualClock(NOW), first_size=20) as fleet:
        await fleet.inject(WISH)
    async with an_open_fleet(state, ManualClock(NOW), target_size=3) as smaller:
        assert len(names(smaller)) == 3
        assert smaller.snapshot.injected == ()
    async with an_open_fleet(state, ManualClock(NOW)) as again:
        assert [fault.server for fault in again.snapshot.injected] == ["db-primary-seoul-1"]


@pytest.mark.parametrize("later_seconds", [0.0, -3600.0, 60.0])
async def test_every_generation_is_higher_whatever_the_clock_does(later_seconds: float) -> None:
    state = MemoryState()
    async with an_open_fleet(state, ManualClock(NOW), first_size=5) as fleet:
        first = fleet.snapshot.generation
    later = NOW + later_seconds
    async with an_open_fleet(state, ManualClock(later)) as fleet:
        emptied = await fleet.empty()
        again = await fleet.grow(reset=True)
        assert emptied.removed == 5
        assert first < emptied.generation < again.snapshot.generation
        assert emptied.generation == max(first + 1, round(later * 1000))
        assert again.snapshot.record.epoch == later


async def test_emptying_takes_the_faults_away() -> None:
    state = MemoryState()
    async with an_open_fleet(state, ManualClock(NOW), first_size=20) as fleet:
        await fleet.inject(WISH)
        await fleet.empty()
        assert fleet.snapshot.injected == ()
        assert fleet.snapshot.plan.faults == ()
        assert state.faults == {}


async def test_another_seed_or_scenario_makes_another_generation_with_the_same_faults() -> None:
    state = MemoryState()
    async with an_open_fleet(state, ManualClock(NOW), first_size=20) as fleet:
        await fleet.inject(WISH)
        before = fleet.snapshot
    async with an_open_fleet(state, ManualClock(NOW), seed=2) as fleet:
        assert fleet.snapshot.generation == before.generation + 1
        assert fleet.snapshot.record.epoch == before.record.epoch
        assert fleet.snapshot.injected == before.injected
    async with an_open_fleet(state, ManualClock(NOW), seed=2, scenario=load_scenario("demo")) as fleet:
        assert fleet.snapshot.generation == before.generation + 2


async def test_callers_at_once_each_get_what_they_asked_for() -> None:
    state, clock = MemoryState(), ManualClock(NOW)
    async with an_open_fleet(state, clock) as fleet:
        grown = await asyncio.gather(*(fleet.grow() for _ in range(20)))
        assert len({growth.server.hostname for growth in grown if growth.server}) == 20
        changes: list[Awaitable[Any]] = [fleet.inject(replace(WISH, start=NOW + 3600.0 * hour)) for hour in range(12)]
        changes[6:6] = [fleet.empty(), fleet.grow(), fleet.grow()]
        results = await asyncio.gather(*changes, return_exceptions=True)
        # The reset came between; what was injected after it found no database to slow down.
        assert [isinstance(result, Exception) for result in results] == [False] * 9 + [True] * 6
        assert fleet.snapshot.injected == ()
        kept = await state.load()
        assert kept is not None
        assert (kept.record, kept.faults) == (fleet.snapshot.record, fleet.snapshot.injected)
        assert names(fleet) == ["lb-01", "web-01"]


async def test_a_fault_disturbs_the_fleet_from_its_start_to_its_end_and_nothing_else() -> None:
    times = NOW + 60.0 * np.arange(-30.0, 60.0)
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=20) as fleet:
        healthy = fleet.snapshot.figures(times)
        await fleet.inject(WISH)
        disturbed = fleet.snapshot.figures(times)
    changed = ~np.isclose(healthy[4], disturbed[4], equal_nan=True)[:, names(fleet).index("db-primary-seoul-1")]
    assert not changed[times < NOW].any()
    assert changed[(times > NOW + 120) & (times < NOW + 480)].all()
    assert not changed[times > NOW + 1800].any()


async def test_a_withdrawn_fault_has_been_what_it_was() -> None:
    times = NOW + 10.0 * np.arange(30.0)
    clock = ManualClock(NOW)
    async with an_open_fleet(MemoryState(), clock, first_size=20) as fleet:
        planned = await fleet.inject(WISH)
        before = fleet.snapshot.figures(times)
        await clock.advance(300)
        cancelled = await fleet.cancel(planned.fault.id)
        assert cancelled.fault == replace(planned.fault, cancelled_at=NOW + 300)
        assert np.array_equal(fleet.snapshot.figures(times), before, equal_nan=True)


async def test_what_the_scenario_plans_is_known_ahead_however_long_the_fleet_runs() -> None:
    clock = ManualClock(NOW)
    async with an_open_fleet(MemoryState(), clock, first_size=20, scenario=load_scenario("demo")) as fleet:
        starts = [fault.start for fault in fleet.snapshot.plan.faults]
        assert min(starts) < NOW - HISTORY_SECONDS + 3 * 86_400
        for _ in range(20):
            await clock.advance(86_400.0)
            snapshot = await fleet.current()
            assert max(fault.start for fault in snapshot.plan.faults) > clock.now()
            assert snapshot.foreseen >= clock.now() + 86_400.0
        assert snapshot.generation == MILLISECONDS


@pytest.mark.parametrize("lost", [True, False])
async def test_a_change_that_was_not_confirmed_is_looked_up_before_the_next(lost: bool) -> None:
    state = MemoryState()
    async with an_open_fleet(state, ManualClock(NOW), first_size=4) as fleet:
        state.lose_writes, state.lose_answers = lost, True
        with pytest.raises(UnavailableError):
            await fleet.grow()
        assert len(names(fleet)) == 4
        state.lose_writes = state.lose_answers = False
        assert len((await fleet.grow()).snapshot.servers) == (5 if lost else 6)


async def test_a_caller_that_gives_up_leaves_no_change_half_done() -> None:
    class Slow(MemoryState):
        def __init__(self) -> None:
            super().__init__()
            self.written, self.go_on = asyncio.Event(), asyncio.Event()

        def _write(self, write: Callable[[], None]) -> None:
            super()._write(write)
            self.written.set()

        async def keep(self, record: Any) -> None:
            await super().keep(record)
            await self.go_on.wait()

    state = Slow()
    async with an_open_fleet(state, ManualClock(NOW), first_size=4) as fleet:
        state.written.clear()
        growing = asyncio.create_task(fleet.grow())
        await state.written.wait()
        growing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await growing
        state.go_on.set()
        await fleet.close()
        assert len(names(fleet)) == 5
