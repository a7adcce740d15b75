"""`blocks.db`: the series, the blocks with their samples, and up to where of the journal the blocks hold everything."""

import sqlite3
import threading
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from services.common.errors import RefusedError
from services.metrics.adapters.embedded.database import open_writer, transaction
from services.metrics.domain.ports import NAME_LABEL, Columns, IdArray, Labels, TimeArray

FILE_NAME: Final = "blocks.db"
GROUP_SERIES: Final = 64
"""Series a group: neighbours that share blocks. More compress no better and cost reads of one series more."""

_PAGE_BYTES: Final = 4096
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT",
    "CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, labels BLOB NOT NULL) STRICT",
    # A rowid table on purpose: blobs of this size waste half of a WITHOUT ROWID table.
    "CREATE TABLE IF NOT EXISTS block (id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, start_ms INTEGER NOT NULL, "
    "end_ms INTEGER NOT NULL, samples INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL, "
    "level INTEGER NOT NULL DEFAULT 0) STRICT",
    # Everything but the data, so that neither searching nor counting touches the pages full of data.
    "CREATE INDEX IF NOT EXISTS block_by_time ON block (group_id, end_ms, start_ms, samples, size)",
    # One row a group: ids, first times, newest times and newest values of its series as of the last seal.
    "CREATE TABLE IF NOT EXISTS span (group_id INTEGER PRIMARY KEY, columns BLOB NOT NULL) STRICT",
)
_SPAN_COLUMNS: Final = 4
_INCREMENTAL: Final = 2
_PAGES_AT_ONCE: Final = 2_048
_SCHEMA_VERSION: Final = 2
LAST_LEVEL: Final = 9
"""Blocks of this level are as large as they get."""
MAX_MERGE_BLOCKS: Final = 32
"""Blocks merged at once, which bounds the memory it takes."""


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block to be stored."""

    group_id: int
    start_ms: int
    end_ms: int
    samples: int
    crc: int
    data: bytes
    level: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """What the blocks hold of the series of one group: bounds of their times, and the newest sample of each."""

    group_id: int
    first_ms: TimeArray
    newest: Columns


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring those of an earlier version up to this one; to be called in a transaction.

    Raises:
        RefusedError: the file is of a later version (`DATA_TOO_NEW`).
    """
    old = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'block'").fetchone() is not None
    for statement in _SCHEMA:
        connection.execute(statement)
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    version = int(row[0]) if row else 1 if old else _SCHEMA_VERSION
    if version > _SCHEMA_VERSION:
        message = f"{path} is of a later version of the store ({version}, this one reads up to {_SCHEMA_VERSION}); update the suite"
        raise RefusedError(message, reason="DATA_TOO_NEW")
    if version < _SCHEMA_VERSION:
        connection.execute("ALTER TABLE block ADD COLUMN level INTEGER NOT NULL DEFAULT 0")
        spans = connection.execute("SELECT columns, group_id FROM span").fetchall()
        packed = [(zlib.compress(columns, 1), group_id) for columns, group_id in spans]
        connection.executemany("UPDATE span SET columns = ? WHERE group_id = ?", packed)
    connection.execute("CREATE INDEX IF NOT EXISTS block_by_level ON block (level, group_id, samples)")
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(_SCHEMA_VERSION),))


