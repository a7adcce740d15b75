"""What one reader of the feed gets to see: the series it asked for, each defined once."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from services.common.id_rows import IdPlaces, find
from services.metrics.domain.feed import Feed
from services.metrics.domain.matching import matches
from services.metrics.domain.ports import Columns, IdArray, Labels, Matcher, SampleStore

NEW_SERIES: Final = 1_000
"""Series that are new to a reader go out this many at a time: their labels are looked at, and told, one by one."""


@dataclass(frozen=True)
class Delivery:
    """One message to a reader.

    Attributes:
        cursor: resume after this one.
        snapshot: whether these are the newest samples at the start, in one or several parts.
        series: id and labels of the series not sent before.
        columns: the samples.
        dropped: samples stored since the message before that were gone before this reader came to them.
        removed: u64[k], series sent before that the store no longer has; they go before the columns are taken.
    """

    cursor: int
    snapshot: bool
    series: list[tuple[int, Labels]]
    columns: Columns
    dropped: int = 0
    removed: IdArray = field(default_factory=lambda: np.empty(0, np.uint64))


class Subscription:
    """The samples that match any of some selectors.

    Args:
        store: tells labels and newest samples.
        feed: tells what is stored from now on.
        selectors: matchers of each; every series when there is none.
    """

    def __init__(self, store: SampleStore, feed: Feed, selectors: Sequence[Sequence[Matcher]]) -> None:
        self._store = store
        self._feed = feed
        self._selectors = [list(matchers) for matchers in selectors]
        self._seen = IdPlaces(np.empty(0, np.uint64))
        self._is_wanted = np.empty(0, np.bool_)  # by place in `_seen`

    async def deliveries(self, cursor: int | None) -> AsyncIterator[Delivery]:
        """What follows the cursor, or a snapshot and what follows it when there is no such cursor.

        A sample that is stored while the snapshot is taken can be in it and follow it.
        """
        if cursor is None or not self._feed.holds(cursor):
            cursor = self._feed.cursor  # taken before the store is read, so that nothing falls between the two
            reader = self._feed.reader(cursor)
            for position, rows in enumerate(self._portions(await self._store.latest())):
                columns, series = self._select(rows)
                if not position or len(columns):
                    yield Delivery(cursor, True, series, columns)
        else:
            reader = self._feed.reader(cursor)
        while True:
            read = await reader.read()
            removed = self._give_up_deleted() if read.deleted else np.empty(0, np.uint64)
            portions = self._portions(read.columns)
            dropped = read.dropped
            for rest, rows in enumerate(portions, 1 - len(portions)):
                columns, series = self._select(rows)
                if len(columns) or dropped or len(removed):
                    # Whoever leaves between two portions gets all of them again.
                    yield Delivery(cursor if rest else read.cursor, False, series, columns, dropped, removed)
                    dropped, removed = 0, removed[:0]
            cursor = read.cursor

    def _portions(self, columns: Columns) -> list[Columns]:
        """The rows in parts, each with few enough series not seen before that the event loop can look at their labels."""
        is_new = self._seen.find(columns.ids) < 0
        total = int(np.count_nonzero(is_new))
        if total <= NEW_SERIES:
            return [columns]
        cuts = np.searchsorted(np.cumsum(is_new), np.arange(NEW_SERIES, total, NEW_SERIES), side="right").tolist()
        return [columns.take(slice(start, stop)) for start, stop in zip([0, *cuts], [*cuts, len(columns)], strict=True)]

    def _give_up_deleted(self) -> IdArray:
        """Those of the series sent before that the store no longer has. Their samples are nobody's from here on."""
        held = self._store.matching(())
        is_held = find(self._seen.ids, held) >= 0
        gone: IdArray = self._seen.ids[~is_held & self._is_wanted]
        self._seen, self._is_wanted = IdPlaces(self._seen.ids[is_held]), self._is_wanted[is_held]
        return gone

    def _select(self, columns: Columns) -> tuple[Columns, list[tuple[int, Labels]]]:
        """The wanted rows, and the series among them that come for the first time."""
        places = self._seen.find(columns.ids)
        series: list[tuple[int, Labels]] = []
        if len(unseen := np.unique(columns.ids[places < 0])):
            labelled = zip(unseen.tolist(), self._store.labels_of(unseen), strict=True)
            series = [(series_id, labels) for series_id, labels in labelled if labels and self._wants(labels)]
            wanted = np.append(self._seen.ids[self._is_wanted], np.array([series_id for series_id, _ in series], np.uint64))
            self._seen = IdPlaces(np.union1d(self._seen.ids, unseen))
            self._is_wanted = np.isin(self._seen.ids, wanted, assume_unique=True)
            places = self._seen.find(columns.ids)
        if self._is_wanted.all():
            return columns, series
        return columns.take(self._is_wanted[places]), series

    def _wants(self, labels: Labels) -> bool:
        return not self._selectors or any(matches(matchers, labels) for matchers in self._selectors)
