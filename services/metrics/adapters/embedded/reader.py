"""Reads samples out of blocks and joins them with those of the head."""

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from services.common.errors import ResourceExhaustedError
from services.metrics.adapters.embedded.block import BadBlockError, Block, checksum, decode
from services.metrics.adapters.embedded.database import open_reader
from services.metrics.adapters.embedded.head import HeadPart, copied
from services.metrics.adapters.embedded.segments import Rows, merge, offsets_of, row_numbers, runs_of
from services.metrics.adapters.embedded.state import Snapshot
from services.metrics.domain.ports import IdArray

log = structlog.get_logger("metrics.store")

_FIND: Final = "SELECT id FROM block WHERE group_id = ? AND end_ms >= ? AND start_ms <= ?"
_LOAD: Final = "SELECT crc, data FROM block WHERE id = ?"
_WHOLE_FROM: Final = 16
"""Who wants this many series of a block gets all of them decoded, for the cache."""


class BlockCache:
    """Decoded blocks, the least recently used dropped first; safe to share between threads."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Memory of the blocks."""
        return self._size_bytes

    def get(self, number: int) -> Block | None:
        """The block, if it is here."""
        with self._lock:
            block = self._blocks.get(number)
            if block is not None:
                self._blocks.move_to_end(number)
            return block

    def put(self, number: int, block: Block) -> None:
        """Keep a block, unless it alone is larger than the cache."""
        if block.size_bytes > self._limit_bytes:
            return
        with self._lock:
            if number not in self._blocks:
                self._blocks[number] = block
                self._size_bytes += block.size_bytes
            self._shrink(self._limit_bytes)

    def trim(self, limit_bytes: int = 0) -> None:
        """Drop blocks until no more than this is left."""
        with self._lock:
            self._shrink(limit_bytes)

    def _shrink(self, limit_bytes: int) -> None:
        while self._size_bytes > limit_bytes:
            _, block = self._blocks.popitem(last=False)
            self._size_bytes -= block.size_bytes


class BlockReader:
    """One thread's access to the blocks.

    Damage is survived: a block that cannot be read is reported to `on_bad` and left out, so that a query answers with what is there.
    """

    def __init__(self, path: Path, cache: BlockCache, on_bad: Callable[[int], None]) -> None:
        self._connection = open_reader(path)
        self._cache = cache
        self._on_bad = on_bad

    def complete(self, snapshot: Snapshot, max_samples: int | None = None) -> Rows:
        """All samples of a selection, one run a series.

        Raises:
            ResourceExhaustedError: more than `max_samples` would have to be joined (`TOO_MANY_SAMPLES`).
        """
        pieces: list[HeadPart] = []
        samples = 0
        for piece in self._pieces(snapshot):
            samples += piece.samples
            if max_samples is not None and samples > max_samples:
                message = f"the query reads more than {max_samples} samples; ask for fewer series or a shorter range"
                raise ResourceExhaustedError(message, reason="TOO_MANY_SAMPLES")
            pieces.append(piece)
        return merge(copied(pieces), snapshot.start_ms, snapshot.end_ms)

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()

    def _pieces(self, snapshot: Snapshot) -> Iterator[HeadPart]:
        if len(snapshot.ids):
            # One view of the file for the whole selection: merging may put one block in the place of others meanwhile.
            self._connection.execute("BEGIN")
            try:
                for block in self._blocks(snapshot):
                    piece = _chosen(block, snapshot)
                    if piece is not None:
                        yield piece
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        yield from snapshot.heads

    def _blocks(self, snapshot: Snapshot) -> Iterator[Block]:
        order = np.argsort(snapshot.groups, kind="stable")
        first = runs_of(snapshot.groups[order]).tolist()
        for start, end in zip(first, [*first[1:], len(order)], strict=True):
            own = order[start:end]
            group = int(snapshot.groups[own[0]])
            try:
                found = self._connection.execute(_FIND, (group, snapshot.start_ms, snapshot.end_ms)).fetchall()
            except sqlite3.DatabaseError as error:
                self._bad(-1, error)
                continue
            wanted = snapshot.ids[own]
            for (number,) in found:
                block = self._cache.get(number) or self._load(number, wanted)
                if block is not None:
                    yield block

    def _load(self, number: int, wanted: IdArray) -> Block | None:
        whole = len(wanted) >= _WHOLE_FROM
        try:
            row = self._connection.execute(_LOAD, (number,)).fetchone()
            if row is None:  # the file is damaged: an index names what the table does not have
                raise BadBlockError("the block is missing")
            crc, data = row
            if checksum(data) != crc:
                raise BadBlockError("checksum does not fit")
            block = decode(data, None if whole else wanted)
        except (BadBlockError, sqlite3.DatabaseError) as error:
            self._bad(number, error)
            return None
        if whole:
            self._cache.put(number, block)
        return block

    def _bad(self, number: int, error: Exception) -> None:
        log.error("block_unreadable", block=number, error=str(error), advice="stop the suite and run `openmanager doctor --repair`")
        self._on_bad(number)


def _chosen(block: Block, snapshot: Snapshot) -> Rows | None:
    """The runs of a block that belong to the selection; some samples outside the range may be among them."""
    ids = snapshot.ids
    position = np.minimum(np.searchsorted(ids, block.ids), len(ids) - 1)
    kept = np.flatnonzero(ids[position] == block.ids)
    if not len(kept):
        return None
    position = position[kept]
    if block.shared:
        low, high = np.searchsorted(block.times, [snapshot.start_ms, snapshot.end_ms + 1]).tolist()
        if low == high:
            return None
        values = block.values.reshape(len(block.ids), -1)[:, low:high]
        values = values if len(kept) == len(block.ids) else values[kept]
        offsets = np.arange(0, (len(kept) + 1) * (high - low), high - low, dtype=np.int64)
        return Rows(position, offsets, np.tile(block.times[low:high], len(kept)), np.ascontiguousarray(values).ravel())
    if len(kept) == len(block.ids):
        return Rows(position, block.offsets, block.times, block.values)
    if len(kept) == 1:
        run = int(kept[0])
        start, end = int(block.offsets[run]), int(block.offsets[run + 1])
        return Rows(position, np.array([0, end - start], np.int64), block.times[start:end], block.values[start:end])
    counts = np.diff(block.offsets)[kept]
    rows = row_numbers(block.offsets[kept], counts)
    return Rows(position, offsets_of(counts), block.times[rows], block.values[rows])
