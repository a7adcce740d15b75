"""The embedded store as the service sees it: `SampleStore` on the event loop, with one writer thread and a few readers behind."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from services.common.errors import RefusedError
from services.common.ids import IdSource, new_id
from services.metrics.adapters.embedded.backup import back_up
from services.metrics.adapters.embedded.engine import Batch, Engine
from services.metrics.adapters.embedded.options import EmbeddedOptions
from services.metrics.adapters.embedded.reader import BlockReader
from services.metrics.adapters.embedded.state import labels_of
from services.metrics.adapters.embedded.writer import Writer
from services.metrics.domain.ports import (
    MAX_TIME_MS,
    MIN_TIME_MS,
    Columns,
    IdArray,
    Labels,
    Matcher,
    Receipt,
    Registration,
    SeriesData,
    StoreLimits,
    StoreStats,
    WriteMode,
)
from services.metrics.domain.registration import known_ids

T = TypeVar("T")

_ON_LOOP_SERIES = 1_000
"""Registrations up to this size are looked up on the event loop first (about a microsecond a series)."""


class EmbeddedStore:
    """`SampleStore` in two SQLite files and memory. Make it with `open`; one process at a time may use a folder."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._state = engine.state
        self._writer = Writer(engine, engine.options.pending_samples)
        self._local = threading.local()
        self._readers: list[BlockReader] = []
        self._pool = ThreadPoolExecutor(engine.options.reader_threads, "metrics-reader", initializer=self._open_reader)
        self._closed = False

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        limits: StoreLimits | None = None,
        options: EmbeddedOptions | None = None,
        id_source: IdSource = new_id,
    ) -> "EmbeddedStore":
        """Open the store in a folder, making both when they are new, and bring back what a crash left in the journal.

        Raises:
            RefusedError: a file is damaged (`DATA_CORRUPT`) or cannot be opened (`DATA_UNREADABLE`).
        """

        def start() -> Engine:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Engine(folder, limits or StoreLimits(), options or EmbeddedOptions(), id_source)

        return cls(await asyncio.to_thread(start))

    @property
    def store_id(self) -> str:
        """Names this store for as long as its ids are valid."""
        return self._engine.catalog.store_id

    @property
    def limits(self) -> StoreLimits:
        """What the store takes in."""
        return self._engine.limits

    async def register(self, series: Sequence[Sequence[tuple[str, str]]]) -> Registration:
        """Give each series its id; durable on return."""
        self._check_open()
        if len(series) <= _ON_LOOP_SERIES:
            with self._state.lock:
                ids = known_ids(self._state.index, series)
            if ids is not None:
                return Registration(ids)
        return await self._writer.call(lambda: self._engine.register(series))

    async def append(self, columns: Columns, *, mode: WriteMode = WriteMode.LIVE, now_ms: int) -> Receipt:
        """Store a batch; durable on return."""
        self._check_open()
        if not len(columns):
            return Receipt(0, 0, 0, 0, (), np.empty(0, np.bool_))
        return await self._writer.append(Batch(columns, mode, now_ms))

    def labels_of(self, ids: IdArray) -> list[Labels]:
        """Label sets of the series, empty where one is not known."""
        with self._state.lock:
            return labels_of(self._state.index, ids)

    def matching(self, matchers: Sequence[Matcher]) -> IdArray:
        """Ids of all series that meet every matcher, ascending."""
        with self._state.lock:
            return self._state.index.matching(matchers)

    async def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, *, max_samples: int | None = None
    ) -> SeriesData:
        """Samples in the range of the series that meet every matcher."""
        start_ms, end_ms = max(start_ms, MIN_TIME_MS), min(end_ms, MAX_TIME_MS)

        def read() -> SeriesData:
            with self._state.lock:
                ids, slots = self._state.in_range(matchers, start_ms, end_ms)
                labels = labels_of(self._state.index, ids)
                snapshot = self._state.snapshot(ids, slots, start_ms, end_ms)
            reader: BlockReader = self._local.reader
            rows = reader.complete(snapshot, max_samples)
            chosen = [labels[position] for position in rows.position.tolist()]
            return SeriesData(ids[rows.position], chosen, rows.offsets, rows.timestamps_ms, rows.values)

        return await self._read(read)

    async def select_series(
        self, matchers: Sequence[Matcher], start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[tuple[int, Labels]]:
        """Series that meet every matcher and whose span touches the range, ascending by id."""

        def read() -> list[tuple[int, Labels]]:
            with self._state.lock:
                ids, _ = self._state.in_range(matchers, start_ms, end_ms)
                return list(zip(ids.tolist(), labels_of(self._state.index, ids), strict=True))

        return await self._read(read)

    async def latest(self, matchers: Sequence[Matcher] = (), *, ids: IdArray | None = None) -> Columns:
        """The newest sample of each series; answered on the event loop, since it is a look into three columns."""
        self._check_open()
        state = self._state
        with state.lock:
            wanted = state.index.matching(matchers) if ids is None else np.unique(ids)
            slots = state.table.slots(wanted)
            held = (slots >= 0) & (state.table.newest_ms[slots] >= max(state.floor_ms, MIN_TIME_MS + 1))
            slots = slots[held]
            return Columns(wanted[held], state.table.newest_ms[slots], state.table.newest_value[slots])

    async def label_names(
        self, matchers: Sequence[Matcher] = (), start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[str]:
        """Names of the labels in use, ascending."""

        def read() -> list[str]:
            with self._state.lock:
                return self._state.index.names(self._state.in_range(matchers, start_ms, end_ms)[0])

        return await self._read(read)

    async def label_values(
        self, name: str, matchers: Sequence[Matcher] = (), start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[str]:
        """Values of one label, ascending."""

        def read() -> list[str]:
            with self._state.lock:
                return self._state.index.values(name, self._state.in_range(matchers, start_ms, end_ms)[0])

        return await self._read(read)

    async def delete_before(self, time_ms: int) -> int:
        """Forget samples older than this, and series of which nothing newer is held."""
        self._check_open()
        return await self._writer.call(lambda: self._engine.delete_before(time_ms))

    async def delete_series(self, matchers: Sequence[Matcher]) -> int:
        """Forget the series that meet every matcher, with all their samples."""
        self._check_open()
        return await self._writer.call(lambda: self._engine.delete_series(matchers))

    async def flush(self) -> None:
        """Move everything from the head into blocks.

        Raises:
            UnavailableError: the disk does not take it (`STORE_WRITE_FAILED`); nothing is lost.
        """
        self._check_open()
        await self._writer.call(self._engine.flush)

    async def compact(self) -> None:
        """Move everything into blocks, and merge small blocks as far as ever possible.

        Raises:
            UnavailableError: the disk does not take it (`STORE_WRITE_FAILED`); nothing is lost.
        """
        self._check_open()
        await self._writer.call(self._engine.compact)

    async def backup(self, target: Path) -> None:
        """Copy the store as it is now into a new folder, while samples go on coming.

        Raises:
            RefusedError: the folder exists (`TARGET_NOT_EMPTY`), or the copy cannot be written.
        """
        self._check_open()
        await asyncio.to_thread(back_up, self._engine.catalog.path.parent, target)

    async def close(self) -> None:
        """Finish what is waiting and release the files."""
        if self._closed:
            return
        self._closed = True
        await self._writer.stop()
        await asyncio.to_thread(self._pool.shutdown)
        for reader in self._readers:
            reader.close()
        await asyncio.to_thread(self._engine.close)

    def trim_memory(self) -> None:
        """Drop decoded blocks; the next queries read them again."""
        self._engine.cache.trim()

    def stats(self) -> StoreStats:
        """Present figures."""
        return self._engine.stats()

    async def _read(self, function: Callable[[], T]) -> T:
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    def _open_reader(self) -> None:
        reader = BlockReader(self._engine.catalog.path, self._engine.cache, self._engine.count_bad_block)
        self._local.reader = reader
        self._readers.append(reader)

    def _check_open(self) -> None:
        if self._closed:
            raise RefusedError("the store is closed", reason="STORE_CLOSED")
