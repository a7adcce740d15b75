"""The one way into the store, for every source of samples: durable first, then told to the readers of the feed."""

from collections.abc import Callable
from enum import StrEnum

from services.common.clock import Clock
from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import Columns, Receipt, SampleStore, WriteMode


class Source(StrEnum):
    """Where samples came from."""

    RPC = "rpc"
    HOST = "host"
    FLEET = "fleet"


class SampleWriter:
    """Writes samples.

    Args:
        store: keeps them.
        feed: is told which were accepted.
        clock: says what is too old or in the future.
        observe: is told what became of each batch.
    """

    def __init__(self, store: SampleStore, feed: Feed, clock: Clock, observe: Callable[[Source, Receipt], None]) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock
        self._observe = observe

    async def write(self, columns: Columns, source: Source, mode: WriteMode = WriteMode.LIVE) -> Receipt:
        """Store a batch; its accepted samples are durable on return. The arrays must not be written again.

        Raises:
            UnavailableError: nothing of the batch was stored.
        """
        receipt = await self._store.append(columns, mode=mode, now_ms=round(self._clock.now() * 1000))
        if receipt.accepted == len(columns):
            self._feed.publish(columns)
        elif receipt.accepted:
            self._feed.publish(columns.take(receipt.mask))
        self._observe(source, receipt)
        return receipt
