"""What the fleet needs of the outside."""

from typing import Protocol


class FleetState(Protocol):
    """Keeps the fleet's size between starts. Its methods block and are called in a thread."""

    def load(self) -> int | None:
        """The size that was kept; None when none ever was.

        Raises:
            RefusedError: what was kept cannot be read (`FLEET_STATE_UNREADABLE`).
        """
        ...

    def save(self, size: int) -> None:
        """Keep the size; durable on return.

        Raises:
            UnavailableError: it could not be written (`FLEET_STATE_NOT_WRITTEN`).
        """
        ...
