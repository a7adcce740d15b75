"""A state of the fleet in memory, and values for tests of the fleet."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from services.common.clock import Clock
from services.common.errors import UnavailableError
from services.common.pools.threads import ThreadPool
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.scenario import Scenario
from services.server_gen.domain.fleet import Fleet
from services.server_gen.domain.ports import FleetRecord, KeptFleet
from services.server_gen.domain.snapshot import World

CALM = Scenario("calm")


class MemoryState:
    """Implements `FleetState`; `fail_with` makes writes fail, before or after they were kept."""

    def __init__(self) -> None:
        self.record: FleetRecord | None = None
        self.faults: dict[str, Fault] = {}
        self.lose_writes = False
        self.lose_answers = False

    async def load(self) -> KeptFleet | None:
        if self.record is None:
            return None
        return KeptFleet(self.record, tuple(self.faults[key] for key in sorted(self.faults)))

    async def keep(self, record: FleetRecord) -> None:
        self._write(lambda: setattr(self, "record", record))

    async def begin(self, record: FleetRecord) -> None:
        def write() -> None:
            self.record, self.faults = record, {}

        self._write(write)

    async def add_fault(self, fault: Fault) -> None:
        self._write(lambda: self.faults.update({fault.id: fault}))

    async def cancel_fault(self, fault_id: str, cancelled_at: float) -> None:
        changed = replace(self.faults[fault_id], cancelled_at=cancelled_at)
        self._write(lambda: self.faults.update({fault_id: changed}))

    def _write(self, write: Callable[[], None]) -> None:
        if not self.lose_writes:
            write()
        if self.lose_writes or self.lose_answers:
            raise UnavailableError("the disk is away", reason="DATABASE_UNAVAILABLE")


@asynccontextmanager
async def an_open_fleet(
    state: MemoryState,
    clock: Clock,
    *,
    first_size: int = 0,
    target_size: int = 20,
    seed: int = 1,
    scenario: Scenario = CALM,
) -> AsyncIterator[Fleet]:
    """A fleet over this state; its faults are called fault-1, fault-2 and so on."""
    pool = ThreadPool("test")
    numbers = itertools.count(len(state.faults) + 1)
    fleet = Fleet(World(seed, scenario), target_size, state, pool, clock, lambda: f"fault-{next(numbers)}")
    try:
        await fleet.open(first_size)
        yield fleet
    finally:
        await fleet.close()
        await pool.stop()


def a_fault(number: int = 1, **changes: Any) -> Fault:
    """An injected fault with every field set."""
    start = 1_795_000_000.125 + number
    fault = Fault(f"fault-{number}", "disk_slow", "db-primary-seoul-1", 0.7, start, start + 600.5, "injected")
    return replace(fault, **changes)
