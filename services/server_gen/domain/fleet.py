"""The fleet: which servers it has now, and how it grows and is emptied."""

import asyncio
from dataclasses import dataclass

from services.common.errors import ConflictError
from services.server_gen.domain.ports import FleetState
from services.server_gen.domain.roster import VirtualServer, roster
from services.server_gen.domain.simulation import Simulation


@dataclass(frozen=True)
class Growth:
    """What adding a server came to: the new server, or None when the fleet was complete, and the size after it."""

    server: VirtualServer | None
    size: int


class Fleet:
    """Servers in the order of the roster, up to `target_size`. A change counts once it has been kept.

    Args:
        seed: of the simulation.
        target_size: servers in a complete fleet.
        state: keeps the size between starts.
        complete_at_first: whether a fleet of which no size was kept starts complete; it starts empty otherwise.
    """

    def __init__(self, seed: int, target_size: int, state: FleetState, *, complete_at_first: bool) -> None:
        self.target_size = target_size
        self.seed = seed
        self._state = state
        self._complete_at_first = complete_at_first
        self._simulation = Simulation(seed, [])
        self._changing = asyncio.Lock()

    async def open(self) -> None:
        """Take up the size that was kept.

        Raises:
            RefusedError: what was kept cannot be read.
        """
        kept = await asyncio.to_thread(self._state.load)
        if kept is None:
            kept = self.target_size if self._complete_at_first else 0
        self._set_size(min(kept, self.target_size))

    @property
    def simulation(self) -> Simulation:
        """The simulation of the present servers; another object after each change."""
        return self._simulation

    @property
    def servers(self) -> tuple[VirtualServer, ...]:
        """The present servers, in the order they were added."""
        return self._simulation.servers

    async def grow(self, *, believed_size: int | None = None, reset: bool = False) -> Growth:
        """Add the next server, unless the fleet is complete.

        Args:
            believed_size: how many servers the caller believes there are.
            reset: empty the fleet first; what the caller believed no longer matters then.

        Raises:
            ConflictError: the fleet has another size than the caller believes (`FLEET_CHANGED`).
            UnavailableError: the change could not be kept.
        """
        async with self._changing:
            size = 0 if reset else len(self.servers)
            if size >= self.target_size:
                return Growth(None, size)
            if believed_size not in (None, size) and not reset:
                raise ConflictError(
                    f"the fleet has {size} servers now, not {believed_size}; ask for its status and try again",
                    reason="FLEET_CHANGED",
                )
            await self._keep(size + 1)
            return Growth(self.servers[-1], size + 1)

    async def empty(self) -> int:
        """Remove every server; gives how many there were.

        Raises:
            UnavailableError: the change could not be kept.
        """
        async with self._changing:
            removed = len(self.servers)
            await self._keep(0)
            return removed

    async def _keep(self, size: int) -> None:
        await asyncio.to_thread(self._state.save, size)
        self._set_size(size)

    def _set_size(self, size: int) -> None:
        self._simulation = Simulation(self.seed, roster(size))
