"""The journal: batches that are acknowledged and not yet in blocks, one row of `journal.db` a commit.

A row is the accepted samples of all batches that were committed together, as columns: ids as u32 where they fit, times as a
constant or as u32 after the earliest where they fit, values as they are: 12 to 24 bytes a sample, without any compression,
because a row lives for minutes. Numbers ascend for ever; `blocks.db` says up to which number the blocks hold everything.
"""

import sqlite3
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.database import open_writer, transaction
from services.metrics.domain.ports import Columns

FILE_NAME: Final = "journal.db"
_PAGE_BYTES: Final = 16_384
_HEADER: Final = struct.Struct("<BBxxIq")
_U32_LIMIT: Final = 2**32
_CONSTANT, _NARROW, _WIDE = 0, 4, 8
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT",
    "CREATE TABLE IF NOT EXISTS batch (number INTEGER PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT",
)


class BadBatchError(ValueError):
    """A journal row that is not what was written."""


class Journal:
    """The open journal; used by the writer thread alone.

    Raises:
        sqlite3.Error: from every method, when the file cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._connection = open_writer(self.path, page_bytes=_PAGE_BYTES)
        with transaction(self._connection):
            for statement in _SCHEMA:
                self._connection.execute(statement)

    @property
    def size_bytes(self) -> int:
        """Size of the file, its log left out."""
        return self.path.stat().st_size if self.path.exists() else 0

    def store_id(self) -> str | None:
        """The store that the journal belongs to, None for a new file."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()
        return None if row is None else str(row[0])

    def bind(self, store_id: str) -> None:
        """Make the journal belong to a store."""
        with transaction(self._connection):
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('store_id', ?)", (store_id,))

    def last_number(self) -> int:
        """The highest number in the journal, 0 when it is empty."""
        row = self._connection.execute("SELECT max(number) FROM batch").fetchone()
        return int(row[0] or 0)

    def write(self, number: int, samples: Columns) -> None:
        """Make samples durable under a number above all others."""
        data = pack(samples)
        with transaction(self._connection):
            self._connection.execute("INSERT INTO batch VALUES (?, ?, ?)", (number, zlib.crc32(data), data))

    def read(self, after: int) -> Iterator[tuple[int, Columns | None]]:
        """Batches above a number, in order; None in place of one that is damaged."""
        for number, crc, data in self._connection.execute("SELECT number, crc, data FROM batch WHERE number > ?", (after,)):
            yield number, unpack_checked(crc, data)

    def drop(self, through: int) -> None:
        """Forget the batches up to and with a number, which the blocks hold now."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM batch WHERE number <= ?", (through,))

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for the doctor and for tests that make it fail."""
        return self._connection


def pack(samples: Columns) -> bytes:
    """Samples as bytes."""
    ids, times = samples.ids, samples.timestamps_ms
    narrow_ids = int(ids.max()) < _U32_LIMIT
    base = int(times.min())
    span = int(times.max()) - base
    time_bytes = _CONSTANT if span == 0 else _NARROW if span < _U32_LIMIT else _WIDE
    parts: list[bytes] = [_HEADER.pack(_NARROW if narrow_ids else _WIDE, time_bytes, len(samples), base)]
    parts.append((ids.astype("<u4") if narrow_ids else ids.astype("<u8")).tobytes())
    if time_bytes:
        parts.append((times - base).astype("<u4" if time_bytes == _NARROW else "<u8").tobytes())
    parts.append(samples.values.astype("<f8", copy=False).tobytes())
    return b"".join(parts)


def unpack_checked(crc: int, data: bytes) -> Columns | None:
    """The samples of a row, None when it is damaged."""
    if zlib.crc32(data) != crc:
        return None
    try:
        return unpack(data)
    except BadBatchError:
        return None


def unpack(data: bytes) -> Columns:
    """The samples again.

    Raises:
        BadBatchError: the bytes are not a batch.
    """
    try:
        id_bytes, time_bytes, count, base = _HEADER.unpack_from(data)
        if len(data) != _HEADER.size + count * (id_bytes + time_bytes + 8):
            raise BadBatchError("length does not fit the header")
        ids = _column(data, f"<u{id_bytes}", count, _HEADER.size).astype(np.uint64)
        values = _column(data, "<f8", count, _HEADER.size + count * (id_bytes + time_bytes)).astype(np.float64)
        if time_bytes:
            times = _column(data, f"<u{time_bytes}", count, _HEADER.size + count * id_bytes).astype(np.int64) + base
        else:
            times = np.full(count, base, np.int64)
    except (struct.error, TypeError, ValueError) as error:
        raise BadBatchError(str(error)) from error
    return Columns(ids, times, values)


def _column(data: bytes, dtype: str, count: int, offset: int) -> NDArray[Any]:
    return np.frombuffer(data, dtype, count, offset)
