"""What the fleet needs of the outside."""

from dataclasses import dataclass
from typing import Protocol

from services.server_gen.domain.faults.fault import Fault


@dataclass(frozen=True)
class FleetRecord:
    """What makes a fleet the one that it is.

    Attributes:
        size: servers, from the first of the roster on.
        generation: names the fleet; milliseconds of Unix time when it was made, always higher than those before.
        epoch: Unix time in seconds from which the days of the scenario count.
        world: fingerprint of everything else that the samples follow from.
    """

    size: int
    generation: int
    epoch: float
    world: str


@dataclass(frozen=True)
class KeptFleet:
    """All that is kept: the fleet, and the faults that were injected, cancelled ones included, in the order of their ids."""

    record: FleetRecord
    faults: tuple[Fault, ...]


class FleetState(Protocol):
    """Keeps the fleet between starts. Each change is whole and durable on return.

    Every method raises `UnavailableError` (`DATABASE_UNAVAILABLE`) when the state cannot be reached or written; whether the change
    was kept is then unknown, and `load` tells.
    """

    async def load(self) -> KeptFleet | None:
        """What was kept; None when nothing ever was."""
        ...

    async def keep(self, record: FleetRecord) -> None:
        """Keep the fleet as it is now, with the faults that it has."""
        ...

    async def begin(self, record: FleetRecord) -> None:
        """Keep a fleet that has no faults; those of the one before are forgotten."""
        ...

    async def add_fault(self, fault: Fault) -> None:
        """Keep one more fault."""
        ...

    async def cancel_fault(self, fault_id: str, cancelled_at: float) -> None:
        """Keep when a fault was withdrawn."""
        ...
