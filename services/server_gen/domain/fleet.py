"""The fleet: which servers and faults it has now, and how it grows, is emptied and is disturbed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import structlog

from services.common.clock import Clock
from services.common.errors import (
    ConflictError,
    NotFoundError,
    OpenManagerError,
    RefusedError,
)
from services.common.ids import IdSource
from services.common.pools.pool import Pool
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.injection import FaultWish, check_room, plan_fault, shown
from services.server_gen.domain.ports import FleetRecord, FleetState
from services.server_gen.domain.roster import VirtualServer
from services.server_gen.domain.snapshot import FORESIGHT_SECONDS, Snapshot, World

log = structlog.get_logger("server_gen.fleet")

T = TypeVar("T")
_COMPUTE_SECONDS: Final = 50.0


@dataclass(frozen=True)
class Growth:
    """What adding a server came to: the new server, or None when the fleet was complete, and the fleet after it."""

    server: VirtualServer | None
    snapshot: Snapshot


@dataclass(frozen=True)
class Emptied:
    """What emptying the fleet came to: how many servers it had, and the generation that begins."""

    removed: int
    generation: int


@dataclass(frozen=True)
class PlannedFault:
    """A fault, and the fleet that has it."""

    fault: Fault
    snapshot: Snapshot


class Fleet:
    """Servers in the order of the roster, up to `target_size`, and their faults. A change counts once it has been kept.

    A caller that gives up does not stop its change half way: once begun, a change goes to its end.

    Args:
        world: what samples follow from.
        target_size: servers in a complete fleet.
        state: keeps the fleet between starts.
        pool: where snapshots are computed.
        clock: tells the present.
        new_id: makes ids of faults.
    """

    def __init__(self, world: World, target_size: int, state: FleetState, pool: Pool, clock: Clock, new_id: IdSource) -> None:
        self.world = world
        self.target_size = target_size
        self._state = state
        self._pool = pool
        self._clock = clock
        self._new_id = new_id
        self._snapshot: Snapshot | None = None
        self._faults: tuple[Fault, ...] = ()
        self._changed = asyncio.Event()
        self._changing = asyncio.Lock()
        self._changes: set[asyncio.Task[Any]] = set()
        self._in_doubt = False
        """Whether a change broke off, so that what is kept may not be what is shown."""

    async def open(self, first_size: int) -> None:
        """Take up the fleet that was kept, or begin one with this many servers.

        Raises:
            UnavailableError: the state cannot be reached.
        """
        kept = await self._state.load()
        if kept is None:
            now = self._clock.now()
            first = FleetRecord(min(first_size, self.target_size), round(now * 1000), now, self.world.fingerprint)
            await self._state.begin(first)
        elif kept.record.world != self.world.fingerprint:
            # What was told of this fleet no longer follows from it.
            record = replace(kept.record, generation=self._next_generation(kept.record), world=self.world.fingerprint)
            log.info("world_changed", generation=record.generation)
            await self._state.keep(record)
        await self._take_up()

    async def close(self) -> None:
        """Wait for the changes that are under way."""
        await asyncio.gather(*self._changes, return_exceptions=True)

    @property
    def snapshot(self) -> Snapshot:
        """The fleet now; another object after each change."""
        if self._snapshot is None:
            raise RuntimeError("the fleet is not open")
        return self._snapshot

    async def changed(self) -> None:
        """Wait until the fleet is another one than now."""
        await self._changed.wait()

    async def current(self) -> Snapshot:
        """The fleet now, with the faults of its scenario for at least half the foresight."""
        if self._is_stale():
            await self._in_turn(self._renew)
        return self.snapshot

    async def grow(self, *, believed_size: int | None = None, reset: bool = False) -> Growth:
        """Add the next server, unless the fleet is complete.

        Args:
            believed_size: how many servers the caller believes there are.
            reset: empty the fleet first; what the caller believed no longer matters then.

        Raises:
            ConflictError: the fleet has another size than the caller believes (`FLEET_CHANGED`).
            UnavailableError: the change could not be kept.
        """
        return await self._in_turn(lambda: self._grow(believed_size, reset))

    async def empty(self) -> Emptied:
        """Remove every server and every fault, and begin another generation.

        Raises:
            UnavailableError: the change could not be kept.
        """
        return await self._in_turn(self._empty)

    async def inject(self, wish: FaultWish) -> PlannedFault:
        """Plan a fault.

        Raises:
            InvalidArgumentError: `UNKNOWN_KIND`, `INVALID_FAULT`.
            RefusedError: `UNKNOWN_SERVER`, `NO_FITTING_SERVER`.
            ConflictError: `FAULT_OVERLAPS`.
            ResourceExhaustedError: `TOO_MANY_FAULTS`.
            UnavailableError: the change could not be kept.
        """
        return await self._in_turn(lambda: self._inject(wish))

    async def cancel(self, fault_id: str) -> PlannedFault:
        """Withdraw an injected fault.

        Raises:
            NotFoundError: there is none of this id (`FAULT_NOT_FOUND`).
            RefusedError: it is over (`FAULT_OVER`) or belongs to the scenario (`SCENARIO_FAULT`).
            UnavailableError: the change could not be kept.
        """
        return await self._in_turn(lambda: self._cancel(fault_id))

    async def _grow(self, believed_size: int | None, reset: bool) -> Growth:
        size = 0 if reset else len(self.snapshot.servers)
        if size >= self.target_size:
            return Growth(None, self.snapshot)
        if believed_size not in (None, size) and not reset:
            raise ConflictError(
                f"the fleet has {size} servers now, not {believed_size}; ask for its status and try again", reason="FLEET_CHANGED"
            )
        if reset:
            await self._begin(1)
        else:
            grown = replace(self.snapshot.record, size=size + 1)
            await self._change(self._state.keep(grown), grown, self._faults)
        return Growth(self.snapshot.servers[-1], self.snapshot)

    async def _empty(self) -> Emptied:
        removed = len(self.snapshot.servers)
        await self._begin(0)
        return Emptied(removed, self.snapshot.generation)

    async def _begin(self, size: int) -> None:
        epoch = self._clock.now()
        record = FleetRecord(size, self._next_generation(self.snapshot.record), epoch, self.world.fingerprint)
        await self._change(self._state.begin(record), record, ())

    async def _inject(self, wish: FaultWish) -> PlannedFault:
        before, now = self.snapshot, self._clock.now()
        fault = plan_fault(wish, self._new_id(), before.servers, now)
        of_scenario = await self._pool.run(
            _COMPUTE_SECONDS, self.world.scenario_faults, before.record, before.servers, fault.start, fault.end
        )
        check_room(fault, self._faults, of_scenario, now)
        await self._change(self._state.add_fault(fault), before.record, (*self._faults, fault))
        return PlannedFault(fault, self.snapshot)

    async def _cancel(self, fault_id: str) -> PlannedFault:
        snapshot, now = self.snapshot, self._clock.now()
        fault = next((fault for fault in self._faults if fault.id == fault_id), None)
        if fault is None:
            if any(fault.id == fault_id for fault in snapshot.plan.faults):
                message = f"{fault_id} belongs to the scenario {self.world.scenario.name}, whose faults cannot be cancelled"
                raise RefusedError(message, reason="SCENARIO_FAULT")
            raise NotFoundError(f"there is no fault {shown(fault_id)}; list them to see which there are", reason="FAULT_NOT_FOUND")
        if fault.cancelled_at is not None or fault.stop <= now:
            raise RefusedError(f"{fault_id} is over already", reason="FAULT_OVER")
        cancelled = replace(fault, cancelled_at=round(now, 3))
        faults = tuple(cancelled if other is fault else other for other in self._faults)
        await self._change(self._state.cancel_fault(fault_id, round(now, 3)), snapshot.record, faults)
        return PlannedFault(cancelled, self.snapshot)

    async def _renew(self) -> None:
        if self._is_stale():
            await self._show(self.snapshot.record, self._faults)

    async def _take_up(self) -> None:
        kept = await self._state.load()
        if kept is None:
            raise RefusedError("the state of the fleet was removed while it ran; start it again", reason="FLEET_STATE_GONE")
        size = min(kept.record.size, self.target_size)
        await self._show(replace(kept.record, size=size), kept.faults)

    async def _change(self, keep: Awaitable[None], record: FleetRecord, faults: tuple[Fault, ...]) -> None:
        """Keep a change, then show it."""
        self._in_doubt = True
        await keep
        await self._show(record, faults)
        self._in_doubt = False

    async def _show(self, record: FleetRecord, faults: tuple[Fault, ...]) -> None:
        """Let readers see this fleet from now on."""
        now = self._clock.now()
        self._snapshot = await self._pool.run(_COMPUTE_SECONDS, self.world.snapshot, record, faults, now, self._snapshot)
        self._faults = faults
        self._changed.set()
        self._changed = asyncio.Event()

    def _is_stale(self) -> bool:
        return self._clock.now() > self.snapshot.foreseen - FORESIGHT_SECONDS / 2

    def _next_generation(self, record: FleetRecord) -> int:
        return max(round(self._clock.now() * 1000), record.generation + 1)

    async def _in_turn(self, change: Callable[[], Awaitable[T]]) -> T:
        """One change at a time, each to its end even when its caller gives up."""

        async def run() -> T:
            async with self._changing:
                if self._in_doubt:
                    await self._take_up()
                    self._in_doubt = False
                return await change()

        task = asyncio.create_task(run(), name="server_gen.change")
        self._changes.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._changes.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, OpenManagerError):
            log.error("change_failed", error=repr(error), exc_info=error)
