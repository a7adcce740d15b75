"""The journal: batches that are acknowledged and not yet in blocks, one row of `journal.db` a commit.

A row is the accepted samples of batches that were committed together, as columns: ids as u32 where they fit, times as a
constant or as u32 after the earliest where they fit, values as they are: 12 to 24 bytes a sample, without any compression,
because a row lives for minutes. A batch that repeats a layout is a row of its own that names the layout in place of the ids, 8 bytes
a sample; what a layout means is stored twice, since many rows depend on it. Such rows are not deleted but written over in their
place, which costs the pages of the new row alone. Numbers ascend for ever; `blocks.db` says up to which number the blocks hold
everything.
"""

import sqlite3
import struct
import zlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.database import open_writer, transaction
from services.metrics.adapters.embedded.frames import Times
from services.metrics.adapters.embedded.layouts import Layout
from services.metrics.domain.ports import Columns, IdArray, TimeArray, ValueArray

FILE_NAME: Final = "journal.db"
_PAGE_BYTES: Final = 32_768
_HEADER: Final = struct.Struct("<BBxxIq")
_U32_LIMIT: Final = 2**32
_LAYOUT: Final = struct.Struct("<q")
_CONSTANT, _NARROW, _WIDE = 0, 4, 8
_NAMED: Final = 0
"""In place of the bytes an id has: the row names a layout."""
_LAYOUT_COPIES: Final = 2
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT",
    "CREATE TABLE IF NOT EXISTS batch (number INTEGER PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS layout (number INTEGER NOT NULL, copy INTEGER NOT NULL, crc INTEGER NOT NULL, "
    "ids BLOB NOT NULL, UNIQUE (number, copy)) STRICT",
    "CREATE TABLE IF NOT EXISTS frame (place INTEGER PRIMARY KEY, number INTEGER NOT NULL, crc INTEGER NOT NULL, "
    "data BLOB NOT NULL) STRICT",
)