class Catalog:
    """The open file. What changes blocks happens under `lock`, because the writer and the thread that packs share it.

    Raises:
        sqlite3.Error: from every method, when the file cannot be read or written.
    """

    def __init__(self, folder: Path, new_store_id: str) -> None:
        self.path = folder / FILE_NAME
        self.lock = threading.RLock()
        self._connection = open_writer(self.path, page_bytes=_PAGE_BYTES, gives_back=True)
        with transaction(self._connection):
            migrate(self._connection, self.path)
            self._connection.execute("INSERT OR IGNORE INTO meta VALUES ('store_id', ?)", (new_store_id,))
        meta = dict(self._connection.execute("SELECT key, value FROM meta").fetchall())
        self.store_id = str(meta["store_id"])
        self.next_series = int(meta.get("next_series", 1))
        self.sealed_through = int(meta.get("sealed_through", 0))
        self.floor_ms = int(meta["floor_ms"]) if "floor_ms" in meta else None
        self.last_block = int(self._connection.execute("SELECT max(id) FROM block").fetchone()[0] or 0)
        self.blocks, self.block_samples, self.block_bytes = self._totals()
        self._next_group = int(meta.get("next_group", 1))
        self._open_groups: dict[str, tuple[int, int]] = {}

    def read_series(self) -> Iterable[tuple[int, int, Labels]]:
        """Every series as id, group and labels, ascending by id; to be read to the end once, before the first `add_series`."""
        for series_id, group_id, packed in self._connection.execute("SELECT id, group_id, labels FROM series ORDER BY id"):
            flat = orjson.loads(packed)
            labels = tuple(zip(flat[::2], flat[1::2], strict=True))
            metric = dict(labels)[NAME_LABEL]
            last, count = self._open_groups.get(metric, (0, 0))
            self._open_groups[metric] = (group_id, count + 1 if group_id == last else 1)
            yield series_id, group_id, labels

    def read_spans(self) -> Iterable[Span]:
        """The span of every group."""
        for group_id, packed in self._connection.execute("SELECT group_id, columns FROM span"):
            columns = np.frombuffer(zlib.decompress(packed), np.int64).reshape(_SPAN_COLUMNS, -1)
            newest = Columns(columns[0].view(np.uint64), columns[2], columns[3].view(np.float64))
            yield Span(group_id, columns[1], newest)

    def add_series(self, new: Sequence[tuple[int, Labels]]) -> NDArray[np.int64]:
        """Make series durable; gives the group of each. Series of one metric fill one group after the other."""
        open_groups, next_group = dict(self._open_groups), self._next_group
        rows = []
        for series_id, labels in new:
            metric = dict(labels)[NAME_LABEL]
            group_id, count = open_groups.get(metric, (0, GROUP_SERIES))
            if count >= GROUP_SERIES:
                group_id, count, next_group = next_group, 0, next_group + 1
            open_groups[metric] = (group_id, count + 1)
            rows.append((series_id, group_id, orjson.dumps([text for pair in labels for text in pair])))
        next_series = new[-1][0] + 1
        with self.lock, transaction(self._connection):
            self._connection.executemany("INSERT INTO series VALUES (?, ?, ?)", rows)
            self._set_meta(next_series=next_series, next_group=next_group)
        self._open_groups, self._next_group, self.next_series = open_groups, next_group, next_series
        return np.array([group_id for _, group_id, _ in rows], np.int64)

    def add_blocks(self, blocks: Sequence[NewBlock], spans: Sequence[Span], sealed_through: int | None = None) -> None:
        """Store blocks, the spans that they change and, where it moves, how far of the journal they reach, all or nothing."""
        with self.lock:
            with transaction(self._connection):
                self._insert(blocks)
                self._connection.executemany(
                    "INSERT OR REPLACE INTO span VALUES (?, ?)", [(span.group_id, _pack_span(span)) for span in spans]
                )
                if sealed_through is not None:
                    self._set_meta(sealed_through=sealed_through)
            self._count(blocks)
            self.sealed_through = self.sealed_through if sealed_through is None else sealed_through

    def small_blocks(self, blocks: int, samples: int) -> list[tuple[int, int]]:
        """Groups and levels that have at least so many blocks, or samples in more than one, to be merged; the fullest first."""
        query = (
            "SELECT group_id, level FROM block WHERE level < ? GROUP BY group_id, level "
            "HAVING count(*) >= ? OR (count(*) > 1 AND sum(samples) >= ?) ORDER BY count(*) DESC"
        )
        with self.lock:
            return self._connection.execute(query, (LAST_LEVEL, blocks, samples)).fetchall()

    def blocks_of(self, group_id: int, level: int) -> list[tuple[int, int, bytes]]:
        """Number, checksum and data of the blocks of a group at a level, the earliest first."""
        query = "SELECT id, crc, data FROM block WHERE group_id = ? AND level = ? ORDER BY start_ms, id LIMIT ?"
        with self.lock:
            return self._connection.execute(query, (group_id, level, MAX_MERGE_BLOCKS)).fetchall()

    def replace_blocks(self, numbers: Collection[int], blocks: Sequence[NewBlock]) -> bool:
        """Put blocks in the place of others with the same samples, all or nothing; False when one of those is gone meanwhile."""
        with self.lock:
            with transaction(self._connection):
                marks = ",".join("?" * len(numbers))
                query = f"SELECT count(*), total(samples), total(size) FROM block WHERE id IN ({marks})"  # noqa: S608
                count, samples, size = self._connection.execute(query, tuple(numbers)).fetchone()
                if count != len(numbers):
                    return False
                self._connection.execute(f"DELETE FROM block WHERE id IN ({marks})", tuple(numbers))  # noqa: S608
                self._insert(blocks)
            self._count(blocks)
            self.blocks -= int(count)
            self.block_samples -= int(samples)
            self.block_bytes -= int(size)
            return True

    def give_back(self, at_least: float) -> bool:
        """Shrink the file by some megabytes, if this part of it is free at least; False when there was nothing to do.

        Files of the first version cannot, and fill what is free in the course of time.
        """
        with self.lock:
            pages, free, mode = (
                int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "auto_vacuum")
            )
            if mode != _INCREMENTAL or not free or free < at_least * pages:
                return False
            self._connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
            return True

    def delete(self, ids: IdArray, floor_ms: int | None) -> None:
        """Forget series, and blocks that end before the floor or hold no series any more."""
        with self.lock, transaction(self._connection):
            self._connection.executemany("DELETE FROM series WHERE id = ?", [(series_id,) for series_id in ids.tolist()])
            if floor_ms is not None:
                self._connection.execute("DELETE FROM block WHERE id IN (SELECT id FROM block WHERE end_ms < ?)", (floor_ms,))
                self._set_meta(floor_ms=floor_ms)
            for table in ("block", "span"):
                self._connection.execute(f"DELETE FROM {table} WHERE group_id NOT IN (SELECT group_id FROM series)")  # noqa: S608
        if floor_ms is not None:
            self.floor_ms = floor_ms
        self.blocks, self.block_samples, self.block_bytes = self._totals()

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for the doctor and for tests that make it fail."""
        return self._connection

    def _insert(self, blocks: Sequence[NewBlock]) -> None:
        rows = [
            (number, b.group_id, b.start_ms, b.end_ms, b.samples, len(b.data), b.crc, b.data, b.level)
            for number, b in enumerate(blocks, self.last_block + 1)
        ]
        self._connection.executemany("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _count(self, blocks: Sequence[NewBlock]) -> None:
        self.last_block += len(blocks)
        self.blocks += len(blocks)
        self.block_samples += sum(block.samples for block in blocks)
        self.block_bytes += sum(len(block.data) for block in blocks)

    def _set_meta(self, **values: int) -> None:
        rows = [(key, str(value)) for key, value in values.items()]
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def _totals(self) -> tuple[int, int, int]:
        query = "SELECT count(*), total(samples), total(size) FROM block"
        blocks, samples, size = self._connection.execute(query).fetchone()
        return int(blocks), int(samples), int(size)


def _pack_span(span: Span) -> bytes:
    columns = (span.newest.ids, span.first_ms, span.newest.timestamps_ms, span.newest.values)
    return zlib.compress(b"".join(column.tobytes() for column in columns), 1)
