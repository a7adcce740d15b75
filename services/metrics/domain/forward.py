"""Sending on, elsewhere, what was stored."""

from typing import Protocol

from services.metrics.domain.ports import Columns, MaskArray


class Forwarder(Protocol):
    """Sends every sample that is stored to somebody else too, and loses none of them when this process dies.

    A batch is offered before it is stored: if it were offered afterwards, a crash in between would leave it stored and never sent,
    for a sender who repeats it is told that it is a duplicate.
    """

    async def offer(self, columns: Columns) -> int:
        """Keep a batch, durable on return; gives its ticket."""
        ...

    def settle(self, ticket: int, mask: MaskArray) -> None:
        """Say which samples of the batch were stored for the first time: bool, one a sample. They are sent, the others are not."""
        ...

    def doubt(self, ticket: int) -> None:
        """Say that nobody knows what became of the batch; what of it is in the store is sent."""
        ...
