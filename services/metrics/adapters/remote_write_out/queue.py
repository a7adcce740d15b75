"""The durable queue on the event loop: changes that come together share one transaction and one fsync."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from services.common.errors import RefusedError
from services.metrics.adapters.embedded.database import is_corrupt, open_failure
from services.metrics.adapters.remote_write_out.packing import pack
from services.metrics.adapters.remote_write_out.queue_file import Change, Entry, QueueFile, State, added, marked, removed, replaced
from services.metrics.domain.ports import Columns

log = structlog.get_logger("metrics.remote_write")

_THREAD_SAMPLES: Final = 2_000
_RETRY_SECONDS: Final = 1.0


class Queue:
    """Batches in order, on disk. Make it with `open` and `close` it at the end.

    Args:
        file: the open file.
        max_bytes: beyond it the oldest entries are dropped.
        on_dropped: is told how many samples were.
        on_changed: is told of every change that is durable.
    """

    def __init__(
        self, file: QueueFile, max_bytes: int, on_dropped: Callable[[int], None], on_changed: Callable[[QueueFile], None]
    ) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._on_dropped = on_dropped
        self._on_changed = on_changed
        self._last = file.last
        self._on_the_way = 0
        self._waiting: list[tuple[Change, asyncio.Future[None] | None]] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self.changed = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="metrics.remote-write-queue")

    @staticmethod
    def open_file(folder: Path, store_id: str) -> QueueFile:
        """The file in a folder, made when it is new; for a thread.

        Raises:
            RefusedError: it is damaged (`DATA_CORRUPT`) or cannot be opened (`DATA_UNREADABLE`).
        """
        try:
            return QueueFile(folder, store_id)
        except sqlite3.Error as error:
            path = folder / "remote_write.db"
            if not is_corrupt(error):
                raise open_failure(path, error) from error
            message = (
                f"{path} is damaged ({error}); move it away: what it still had to send is not sent then, and nothing else is lost"
            )
            raise RefusedError(message, reason="DATA_CORRUPT") from error

    async def offer(self, columns: Columns) -> int:
        """Add a batch, durable on return; gives its number.

        Raises:
            sqlite3.Error: it is not in the queue.
        """
        self._last += 1
        number = self._last
        data = await _packed(columns)
        try:
            await self._change(added(number, len(columns), data))
        except asyncio.CancelledError:
            self.mark(number, State.DOUBTFUL)
            raise
        return number

    def mark(self, number: int, state: State) -> None:
        """Say what is known of an entry; durable soon."""
        self._say(marked(number, state))

    def keep(self, number: int, columns: Columns) -> None:
        """The entry is ready, with these samples alone; with none it goes."""
        self._say(replaced(number, columns) if len(columns) else removed([number]))

    async def remove(self, numbers: list[int]) -> None:
        """Entries are done with; durable on return.

        Raises:
            sqlite3.Error: they are still there.
        """
        await self._change(removed(numbers))

    async def head(self, max_samples: int) -> list[Entry]:
        """What can be dealt with next; see `QueueFile.head`.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        self.changed.clear()
        entries = await asyncio.to_thread(self._file.head, max_samples)
        if entries:
            self._on_the_way = entries[-1].number
        return entries

    async def close(self) -> None:
        """Bring what was said to disk, and release the file."""
        self._stopping = True
        self._wake.set()
        await asyncio.wait([self._task])
        await asyncio.to_thread(self._file.close)

    def _say(self, change: Change) -> None:
        self._waiting.append((change, None))
        self._wake.set()

    async def _change(self, change: Change) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        self._wake.set()
        await asyncio.shield(done)

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            group, self._waiting = self._waiting, []
            try:
                dropped = await asyncio.to_thread(
                    self._file.apply, [change for change, _ in group], self._max_bytes, self._on_the_way
                )
            except sqlite3.Error as error:
                log.error("queue_write_failed", error=str(error), changes=len(group))
                self._refuse(group, error)
                continue
            for _, done in group:
                if done is not None:
                    done.set_result(None)
            if dropped:
                self._on_dropped(dropped)
            self._on_changed(self._file)
            self.changed.set()

    def _refuse(self, group: "list[tuple[Change, asyncio.Future[None] | None]]", error: sqlite3.Error) -> None:
        """Tell those who wait; what nobody waits for is tried again, for an entry of which nothing is known holds up all others."""
        for _, done in group:
            if done is not None:
                done.set_exception(error)
                done.exception()  # retrieved here, for whoever waited may have given up
        again: list[tuple[Change, asyncio.Future[None] | None]] = [(change, None) for change, done in group if done is None]
        if again and not self._stopping:
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._try_again, again)

    def _try_again(self, changes: "list[tuple[Change, asyncio.Future[None] | None]]") -> None:
        self._waiting = changes + self._waiting
        self._wake.set()


async def _packed(columns: Columns) -> bytes:
    return await asyncio.to_thread(pack, columns) if len(columns) > _THREAD_SAMPLES else pack(columns)
