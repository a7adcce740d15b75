"""What one reader of the feed gets to see: the series it asked for, each defined once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from services.common.id_rows import IdPlaces, find
from services.metrics.domain.feed import Feed
from services.metrics.domain.matching import matches
from services.metrics.domain.ports import Columns, IdArray, Labels, Matcher, SampleStore

NEW_SERIES: Final = 1_000
"""Series that are new to a reader are looked at, and go out, this many at a time, for each takes some microseconds."""


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
            columns, series = await self._select(await self._store.latest())
            for part, told in _parts(columns, series):
                yield Delivery(cursor, True, told, part)
                await asyncio.sleep(0)
        else:
            reader = self._feed.reader(cursor)
        while True:
            read = await reader.read()
            removed = self._give_up_deleted() if read.deleted else np.empty(0, np.uint64)
            columns, series = await self._select(read.columns)
            if not (len(columns) or read.dropped or len(removed)):
                continue
            dropped = read.dropped
            parts = _parts(columns, series)
            for rest, (part, told) in enumerate(parts, 1 - len(parts)):
                # Whoever leaves between two parts gets all of them again.
                yield Delivery(cursor if rest else read.cursor, False, told, part, dropped, removed)
                dropped, removed = 0, removed[:0]
                if rest:
                    await asyncio.sleep(0)
            cursor = read.cursor

    def _give_up_deleted(self) -> IdArray:
        """Those of the series sent before that the store no longer has. Their samples are nobody's from here on."""
        held = self._store.matching(())
        is_held = find(self._seen.ids, held) >= 0
        gone: IdArray = self._seen.ids[~is_held & self._is_wanted]
        self._seen, self._is_wanted = IdPlaces(self._seen.ids[is_held]), self._is_wanted[is_held]
        return gone

    async def _select(self, columns: Columns) -> tuple[Columns, list[tuple[int, Labels]]]:
        """The wanted rows, and the series among them that come for the first time, ascending by id."""
        places = self._seen.find(columns.ids)
        series: list[tuple[int, Labels]] = []
        if (is_new := places < 0).any():
            unseen = np.unique(columns.ids[is_new])
            for start in range(0, len(unseen), NEW_SERIES):
                some = unseen[start : start + NEW_SERIES]
                labelled = zip(some.tolist(), self._store.labels_of(some), strict=True)
                series += [(series_id, labels) for series_id, labels in labelled if labels and self._wants(labels)]
                await asyncio.sleep(0)
            wanted = np.append(self._seen.ids[self._is_wanted], np.array([series_id for series_id, _ in series], np.uint64))
            self._seen = IdPlaces(np.union1d(self._seen.ids, unseen))
            self._is_wanted = np.isin(self._seen.ids, wanted, assume_unique=True)
            places = self._seen.find(columns.ids)
        if self._is_wanted.all():
            return columns, series
        return columns.take(self._is_wanted[places]), series

    def _wants(self, labels: Labels) -> bool:
        return not self._selectors or any(matches(matchers, labels) for matchers in self._selectors)


def _parts(columns: Columns, series: list[tuple[int, Labels]]) -> list[tuple[Columns, list[tuple[int, Labels]]]]:
    """The rows in parts, each with the series that come in it for the first time, which are not too many; at least one part."""
    if len(series) <= NEW_SERIES:
        return [(columns, series)]
    untold = dict(series)
    new = np.fromiter(untold, np.uint64, len(untold))
    ordinal = np.cumsum(find(columns.ids, new) >= 0)
    cuts = np.searchsorted(ordinal, np.arange(NEW_SERIES, int(ordinal[-1]), NEW_SERIES), side="right").tolist()
    parts = []
    for start, stop in zip([0, *cuts], [*cuts, len(columns)], strict=True):
        part = columns.take(slice(start, stop))
        told = [(series_id, untold.pop(series_id)) for series_id in np.unique(part.ids).tolist() if series_id in untold]
        parts.append((part, told))
    return parts
