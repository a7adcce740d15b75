"""The truth about the faults of the fleet, computed once each."""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Final

from services.common.clock import Clock
from services.common.errors import DeadlineExceededError, ResourceExhaustedError
from services.common.pools.pool import Pool
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.truth import Truth
from services.server_gen.domain.fleet import Fleet
from services.server_gen.domain.snapshot import Snapshot

AHEAD_SECONDS: Final = 86_400.0
"""How far ahead the truth is looked up when nobody says."""
_COMPUTE_SECONDS: Final = 50.0
_PAUSE_SECONDS: Final = 5.0
_MOST_KEPT: Final = 20_000
_MOST_PREPARED: Final = 200


class Truths:
    """Remembers the truth about faults as long as the fleet keeps its servers.

    Args:
        fleet: whose faults.
        pool: where the truth is computed.
        clock: tells the present.
    """

    def __init__(self, fleet: Fleet, pool: Pool, clock: Clock) -> None:
        self._fleet = fleet
        self._pool = pool
        self._clock = clock
        self._known: dict[Fault, Truth] = {}
        self._of: tuple[int, int] = (0, 0)
        self._by_reach: dict[Hashable, Truth] = {}
        self._computing = asyncio.Lock()

    async def of(self, snapshot: Snapshot, faults: Sequence[Fault]) -> list[Truth]:
        """The truth about each of these faults of this fleet."""
        return [self._remembered(snapshot).get(fault) or await self._compute(snapshot, fault) for fault in faults]

    async def between(self, start: float | None, end: float | None, *, cancelled: bool) -> tuple[Snapshot, list[Fault]]:
        """The faults that are under way somewhere in [start, end), the latest start first, and the fleet that has them.

        Args:
            start: Unix time; None for as far back as the fleet's past goes.
            end: Unix time; None for one day ahead.
            cancelled: with those that were withdrawn.
        """
        snapshot = await self._fleet.current()
        end = self._clock.now() + AHEAD_SECONDS if end is None else end
        first = float("-inf") if start is None else start
        expand = self._fleet.world.scenario_faults
        of_scenario = await self._pool.run(_COMPUTE_SECONDS, expand, snapshot.record, snapshot.servers, first, end)
        found = [
            fault
            for fault in (*of_scenario, *snapshot.injected)
            # One that was withdrawn before it began is shown where it would have been.
            if fault.start < end and (fault.stop > first or fault.start >= first) and (cancelled or fault.cancelled_at is None)
        ]
        found.sort(key=lambda fault: (fault.start, fault.id), reverse=True)
        return snapshot, found

    async def prepare(self) -> None:
        """Have at hand what is asked for first, whenever the fleet has changed."""
        while True:
            await self._clock.sleep(_PAUSE_SECONDS)  # a fleet that grows changes again and again
            snapshot = self._fleet.snapshot
            try:
                await self._prepare(snapshot)
            except (ResourceExhaustedError, DeadlineExceededError):
                continue  # others are served first
            if self._fleet.snapshot is snapshot:
                await self._fleet.changed()

    async def _prepare(self, snapshot: Snapshot) -> None:
        _, faults = await self.between(None, None, cancelled=False)
        for fault in faults[:_MOST_PREPARED]:
            if self._fleet.snapshot is not snapshot:
                return
            await self.of(snapshot, [fault])

    async def _compute(self, snapshot: Snapshot, fault: Fault) -> Truth:
        async with self._computing:  # whoever waited for the same truth finds it
            known = self._remembered(snapshot)
            if fault not in known:
                known[fault] = await self._pool.run(_COMPUTE_SECONDS, self._look_up, snapshot, fault)
            return known[fault]

    def _look_up(self, snapshot: Snapshot, fault: Fault) -> Truth:
        """In the pool, one at a time: a server that joins changes the truth about few faults."""
        world = self._fleet.world
        reach = world.reach(snapshot, fault)
        truth = self._by_reach.get(reach)
        if truth is None:
            truth = world.truth(snapshot, fault)
            if len(self._by_reach) >= _MOST_KEPT:
                del self._by_reach[next(iter(self._by_reach))]
            self._by_reach[reach] = truth
        return truth

    def _remembered(self, snapshot: Snapshot) -> dict[Fault, Truth]:
        of = (snapshot.generation, len(snapshot.servers))
        if of > self._of or len(self._known) >= _MOST_KEPT:
            self._known, self._of = {}, of
        # Who still looks at an older fleet gets no truth of the present one, and leaves none behind.
        return self._known if of == self._of else {}
