"""What every place must do that the fleet's state is kept in."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from services.server_gen.domain.ports import FleetRecord, FleetState
from tests.support.fleet_state import a_fault

Reopen = Callable[[], AbstractAsyncContextManager[FleetState]]

RECORD = FleetRecord(size=7, generation=1_795_000_000_123, epoch=1_795_000_000.123456, world="f" * 64)


async def test_nothing_was_kept_at_first(reopen: Reopen) -> None:
    async with reopen() as state:
        assert await state.load() is None


async def test_a_fleet_and_its_faults_are_the_same_to_the_next_process(reopen: Reopen) -> None:
    faults = [a_fault(2, severity=1 / 3), a_fault(1, kind="clock_skew", cancelled_at=1_795_000_300.25)]
    async with reopen() as state:
        await state.begin(RECORD)
        for fault in faults:
            await state.add_fault(fault)
    async with reopen() as state:
        kept = await state.load()
    assert kept is not None
    assert kept.record == RECORD
    assert kept.faults == tuple(reversed(faults))


async def test_growing_keeps_the_faults(reopen: Reopen) -> None:
    async with reopen() as state:
        await state.begin(RECORD)
        await state.add_fault(a_fault())
        await state.keep(replace(RECORD, size=8))
        kept = await state.load()
    assert kept is not None
    assert kept.record == replace(RECORD, size=8)
    assert kept.faults == (a_fault(),)


async def test_a_fault_can_be_withdrawn(reopen: Reopen) -> None:
    async with reopen() as state:
        await state.begin(RECORD)
        await state.add_fault(a_fault(1))
        await state.add_fault(a_fault(2))
        await state.cancel_fault("fault-2", 1_795_000_100.5)
    async with reopen() as state:
        kept = await state.load()
    assert kept is not None
    assert kept.faults == (a_fault(1), a_fault(2, cancelled_at=1_795_000_100.5))


async def test_beginning_anew_forgets_all_faults(reopen: Reopen) -> None:
    anew = FleetRecord(0, RECORD.generation + 1, RECORD.epoch + 60.0, RECORD.world)
    async with reopen() as state:
        await state.begin(RECORD)
        await state.add_fault(a_fault())
        await state.begin(anew)
    async with reopen() as state:
        kept = await state.load()
    assert kept is not None
    assert kept.record == anew
    assert kept.faults == ()
