"""Writes samples of series that a collector knows by numbers of its own."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np

from services.metrics.domain.ports import Columns, IdArray, Labels, Reason, Receipt, SampleStore, TimeArray, ValueArray
from services.metrics.domain.write import SampleWriter, Source

T = TypeVar("T")

_LOOP_SAMPLES: Final = 100_000
"""Larger batches are looked up in a thread, away from the event loop."""


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

    async def write(self, numbers: IdArray, timestamps_ms: TimeArray, values: ValueArray, *, past: bool = False) -> int:
        """Write samples of defined series, one a row; gives how many could not be written because the store took no such series.

        Args:
            numbers: u64[n], as they were defined.
            timestamps_ms: i64[n].
            values: f64[n].
            past: all series have newer samples than these.

        Raises:
            UnavailableError: nothing was stored.
            ValueError: a number that was never defined.
        """
        columns, refused = await self._columns(numbers, timestamps_ms, values)
        receipt = await self._send(columns, past)
        if any(error.reason is Reason.UNKNOWN_SERIES for error in receipt.errors):
            # The store forgets series that have no samples left; ask for new ids. What was accepted becomes a duplicate.
            self._forget_ids()
            columns, refused = await self._columns(numbers, timestamps_ms, values)
            await self._send(columns, past)
        return refused

    async def _send(self, columns: Columns, past: bool) -> Receipt:
        if past:
            return await self._writer.write_past(columns, self._source)
        return await self._writer.write(columns, self._source)

    async def _columns(self, numbers: IdArray, timestamps_ms: TimeArray, values: ValueArray) -> tuple[Columns, int]:
        def look_up() -> Columns | None:
            ids = self._ids_of(numbers)
            if ids is None:
                return None
            known = ids != 0
            columns = Columns(ids, timestamps_ms, values)
            return columns if known.all() else columns.take(known)

        columns = await _apart(len(numbers), look_up)
        if columns is None:
            await self._ask_for_ids()
            columns = await _apart(len(numbers), look_up)
        if columns is None:
            raise ValueError("a sample of a series that was not defined")
        return columns, len(numbers) - len(columns)

    def _ids_of(self, numbers: IdArray) -> IdArray | None:
        """The store's id of each number, 0 where it took no such series; None when not every number has been asked for."""
        if not len(numbers):
            return numbers
        if not len(self._numbers):
            return None
        # History comes one series after the other: each run is looked up once.
        changes = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
        starts = np.concatenate([np.zeros(1, np.intp), changes])
        of_run = numbers[starts]
        place = np.minimum(np.searchsorted(self._numbers, of_run), len(self._numbers) - 1)
        if (self._numbers[place] != of_run).any():
            return None
        ids = self._ids[place]
        return ids if len(ids) == len(numbers) else np.repeat(ids, np.diff(starts, append=len(numbers)))

    async def _ask_for_ids(self) -> None:
        numbers = sorted(self._labels)
        registration = await self._store.register([self._labels[number] for number in numbers])
        self._numbers, self._ids = np.array(numbers, np.uint64), registration.ids

    def _forget_ids(self) -> None:
        self._numbers = self._ids = np.empty(0, np.uint64)


async def _apart(samples: int, work: Callable[[], T]) -> T:
    return work() if samples <= _LOOP_SAMPLES else await asyncio.to_thread(work)