@dataclass(frozen=True, slots=True)
class FrameRow:
    """A batch of a layout that is to become durable."""

    layout: Layout
    times: Times
    values: ValueArray


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
        rows = self._connection.execute("SELECT DISTINCT number FROM layout").fetchall()
        # The highest number of a batch that names each layout; rows of earlier runs are looked at when they are read.
        self._last_use: dict[int, int] = {int(name): 0 for (name,) in rows}
        self._next_layout = max(self._last_use, default=0) + 1
        placed = self._connection.execute("SELECT number, place, length(data) FROM frame ORDER BY number").fetchall()
        # Places by the number that they hold, in the order of the numbers, and those that may be written over, by their size.
        self._held: deque[tuple[int, int, int]] = deque(placed)
        self._free: dict[int, list[int]] = {}
        self._next_place = max((place for _, place, _ in placed), default=0) + 1

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
        return max(int(row[0] or 0), self._held[-1][0] if self._held else 0)

    def write(self, number: int, samples: Columns) -> None:
        """Make samples durable under a number above all others."""
        data = pack(samples)
        with transaction(self._connection):
            self._connection.execute("INSERT INTO batch VALUES (?, ?, ?)", (number, zlib.crc32(data), data))

    def write_frames(self, number: int, frames: Sequence[FrameRow]) -> None:
        """Make batches of layouts durable together, under this number and those that follow."""
        new = {frame.layout: 0 for frame in frames if not frame.layout.number}
        for offset, layout in enumerate(new):
            new[layout] = self._next_layout + offset
        names = [new.get(frame.layout) or frame.layout.number for frame in frames]
        rows = [pack_frame(frame, name) for frame, name in zip(frames, names, strict=True)]
        places = self._places([len(data) for data in rows])
        try:
            with transaction(self._connection):
                for layout, name in new.items():
                    self.add_layout(name, layout.ids)
                for own, (place, data) in enumerate(zip(places, rows, strict=True), number):
                    self._connection.execute(
                        "INSERT OR REPLACE INTO frame VALUES (?, ?, ?, ?)", (place, own, frame_crc(own, data), data)
                    )
        except BaseException:
            for place, data in zip(places, rows, strict=True):
                self._free.setdefault(len(data), []).append(place)
            raise
        for layout, name in new.items():
            layout.number = name
        self._next_layout += len(new)
        for own, (name, place, data) in enumerate(zip(names, places, rows, strict=True), number):
            self._last_use[name] = own
            self._held.append((own, place, len(data)))

    def add_layout(self, number: int, ids: IdArray) -> None:
        """Say what a layout means; to be called in a transaction."""
        data = ids.astype("<u8", copy=False).tobytes()
        for copy in range(_LAYOUT_COPIES):
            self._connection.execute("INSERT INTO layout VALUES (?, ?, ?, ?)", (number, copy, zlib.crc32(data), data))

    def read(self, after: int) -> Iterator[tuple[int, Columns | None]]:
        """Batches above a number, in order; None in place of one that is damaged."""
        layouts = sound_layouts(self._connection.execute("SELECT number, crc, ids FROM layout"))
        rows = self._connection.execute("SELECT number, number, 0 FROM batch WHERE number > ?", (after,)).fetchall()
        rows += [(number, place, 1) for number, place, _ in self._held if number > after]
        for number, place, framed in sorted(rows):
            if framed:
                crc, data = self._connection.execute("SELECT crc, data FROM frame WHERE place = ?", (place,)).fetchone()
                self._last_use[layout_of(data)] = number
                yield number, unpack_checked(crc, frame_crc(number, data), data, layouts)
            else:
                crc, data = self._connection.execute("SELECT crc, data FROM batch WHERE number = ?", (place,)).fetchone()
                yield number, unpack_checked(crc, zlib.crc32(data), data, layouts)

    def drop(self, through: int, kept_layouts: Collection[int] = ()) -> None:
        """Forget the batches up to and with a number, which the blocks hold now, and the layouts that nothing names any more."""
        unused = [name for name, last in self._last_use.items() if last <= through and name not in kept_layouts]
        with transaction(self._connection):
            self._connection.execute("DELETE FROM batch WHERE number <= ?", (through,))
            self._connection.executemany("DELETE FROM layout WHERE number = ?", [(name,) for name in unused])
        for name in unused:
            del self._last_use[name]
        while self._held and self._held[0][0] <= through:
            _, place, size = self._held.popleft()
            self._free.setdefault(size, []).append(place)

    def shrink(self) -> None:
        """Give up the places that nothing is in, and what the file has too much."""
        free = [(place,) for places in self._free.values() for place in places]
        if free:
            with transaction(self._connection):
                self._connection.executemany("DELETE FROM frame WHERE place = ?", free)
            self._free.clear()
        pages, unused = (int(self._connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count"))
        if unused > pages // 2:
            with suppress(sqlite3.OperationalError):  # a full disk: the pages are used again by what comes
                self._connection.execute("VACUUM")

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def _places(self, sizes: Sequence[int]) -> list[int]:
        """Where rows of these sizes go: over one of the same size, over any that is free, or behind the last."""
        places = []
        for size in sizes:
            fitting = self._free.get(size) or next(iter(self._free.values()), None)
            if fitting:
                places.append(fitting.pop())
                self._free = self._free if fitting else {size: free for size, free in self._free.items() if free}
            else:
                places.append(self._next_place)
                self._next_place += 1
        return places

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for the doctor and for tests that make it fail."""
        return self._connection


def sound_layouts(rows: Iterable[tuple[int, int, bytes]]) -> dict[int, IdArray]:
    """The layouts by number of which a copy fits its checksum, given number, checksum and ids of each copy."""
    return {number: np.frombuffer(ids, "<u8").astype(np.uint64, copy=False) for number, crc, ids in rows if zlib.crc32(ids) == crc}


def pack(samples: Columns) -> bytes:
    """Samples as bytes."""
    ids, times = samples.ids, samples.timestamps_ms
    narrow_ids = int(ids.max()) < _U32_LIMIT
    base, time_bytes, time_column = _pack_times(times)
    header = _HEADER.pack(_NARROW if narrow_ids else _WIDE, time_bytes, len(samples), base)
    id_column = (ids.astype("<u4") if narrow_ids else ids.astype("<u8")).tobytes()
    return b"".join((header, id_column, time_column, samples.values.astype("<f8", copy=False).tobytes()))


def pack_frame(frame: FrameRow, layout: int) -> bytes:
    """A batch of a layout as bytes."""
    times, values = frame.times, np.ascontiguousarray(frame.values, "<f8")
    base, time_bytes, time_column = (times, _CONSTANT, b"") if isinstance(times, int) else _pack_times(times)
    header = _HEADER.pack(_NAMED, time_bytes, len(values), base)
    return b"".join((header, _LAYOUT.pack(layout), time_column, values.data))


def _pack_times(times: TimeArray) -> tuple[int, int, bytes]:
    base = int(times.min())
    span = int(times.max()) - base
    if not span:
        return base, _CONSTANT, b""
    width = _NARROW if span < _U32_LIMIT else _WIDE
    return base, width, (times - base).astype(f"<u{width}").tobytes()


def frame_crc(number: int, data: bytes) -> int:
    """Checksum of a row of the table `frame`, its number included: it alone says whether the row counts."""
    return zlib.crc32(data, number & 0xFFFFFFFF)


def unpack_checked(written: int, found: int, data: bytes, layouts: Mapping[int, IdArray]) -> Columns | None:
    """The samples of a row given both checksums, None when it or its layout is damaged."""
    if written != found:
        return None
    try:
        return unpack(data, layouts)
    except BadBatchError:
        return None


def unpack(data: bytes, layouts: Mapping[int, IdArray]) -> Columns:
    """The samples again.

    Raises:
        BadBatchError: the bytes are not a batch, or their layout is not known.
    """
    try:
        id_bytes, time_bytes, count, base = _HEADER.unpack_from(data)
        id_size = count * id_bytes if id_bytes != _NAMED else _LAYOUT.size
        if len(data) != _HEADER.size + id_size + count * (time_bytes + 8):
            raise BadBatchError("length does not fit the header")
        if id_bytes == _NAMED:
            named = layouts.get(_LAYOUT.unpack_from(data, _HEADER.size)[0])
            if named is None or len(named) != count:
                raise BadBatchError("its layout is lost")
            ids = named
        else:
            ids = _column(data, f"<u{id_bytes}", count, _HEADER.size).astype(np.uint64)
        values = _column(data, "<f8", count, _HEADER.size + id_size + count * time_bytes).astype(np.float64)
        if time_bytes:
            times = _column(data, f"<u{time_bytes}", count, _HEADER.size + id_size).astype(np.int64) + base
        else:
            times = np.full(count, base, np.int64)
    except (struct.error, TypeError, ValueError) as error:
        raise BadBatchError(str(error)) from error
    return Columns(ids, times, values)


def layout_of(data: bytes) -> int:
    """The layout that a row names, 0 without one."""
    named = len(data) >= _HEADER.size + _LAYOUT.size and data[0] == _NAMED
    return int(_LAYOUT.unpack_from(data, _HEADER.size)[0]) if named else 0


def _column(data: bytes, dtype: str, count: int, offset: int) -> NDArray[Any]:
    return np.frombuffer(data, dtype, count, offset)
