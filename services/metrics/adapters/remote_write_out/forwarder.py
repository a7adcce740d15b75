"""Remote write out as the service sees it."""

import asyncio
import sqlite3
from pathlib import Path

import structlog

from services.common.clock import Clock
from services.common.telemetry import Telemetry
from services.metrics.adapters.remote_write_out.instruments import FORGOTTEN, OVERFLOW, QUEUE_FAILED, RemoteWriteInstruments
from services.metrics.adapters.remote_write_out.options import RemoteWriteOptions
from services.metrics.adapters.remote_write_out.queue import Queue
from services.metrics.adapters.remote_write_out.queue_file import QueueFile, State
from services.metrics.adapters.remote_write_out.receiver import Receiver
from services.metrics.adapters.remote_write_out.sender import Sender
from services.metrics.domain.ports import Columns, MaskArray, SampleStore

log = structlog.get_logger("metrics.remote_write")


class RemoteWriteForwarder:
    """`Forwarder` to one receiver. Make it with `open`, let `run` run, `close` it at the end."""

    def __init__(self, queue: Queue, receiver: Receiver, sender: Sender, instruments: RemoteWriteInstruments) -> None:
        self._queue = queue
        self._receiver = receiver
        self._sender = sender
        self._instruments = instruments
        self._offered: dict[int, Columns] = {}

    @classmethod
    async def open(
        cls, folder: Path, options: RemoteWriteOptions, store: SampleStore, clock: Clock, telemetry: Telemetry
    ) -> "RemoteWriteForwarder":
        """Open the queue in a folder, and go on with what is left in it.

        Raises:
            RefusedError: the queue's file is damaged (`DATA_CORRUPT`) or cannot be opened (`DATA_UNREADABLE`).
            OSError: the file of certificates cannot be read.
        """
        instruments = RemoteWriteInstruments(telemetry)

        def show(file: QueueFile) -> None:
            instruments.queued_samples.set(file.samples)
            instruments.queued_bytes.set(file.size)

        def note_overflow(samples: int) -> None:
            instruments.samples.labels(OVERFLOW).inc(samples)
            log.warning("remote_write_queue_full", dropped_samples=samples, max_bytes=options.queue_bytes)

        receiver = Receiver(options, clock, instruments)
        await receiver.open()
        try:
            file = await asyncio.to_thread(Queue.open_file, folder, store.store_id)
        except BaseException:
            await receiver.close()
            raise
        if file.lost:
            instruments.samples.labels(FORGOTTEN).inc(file.lost)
            log.warning("remote_write_queue_of_another_store", dropped_samples=file.lost)
        show(file)
        queue = Queue(file, options.queue_bytes, note_overflow, show)
        return cls(queue, receiver, Sender(queue, receiver, store, options, clock, instruments), instruments)

    async def run(self) -> None:
        """Send for ever; never returns."""
        await self._sender.run()

    async def offer(self, columns: Columns) -> int:
        """Put a batch into the queue before it is stored; durable on return, or 0 where the queue's disk does not take it."""
        try:
            number = await self._queue.offer(columns)
        except sqlite3.Error:
            number = 0
        if number:
            self._offered[number] = columns
        return number

    def settle(self, ticket: int, mask: MaskArray) -> None:
        """Say which samples of an offered batch were stored for the first time."""
        columns = self._offered.pop(ticket, None)
        if columns is None:
            self._instruments.samples.labels(QUEUE_FAILED).inc(int(mask.sum()))
        elif mask.all():
            self._queue.mark(ticket, State.READY)
        else:
            self._queue.keep(ticket, columns.take(mask))

    def doubt(self, ticket: int) -> None:
        """Say that nobody knows whether an offered batch was stored; the store is asked then."""
        if self._offered.pop(ticket, None) is not None:
            self._queue.mark(ticket, State.DOUBTFUL)

    async def close(self) -> None:
        """Release file and connections; what is in the queue stays there."""
        await self._queue.close()
        await self._receiver.close()
