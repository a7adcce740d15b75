"""Writes samples of series that a collector knows by numbers of its own."""

import numpy as np

from services.metrics.domain.ports import Columns, IdArray, Labels, Reason, SampleStore, TimeArray, ValueArray
from services.metrics.domain.write import SampleWriter, Source


class CollectedSeries:
    """The series of one collector: its own number for each, the labels, and the store's id once there was a sample.

    Args:
        store: gives the ids.
        writer: takes the samples.
        source: what the collector is, for the counts.
    """

    def __init__(self, store: SampleStore, writer: SampleWriter, source: Source) -> None:
        self._store = store
        self._writer = writer
        self._source = source
        self._labels: dict[int, Labels] = {}
        self._numbers: IdArray = np.empty(0, np.uint64)
        self._ids: IdArray = np.empty(0, np.uint64)

    def define(self, number: int, labels: Labels) -> None:
        """Say which series a number stands for."""
        if self._labels.get(number) != labels:
            self._labels[number] = labels
            self._forget_ids()

    async def write(self, numbers: IdArray, timestamps_ms: TimeArray, values: ValueArray) -> int:
        """Write samples of defined series, one a row; gives how many could not be written because the store took no such series.

        Raises:
            UnavailableError: nothing was stored.
            ValueError: a number that was never defined.
        """
        columns, refused = await self._columns(numbers, timestamps_ms, values)
        receipt = await self._writer.write(columns, self._source)
        if any(error.reason is Reason.UNKNOWN_SERIES for error in receipt.errors):
            # The store forgets series that have no samples left; ask for new ids. What was accepted becomes a duplicate.
            self._forget_ids()
            columns, refused = await self._columns(numbers, timestamps_ms, values)
            await self._writer.write(columns, self._source)
        return refused

    async def _columns(self, numbers: IdArray, timestamps_ms: TimeArray, values: ValueArray) -> tuple[Columns, int]:
        if not np.isin(numbers, self._numbers).all():
            await self._ask_for_ids()
        place = np.searchsorted(self._numbers, numbers)
        if len(numbers) and (place.max() >= len(self._numbers) or (self._numbers[place] != numbers).any()):
            raise ValueError("a sample of a series that was not defined")
        ids = self._ids[place]
        known = ids != 0
        return Columns(ids[known], timestamps_ms[known], values[known]), int(len(ids) - known.sum())

    async def _ask_for_ids(self) -> None:
        numbers = sorted(self._labels)
        registration = await self._store.register([self._labels[number] for number in numbers])
        self._numbers, self._ids = np.array(numbers, np.uint64), registration.ids

    def _forget_ids(self) -> None:
        self._numbers = self._ids = np.empty(0, np.uint64)
