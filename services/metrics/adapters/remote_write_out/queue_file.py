"""`remote_write.db`: the samples that still have to be sent, as plain calls for one thread at a time."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from services.metrics.adapters.embedded.database import open_reader, open_writer, transaction
from services.metrics.adapters.remote_write_out.packing import pack
from services.metrics.domain.ports import Columns

FILE_NAME: Final = "remote_write.db"
_PAGE_BYTES: Final = 4096
_LOOK_AHEAD: Final = 1000
_VACUUM_PAGES: Final = 4096
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT",
    "CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY, state INTEGER NOT NULL, samples INTEGER NOT NULL, "
    "size INTEGER NOT NULL, data BLOB NOT NULL) STRICT",
)


class State(IntEnum):
    """How much is known of an entry."""

    OFFERED = 0
    READY = 1
    DOUBTFUL = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch in the queue; entries are sent in the order of their numbers."""

    number: int
    state: State
    data: bytes


Change = Callable[[sqlite3.Connection], tuple[int, int]]
"""Something to be done in a transaction; gives by how many samples and bytes the queue is longer then."""


class QueueFile:
    """The open file.

    Attributes:
        samples: in the queue.
        size: of the samples in the queue, in bytes.
        last: number of the newest entry that ever was in this run.
        lost: samples that were thrown away on opening, for their ids were another store's.

    Raises:
        sqlite3.Error: from every method, when the file cannot be read or written.
    """

    def __init__(self, folder: Path, store_id: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / FILE_NAME
        fresh = not self.path.exists()
        if fresh:
            with closing(sqlite3.connect(self.path)) as connection:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("VACUUM")
        self._writer = open_writer(self.path, page_bytes=_PAGE_BYTES)
        self.lost = 0
        with transaction(self._writer):
            for statement in _SCHEMA:
                self._writer.execute(statement)
            row = self._writer.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()
            if row is not None and row[0] != store_id:
                self.lost = self._count("SELECT total(samples), total(size) FROM entry")[0]
                self._writer.execute("DELETE FROM entry")
            self._writer.execute("INSERT OR REPLACE INTO meta VALUES ('store_id', ?)", (store_id,))
            # Whoever offered these has died before it could tell whether they were stored.
            self._writer.execute("UPDATE entry SET state = ? WHERE state = ?", (State.DOUBTFUL, State.OFFERED))
        self.samples, self.size = self._count("SELECT total(samples), total(size) FROM entry")
        self.last = int(self._writer.execute("SELECT coalesce(max(number), 0) FROM entry").fetchone()[0])
        self._reader = open_reader(self.path)

    def apply(self, changes: Sequence[Change], max_bytes: int, on_the_way: int) -> int:
        """Carry changes out, all or none, durable on return.

        Args:
            changes: what to do, in order.
            max_bytes: beyond it the oldest entries are dropped.
            on_the_way: entries up to this number are being sent, and stay.

        Returns:
            The samples that were dropped.
        """
        with transaction(self._writer):
            samples, size, dropped = self.samples, self.size, 0
            for change in changes:
                more_samples, more_bytes = change(self._writer)
                samples, size = samples + more_samples, size + more_bytes
            query = "SELECT number, samples, size FROM entry WHERE number > ? ORDER BY number LIMIT 1"
            while size > max_bytes:
                oldest = self._writer.execute(query, (on_the_way,)).fetchone()
                if oldest is None:
                    break
                self._writer.execute("DELETE FROM entry WHERE number = ?", oldest[:1])
                samples, size, dropped = samples - oldest[1], size - oldest[2], dropped + oldest[1]
        self.samples, self.size = samples, size
        if not size:
            self._writer.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
        return dropped

    def head(self, max_samples: int) -> list[Entry]:
        """The oldest entries that can be dealt with: one doubtful one, or ready ones up to so many samples and one at least."""
        rows = self._reader.execute("SELECT number, state, samples FROM entry ORDER BY number LIMIT ?", (_LOOK_AHEAD,)).fetchall()
        if not rows or rows[0][1] == State.OFFERED:
            return []
        end = 1
        if rows[0][1] == State.READY:
            samples = rows[0][2]
            while end < len(rows) and rows[end][1] == State.READY and samples + rows[end][2] <= max_samples:
                samples += rows[end][2]
                end += 1
        found = self._reader.execute(
            "SELECT number, state, data FROM entry WHERE number BETWEEN ? AND ? ORDER BY number", (rows[0][0], rows[end - 1][0])
        ).fetchall()
        return [Entry(number, State(state), data) for number, state, data in found if state == rows[0][1]]

    def close(self) -> None:
        """Release the file."""
        self._reader.close()
        self._writer.close()

    def _count(self, query: str) -> tuple[int, int]:
        samples, size = self._writer.execute(query).fetchone()
        return int(samples), int(size)


def added(number: int, samples: int, data: bytes) -> Change:
    """A new entry, of which nobody knows yet whether it is stored."""

    def change(connection: sqlite3.Connection) -> tuple[int, int]:
        row = (number, State.OFFERED, samples, len(data), data)
        connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", row)
        return samples, len(data)

    return change


def marked(number: int, state: State) -> Change:
    """An entry is ready as it is, or doubtful."""

    def change(connection: sqlite3.Connection) -> tuple[int, int]:
        connection.execute("UPDATE entry SET state = ? WHERE number = ?", (state, number))
        return 0, 0

    return change


def replaced(number: int, columns: Columns) -> Change:
    """An entry is ready with these samples, unless it was dropped meanwhile."""

    def change(connection: sqlite3.Connection) -> tuple[int, int]:
        before = connection.execute("SELECT samples, size FROM entry WHERE number = ?", (number,)).fetchone()
        if before is None:
            return 0, 0
        data = pack(columns)
        row = (State.READY, len(columns), len(data), data, number)
        connection.execute("UPDATE entry SET state = ?, samples = ?, size = ?, data = ? WHERE number = ?", row)
        return len(columns) - before[0], len(data) - before[1]

    return change


def removed(numbers: Sequence[int]) -> Change:
    """Entries are done with; those that were dropped meanwhile are ignored."""

    def change(connection: sqlite3.Connection) -> tuple[int, int]:
        samples = size = 0
        for number in numbers:
            for gone in connection.execute("DELETE FROM entry WHERE number = ? RETURNING samples, size", (number,)).fetchall():
                samples, size = samples - gone[0], size - gone[1]
        return samples, size

    return change
