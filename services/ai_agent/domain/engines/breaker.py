"""The circuit breaker: an engine that keeps failing is left alone for a while (Nygard, Release It!, 2007)."""

import enum

from services.common.clock import Clock


class Circuit(enum.StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after so many failures in a row; after a pause one probe decides whether it closes again."""

    def __init__(self, clock: Clock, *, failures_to_open: int = 5, open_seconds: float = 30.0) -> None:
        self._clock = clock
        self._failures_to_open = failures_to_open
        self._open_seconds = open_seconds
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def circuit(self) -> Circuit:
        """The state now."""
        if self._opened_at is None:
            return Circuit.CLOSED
        waited = self._clock.monotonic() - self._opened_at >= self._open_seconds
        return Circuit.HALF_OPEN if waited else Circuit.OPEN

    def admit(self) -> bool:
        """Whether a call may pass now; an admitted call must end in `succeeded`, `failed` or `abandoned`."""
        match self.circuit:
            case Circuit.CLOSED:
                return True
            case Circuit.OPEN:
                return False
            case Circuit.HALF_OPEN:
                if self._probing:
                    return False
                self._probing = True
                return True

    def succeeded(self) -> None:
        """The call did well."""
        self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        """The call failed; the last straw opens the circuit."""
        self._failures += 1
        if self._probing or self._failures >= self._failures_to_open:
            self._opened_at = self._clock.monotonic()
        self._probing = False

    def abandoned(self) -> None:
        """The call ended without telling anything about the engine."""
        self._probing = False
