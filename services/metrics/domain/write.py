"""The one way into the store and out of it, for every source of samples: durable first, then told to the readers of the feed."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from services.common.clock import Clock
from services.metrics.domain.feed import Feed
from services.metrics.domain.forward import Forwarder
from services.metrics.domain.ports import Columns, Matcher, Receipt, SampleStore, WriteMode


class Source(StrEnum):
    """Where samples came from."""

    RPC = "rpc"
    HOST = "host"
    FLEET = "fleet"
    SCRAPE = "scrape"


class SampleWriter:
    """Writes samples and deletes series.

    Args:
        store: keeps them.
        feed: is told which were accepted, and when series are gone.
        clock: says what is too old or in the future.
        observe: is told what became of each batch.
        forwarder: sends on what is stored, if anybody wants that.
    """

    def __init__(
        self,
        store: SampleStore,
        feed: Feed,
        clock: Clock,
        observe: Callable[[Source, Receipt], None],
        forwarder: Forwarder | None = None,
    ) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock
        self._observe = observe
        self._forwarder = forwarder

    async def write(self, columns: Columns, source: Source, mode: WriteMode = WriteMode.LIVE) -> Receipt:
        """Store a batch; its accepted samples are durable on return. The arrays must not be written again.

        Raises:
            UnavailableError: nothing of the batch was stored.
        """
        receipt = await self._append(columns, source, mode)
        if receipt.accepted == len(columns):
            self._feed.publish(columns)
        elif receipt.accepted:
            self._feed.publish(columns.take(receipt.mask))
        return receipt

    async def write_past(self, columns: Columns, source: Source) -> Receipt:
        """As `write`, for samples of series that have newer ones: readers who want what is new are not told of them.

        Raises:
            UnavailableError: nothing of the batch was stored.
        """
        return await self._append(columns, source, WriteMode.IMPORT)

    async def delete_series(self, matchers: Sequence[Matcher]) -> int:
        """Forget the series that meet every matcher, for good on return; gives their number.

        Raises:
            UnavailableError: nothing was deleted.
        """
        return self._told(await self._store.delete_series(matchers))

    async def delete_before(self, time_ms: int) -> int:
        """Forget older samples, and the series that have no others; gives the number of series.

        Raises:
            UnavailableError: nothing was deleted.
        """
        return self._told(await self._store.delete_before(time_ms))

    async def _append(self, columns: Columns, source: Source, mode: WriteMode) -> Receipt:
        if self._forwarder is None or not len(columns):
            receipt = await self._store.append(columns, mode=mode, now_ms=round(self._clock.now() * 1000))
        else:
            receipt = await self._append_and_forward(self._forwarder, columns, mode)
        self._observe(source, receipt)
        return receipt

    async def _append_and_forward(self, forwarder: Forwarder, columns: Columns, mode: WriteMode) -> Receipt:
        ticket = await forwarder.offer(columns)
        try:
            receipt = await self._store.append(columns, mode=mode, now_ms=round(self._clock.now() * 1000))
        except BaseException:  # a caller that gives up leaves it open, too, whether the store takes the batch
            forwarder.doubt(ticket)
            raise
        forwarder.settle(ticket, receipt.mask)
        return receipt

    def _told(self, deleted: int) -> int:
        if deleted:
            self._feed.series_deleted()
        return deleted
