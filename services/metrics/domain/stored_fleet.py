"""What the store holds of the virtual fleet: one generation of it at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import numpy as np
import structlog

from services.common.clock import Clock
from services.common.errors import RefusedError
from services.metrics.domain.ports import NAME_LABEL, Columns, Labels, Matcher, MatchOp, SampleStore
from services.metrics.domain.write import SampleWriter, Source

log = structlog.get_logger("metrics.fleet")

FLEET: Final = Matcher("fleet", MatchOp.EQUAL, "demo")
"""What every series of the virtual fleet has, and no other."""
GENERATION_SERIES: Final[Labels] = ((NAME_LABEL, "fleet_generation"), ("fleet", "demo"))
"""Its newest value is the generation that the store holds, so that the store itself says so after any restart."""

T = TypeVar("T")


class FleetChangedError(Exception):
    """The samples are of a generation that is not the one in the store any more."""


class StoredFleet:
    """Every write of the fleet's samples, and every change from one generation to the next, goes through here.

    A change waits for the writes that are under way, deletes what there is, and only then lets the new generation in.

    Args:
        store: tells which generation it holds.
        writer: deletes, and writes the series of the generation.
        clock: gives the time of that series' sample.
    """

    def __init__(self, store: SampleStore, writer: SampleWriter, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self._generation: int | None = None
        self._fences = 0
        self._fenced = asyncio.Event()
        self._lock = asyncio.Lock()
        self._writes: set[asyncio.Task[Any]] = set()

    @property
    def fences(self) -> int:
        """How often somebody has asked to forget; what was learnt about the fleet before the last time is stale."""
        return self._fences

    async def fenced(self, fences: int) -> None:
        """Wait until somebody asks to forget, unless that has happened since there were so many `fences`."""
        while self._fences == fences:
            await self._fenced.wait()

    async def begin(self, generation: int, fences: int) -> None:
        """Make the store hold this generation alone, whichever it held before.

        Args:
            generation: what the fleet says that it is.
            fences: as they were before the fleet was asked.

        Raises:
            FleetChangedError: somebody has asked to forget meanwhile; ask the fleet again.
            UnavailableError: the store cannot write; nothing of any generation is let in until a later call succeeds.
        """
        async with self._alone():
            if fences != self._fences:
                raise FleetChangedError
            present = await self._present()
            if present == generation:
                self._generation = generation
                return
            deleted = await self._replace(generation)
            if deleted:
                log.info("fleet_replaced", generation=generation, earlier=present, series=deleted)

    async def forget(self, generation: int) -> int:
        """Delete all earlier generations: on return nothing of them is in the store or can still come. Gives the number of series.

        Raises:
            RefusedError: the store holds a later generation (`LATER_GENERATION`).
            UnavailableError: the store cannot write; nothing of earlier generations comes in any more, but some may be left.
        """
        async with self._alone():
            present = await self._present()
            if present is not None and present > generation:
                message = f"the fleet is at generation {present} already, so {generation} cannot be the one to stay"
                raise RefusedError(message, reason="LATER_GENERATION")
            if present == generation:
                self._generation = generation
                return 0
            self._fences += 1
            self._fenced.set()
            self._fenced = asyncio.Event()
            deleted = await self._replace(generation)
            log.info("fleet_forgotten", generation=generation, earlier=present, series=deleted)
            return deleted

    async def write(self, generation: int, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a write of samples of this generation. Once begun it goes on to its end, even if the caller is cancelled.

        Raises:
            FleetChangedError: the store holds another generation.
        """
        async with self._lock:
            if generation != self._generation:
                raise FleetChangedError
            task = asyncio.create_task(work(), name="metrics.fleet.write")
            self._writes.add(task)
            task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait for the writes under way."""
        while self._writes:
            await asyncio.wait(self._writes)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._lock:
            await self.settle()
            yield

    async def _present(self) -> int | None:
        if self._generation is None:
            latest = await self._store.latest([Matcher(name, MatchOp.EQUAL, value) for name, value in GENERATION_SERIES])
            return int(latest.values[0]) if len(latest) else None
        return self._generation

    async def _replace(self, generation: int) -> int:
        self._generation = None
        deleted = await self._writer.delete_series([FLEET])
        ids = (await self._store.register([GENERATION_SERIES])).ids
        if ids[0]:
            time_ms = np.array([round(self._clock.now() * 1000)], np.int64)
            await self._writer.write(Columns(ids, time_ms, np.array([float(generation)])), Source.FLEET)
        self._generation = generation
        return deleted

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._writes.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved here, for a caller that was cancelled does not look
