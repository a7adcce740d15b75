"""The truth about the faults of the fleet, computed once each."""

from collections.abc import Sequence
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

    async def of(self, snapshot: Snapshot, faults: Sequence[Fault]) -> list[Truth]:
        """The truth about each of these faults of this fleet."""
        truths = []
        for fault in faults:
            known = self._remembered(snapshot)
            truth = known.get(fault)
            if truth is None:
                truth = await self._pool.run(_COMPUTE_SECONDS, self._fleet.world.truth, snapshot, fault)
                if len(known) >= _MOST_KEPT:
                    del known[next(iter(known))]
                known[fault] = truth
            truths.append(truth)
        return truths

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
            snapshot = self._fleet.snapshot
            try:
                await self._prepare(snapshot)
            except (ResourceExhaustedError, DeadlineExceededError):  # others are served first
                await self._clock.sleep(_PAUSE_SECONDS)
            if self._fleet.snapshot is snapshot:
                await self._fleet.changed()

    async def _prepare(self, snapshot: Snapshot) -> None:
        _, faults = await self.between(None, None, cancelled=False)
        for fault in faults[:_MOST_PREPARED]:
            if self._fleet.snapshot is not snapshot:
                return
            await self.of(snapshot, [fault])

    def _remembered(self, snapshot: Snapshot) -> dict[Fault, Truth]:
        of = (snapshot.generation, len(snapshot.servers))
        if of > self._of:
            self._known, self._of = {}, of
        # Who still looks at an older fleet gets no truth of the present one, and leaves none behind.
        return self._known if of == self._of else {}
