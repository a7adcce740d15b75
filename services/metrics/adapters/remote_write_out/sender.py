"""Sends what is in the queue, in its order, for as long as it takes."""

import asyncio
import sqlite3
from typing import Final

import numpy as np
import structlog

from services.common.clock import Clock
from services.common.errors import OpenManagerError
from services.metrics.adapters.remote_write_out.doubt import stored
from services.metrics.adapters.remote_write_out.instruments import FORGOTTEN, REFUSED, SENT, RemoteWriteInstruments
from services.metrics.adapters.remote_write_out.message import MessageEncoder
from services.metrics.adapters.remote_write_out.options import RemoteWriteOptions
from services.metrics.adapters.remote_write_out.packing import unpack
from services.metrics.adapters.remote_write_out.queue import Queue
from services.metrics.adapters.remote_write_out.queue_file import Entry, State
from services.metrics.adapters.remote_write_out.receiver import Receiver, ReceiverAwayError, ReceiverRefusalError
from services.metrics.domain.ports import MIN_TIME_MS, Columns, MaskArray, SampleStore

log = structlog.get_logger("metrics.remote_write")

_STORE_RETRY_SECONDS: Final = 5.0
_MAX_REMEMBERED: Final = 1_000_000
"""Series whose newest sent sample is known; beyond it late samples are found out by being refused."""


class Sender:
    """One request at a time: the samples of a series arrive in the order in which they were stored."""

    def __init__(
        self,
        queue: Queue,
        receiver: Receiver,
        store: SampleStore,
        options: RemoteWriteOptions,
        clock: Clock,
        instruments: RemoteWriteInstruments,
    ) -> None:
        self._queue = queue
        self._receiver = receiver
        self._store = store
        self._options = options
        self._clock = clock
        self._instruments = instruments
        self._encoder = MessageEncoder()
        self._failing = False
        self._sent_ms: dict[int, int] = {}

    async def run(self) -> None:
        """Send for ever; never returns."""
        while True:
            try:
                entries = await self._queue.head(self._options.request_samples)
                if not entries:
                    await self._queue.changed.wait()
                elif entries[0].state is State.DOUBTFUL:
                    self._queue.keep(entries[0].number, await stored(self._store, _columns(entries)))
                    await self._queue.changed.wait()
                else:
                    await self._send(_columns(entries))
                    await self._queue.remove([entry.number for entry in entries])
            except (OpenManagerError, sqlite3.Error) as error:
                log.warning("remote_write_waits", error=str(error), retry_seconds=_STORE_RETRY_SECONDS)
                await self._clock.sleep(_STORE_RETRY_SECONDS)

    async def _send(self, columns: Columns) -> None:
        columns = self._known(columns)
        columns = columns.take(np.lexsort((columns.timestamps_ms, columns.ids)))
        late = self._late(columns)
        in_order, size = columns.take(~late), self._options.request_samples
        for start in range(0, len(in_order), size):
            await self._deliver(in_order.take(slice(start, start + size)), self._options.split_requests)
        # By time, so that halving finds the age up to which a receiver takes them; the newest first.
        old = columns.take(late)
        old = old.take(np.argsort(-old.timestamps_ms, kind="stable"))
        for start in range(0, len(old), size):
            await self._deliver(old.take(slice(start, start + size)), self._options.split_late_requests)

    def _late(self, columns: Columns) -> MaskArray:
        """Which samples are older than what was sent of their series before: bool, one a sample, grouped by series and ascending."""
        last = (
            np.append(np.flatnonzero(columns.ids[1:] != columns.ids[:-1]), len(columns) - 1)
            if len(columns)
            else np.empty(0, np.intp)
        )
        ids, newest = columns.ids[last].tolist(), columns.timestamps_ms[last].tolist()
        before = np.array([self._sent_ms.get(series_id, MIN_TIME_MS) for series_id in ids], np.int64)
        if len(self._sent_ms) > _MAX_REMEMBERED:
            self._sent_ms.clear()
        for series_id, time_ms in zip(ids, newest, strict=True):
            self._sent_ms[series_id] = max(time_ms, self._sent_ms.get(series_id, MIN_TIME_MS))
        return columns.timestamps_ms < np.repeat(before, np.diff(last, prepend=-1))

    def _known(self, columns: Columns) -> Columns:
        """The samples whose series still have labels; those of deleted series have nobody to be sent as."""
        ids = np.unique(columns.ids)
        missing = [series_id for series_id in ids.tolist() if not self._encoder.knows(series_id)]
        if not missing:
            return columns
        unknown = []
        for series_id, labels in zip(missing, self._store.labels_of(np.array(missing, np.uint64)), strict=True):
            if labels:
                self._encoder.learn(series_id, labels)
            else:
                unknown.append(series_id)
        if not unknown:
            return columns
        gone = np.isin(columns.ids, np.array(unknown, np.uint64))
        self._instruments.samples.labels(FORGOTTEN).inc(int(gone.sum()))
        return columns.take(~gone)

    async def _deliver(self, columns: Columns, budget: int) -> None:
        """Send samples until they are taken or refused.

        Many receivers refuse a whole request for one sample, so what is refused is halved until the samples that are meant are
        alone; the rest goes through. When `budget` refusals have not found them all, what is left of refused halves is given up.
        """
        parts = [columns]
        refused = 0
        why = ""
        while parts:
            part = parts.pop()
            try:
                await self._until_answered(part)
            except ReceiverRefusalError as error:
                why = str(error)
                budget -= 1
                if len(part) > 1 and budget > 0:
                    middle = len(part) // 2
                    parts += [part.take(slice(middle, None)), part.take(slice(None, middle))]
                else:
                    refused += len(part)
            else:
                self._instruments.samples.labels(SENT).inc(len(part))
        if refused:
            self._instruments.samples.labels(REFUSED).inc(refused)
            log.warning("remote_write_refused", samples=refused, of=len(columns), why=why)

    async def _until_answered(self, columns: Columns) -> None:
        columns = columns.take(np.lexsort((columns.timestamps_ms, columns.ids)))
        body = await asyncio.to_thread(self._encoder.encode, columns)
        wait = self._options.backoff_seconds
        while True:
            try:
                await self._receiver.send(body)
            except ReceiverAwayError as error:
                seconds = (
                    wait if error.retry_after_seconds is None else max(error.retry_after_seconds, self._options.backoff_seconds)
                )
                if not self._failing:
                    self._failing = True
                    log.warning("remote_write_failing", why=str(error), note="samples are queued meanwhile", retry_seconds=seconds)
                await self._clock.sleep(seconds)
                wait = min(2 * wait, self._options.max_backoff_seconds)
            else:
                if self._failing:
                    self._failing = False
                    log.info("remote_write_works_again")
                return


def _columns(entries: list[Entry]) -> Columns:
    found = []
    for entry in entries:
        try:
            found.append(unpack(entry.data))
        except ValueError as error:
            log.error("remote_write_entry_damaged", entry=entry.number, error=str(error))
    return Columns.concatenated(found)
