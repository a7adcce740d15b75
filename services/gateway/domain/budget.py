"""How much memory requests may take together."""

from types import TracebackType
from typing import Final, Self

from services.common.errors import ResourceExhaustedError

_RETRY_SECONDS: Final = 1.0


class ByteBudget:
    """A number of bytes that several holders share.

    Args:
        limit_bytes: how many there are; a single holder may go beyond it, so that nothing is refused for ever.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._held = 0

    @property
    def held_bytes(self) -> int:
        """What all holders have together."""
        return self._held

    def holder(self) -> "Holder":
        """A holder that has nothing yet; use it as a context, which gives everything back."""
        return Holder(self)

    def _take(self, count: int, own: int) -> None:
        others = self._held - own
        if others and self._held + count > self._limit:
            message = "too many samples are being taken in at the moment; send again a little later"
            raise ResourceExhaustedError(message, reason="INGEST_BUSY", retry_after_seconds=_RETRY_SECONDS)
        self._held += count

    def _give_back(self, count: int) -> None:
        self._held -= count


class Holder:
    """One request's share of a budget."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._own = 0

    def take(self, count: int) -> None:
        """Hold so many bytes more.

        Raises:
            ResourceExhaustedError: others hold too much (`INGEST_BUSY`); it is worth trying again.
        """
        self._budget._take(count, self._own)
        self._own += count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._budget._give_back(self._own)
        self._own = 0
