"""InfluxDB as the service sees it: `SampleStore` over HTTP, with ids and labels in a file of our own."""

import asyncio
import sqlite3
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import structlog

from services.common.errors import OpenManagerError, RefusedError, ResourceExhaustedError, UnavailableError
from services.common.ids import IdSource, new_id
from services.common.telemetry import Telemetry
from services.metrics.adapters.embedded.database import write_failure
from services.metrics.adapters.influxdb.address import InfluxAddress
from services.metrics.adapters.influxdb.answers import Collector
from services.metrics.adapters.influxdb.catalogue import Catalogue
from services.metrics.adapters.influxdb.changes import Changes
from services.metrics.adapters.influxdb.client import InfluxClient
from services.metrics.adapters.influxdb.database import InfluxDatabase
from services.metrics.adapters.influxdb.instruments import InfluxInstruments
from services.metrics.adapters.influxdb.names import MAX_KEY_BYTES, line_key
from services.metrics.adapters.influxdb.options import InfluxOptions
from services.metrics.adapters.influxdb.restore import restore
from services.metrics.adapters.influxdb.state import State
from services.metrics.adapters.influxdb.writer import Batch, GroupWriter
from services.metrics.domain.ports import (
    MAX_TIME_MS,
    MIN_TIME_MS,
    Columns,
    IdArray,
    Labels,
    Matcher,
    Reason,
    Receipt,
    Registration,
    RowError,
    SeriesData,
    StoreLimits,
    StoreStats,
    WriteMode,
)
from services.metrics.domain.registration import RegistrationPlan, known_ids, plan_registration

log = structlog.get_logger("metrics.store")

T = TypeVar("T")
_ADD_AT_ONCE: Final = 1_000
"""Series that are added without giving the event loop a turn."""


class InfluxStore:
    """`SampleStore` on an InfluxDB database that nobody else writes to. Make it with `open`; one process at a time may use a folder.

    While InfluxDB is away, everything that needs it raises `UnavailableError` (`STORE_UNAVAILABLE`); nothing is acknowledged then,
    and the next call after its return succeeds.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        database: InfluxDatabase,
        limits: StoreLimits,
        options: InfluxOptions,
        instruments: InfluxInstruments,
    ) -> None:
        self._catalogue = catalogue
        self._database = database
        self._limits = limits
        self._options = options
        self._state = State(catalogue.floor_ms)
        self._changes = Changes(self._state, database, limits, instruments)
        self._writer = GroupWriter(self._commit, options.group_samples, options.pending_samples)
        self._series_lock = asyncio.Lock()
        self._connect_lock = asyncio.Lock()
        self._connected = False
        self._own: set[asyncio.Task[Any]] = set()
        self._closed = False

    @classmethod
    async def open(
        cls,
        folder: Path,
        address: InfluxAddress,
        *,
        telemetry: Telemetry,
        limits: StoreLimits | None = None,
        options: InfluxOptions | None = None,
        id_source: IdSource = new_id,
    ) -> "InfluxStore":
        """Open the store: the catalogue in the folder, the samples in the database. An InfluxDB that is away is waited for by every call.

        Raises:
            RefusedError: the catalogue cannot be used (`DATA_CORRUPT`, `DATA_UNREADABLE`), InfluxDB does not let us in
                (`STORE_UNAUTHORIZED`) or does not let us make the database (`STORE_NO_DATABASE`).
        """
        options = options or InfluxOptions()
        instruments = InfluxInstruments(telemetry)
        catalogue = await asyncio.to_thread(Catalogue.open, folder, id_source())
        database = InfluxDatabase(InfluxClient(address, options, instruments.observe))
        store = cls(catalogue, database, limits or StoreLimits(), options, instruments)
        try:
            await store._add(await asyncio.to_thread(catalogue.read_series))
            await store._ready()
        except UnavailableError as error:
            log.warning("influxdb_away", error=error.message)
        except BaseException:
            await store.close()
            raise
        return store

    @property
    def store_id(self) -> str:
        """Names this store for as long as its ids are valid."""
        return self._catalogue.store_id

    @property
    def limits(self) -> StoreLimits:
        """What the store takes in."""
        return self._limits

    async def register(self, series: Sequence[Sequence[tuple[str, str]]]) -> Registration:
        """Give each series its id; durable on return. Does not need InfluxDB."""
        self._check_open()
        ids = known_ids(self._state.index, series)
        return Registration(ids) if ids is not None else await self._to_the_end(self._register(series))

    async def append(self, columns: Columns, *, mode: WriteMode = WriteMode.LIVE, now_ms: int) -> Receipt:
        """Store a batch; InfluxDB has acknowledged it on return."""
        self._check_open()
        if not len(columns):
            return Receipt(0, 0, 0, 0, (), np.empty(0, np.bool_))
        return await self._writer.append(Batch(columns, mode, now_ms))

    def labels_of(self, ids: IdArray) -> list[Labels]:
        """Label sets of the series, empty where one is not known."""
        return self._state.labels_of(ids)

    def matching(self, matchers: Sequence[Matcher]) -> IdArray:
        """Ids of all series that meet every matcher, ascending."""
        return self._state.index.matching(matchers)

    async def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, *, max_samples: int | None = None
    ) -> SeriesData:
        """Samples in the range of the series that meet every matcher."""
        await self._usable()
        ids = self._state.in_range(matchers, start_ms, end_ms)
        if not len(ids):
            return SeriesData.empty()
        wanted = dict(zip(self._state.labels_of(ids), ids.tolist(), strict=True))
        collector = Collector(lambda labels: wanted.get(labels, 0))
        start_ms = max(start_ms, self._state.floor_ms)
        answer = self._database.read(wanted, self._state.counts(list(wanted)), start_ms, end_ms)
        async with aclosing(answer):
            async for series in answer:
                collector.take(series)
                if max_samples is not None and collector.samples > max_samples:
                    raise ResourceExhaustedError(f"the query reads more than {max_samples} samples", reason="TOO_MANY_SAMPLES")
        found = collector.columns()
        labels = {series_id: labels for labels, series_id in wanted.items()}
        return SeriesData(
            found.ids, [labels[series_id] for series_id in found.ids.tolist()], found.offsets, found.times, found.values
        )

    async def select_series(
        self, matchers: Sequence[Matcher], start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[tuple[int, Labels]]:
        """Series that meet every matcher and whose span touches the range, ascending by id."""
        await self._usable()
        ids = self._state.in_range(matchers, start_ms, end_ms)
        return list(zip(ids.tolist(), self._state.labels_of(ids), strict=True))

    async def latest(self, matchers: Sequence[Matcher] = (), *, ids: IdArray | None = None) -> Columns:
        """The newest sample of each series; held in memory."""
        await self._usable()
        found, rows = self._state.held(self._state.index.matching(matchers) if ids is None else np.unique(ids))
        return Columns(found, self._state.spans.newest_ms[rows], self._state.spans.newest_value[rows])

    async def label_names(
        self, matchers: Sequence[Matcher] = (), start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[str]:
        """Names of the labels in use, ascending."""
        await self._usable()
        return self._state.index.names(self._state.in_range(matchers, start_ms, end_ms))

    async def label_values(
        self, name: str, matchers: Sequence[Matcher] = (), start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[str]:
        """Values of one label, ascending."""
        await self._usable()
        return self._state.index.values(name, self._state.in_range(matchers, start_ms, end_ms))

    async def delete_before(self, time_ms: int) -> int:
        """Forget samples older than this, and series of which nothing newer is held; InfluxDB is told once a day of the past may go."""
        self._check_open()
        return await self._writer.call(lambda: self._delete_before(time_ms))

    async def delete_series(self, matchers: Sequence[Matcher]) -> int:
        """Forget the series that meet every matcher, with all their samples."""
        self._check_open()
        return await self._writer.call(lambda: self._delete_series(matchers))

    async def flush(self) -> None:
        """Wait until what was handed over is stored."""
        self._check_open()
        await self._writer.call(_nothing)

    async def close(self) -> None:
        """Finish what is waiting and release file and connections."""
        if self._closed:
            return
        self._closed = True
        await self._writer.stop()
        await asyncio.gather(*self._own, return_exceptions=True)
        await self._database.close()
        await asyncio.to_thread(self._catalogue.close)

    def stats(self) -> StoreStats:
        """Present figures."""
        extra = {"pending_samples": float(self._writer.pending)}
        return StoreStats(series=len(self._state.index), write_failures=self._changes.failures, extra=extra)

    async def _usable(self) -> None:
        self._check_open()
        await self._ready()

    async def _ready(self) -> None:
        """Connect when that has not succeeded yet: make the database, learn first and newest samples."""
        if self._connected and not self._database.is_missing:
            return
        async with self._connect_lock:
            if self._connected and not self._database.is_missing:
                return
            version = await self._database.prepare()
            strangers = await restore(self._database, self._state)
            await self._adopt(strangers)
            self._connected = True
            log.info("influxdb_connected", address=self._database.address, version=version, series=len(self._state.index))

    async def _adopt(self, strangers: dict[Labels, Columns]) -> None:
        """Give ids to series that InfluxDB has and the catalogue does not: it was lost, or they are somebody else's."""
        if not strangers:
            return
        async with self._series_lock:
            first = self._catalogue.next_series
            new = list(enumerate(strangers, first))
            await self._write_catalogue(new)
            await self._add(new)
        for series_id, labels in new:
            ends = strangers[labels]
            self._state.spans.advance(self._state.spans.rows(np.full(len(ends), series_id, np.uint64)), ends)
        log.info("influxdb_series_adopted", series=len(new))

    async def _commit(self, batches: Sequence[Batch]) -> list[Receipt]:
        await self._ready()
        return await self._changes.store(batches)

    async def _register(self, series: Sequence[Sequence[tuple[str, str]]]) -> Registration:
        async with self._series_lock:
            plan = plan_registration(self._state.index, series, self._limits, self._catalogue.next_series)
            registration, new = _fitting(plan)
            if new:
                await self._write_catalogue(new)
                await self._add(new)
            return registration

    async def _write_catalogue(self, new: list[tuple[int, Labels]]) -> None:
        try:
            await asyncio.to_thread(self._catalogue.add_series, new)
        except sqlite3.Error as error:
            raise write_failure(self._catalogue.path.parent, error) from error

    async def _add(self, new: list[tuple[int, Labels]]) -> None:
        for start in range(0, len(new), _ADD_AT_ONCE):
            self._state.add(new[start : start + _ADD_AT_ONCE])
            await asyncio.sleep(0)

    async def _delete_before(self, time_ms: int) -> int:
        await self._ready()
        floor_ms = max(time_ms, self._state.floor_ms)
        gone = self._state.outlived(floor_ms)
        await self._forget(gone, floor_ms)
        if floor_ms - self._catalogue.purged_ms >= self._options.purge_ms:
            try:
                await self._database.purge(floor_ms)
                await asyncio.to_thread(self._catalogue.note_purged, floor_ms)
            except (OpenManagerError, sqlite3.Error) as error:
                log.warning(
                    "influxdb_purge_failed", error=str(error), note="what is deleted is not shown, but still takes space there"
                )
        return len(gone)

    async def _delete_series(self, matchers: Sequence[Matcher]) -> int:
        await self._ready()
        gone = self._state.index.matching(matchers).copy()
        if len(gone):
            await self._database.drop(self._state.labels_of(gone))
            await self._forget(gone, self._state.floor_ms)
        return len(gone)

    async def _forget(self, ids: IdArray, floor_ms: int) -> None:
        async with self._series_lock:
            try:
                await asyncio.to_thread(self._catalogue.delete, ids, floor_ms)
            except sqlite3.Error as error:
                raise write_failure(self._catalogue.path.parent, error) from error
            self._state.remove(ids)
            self._state.floor_ms = floor_ms

    async def _to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something that must not be left half done when its caller gives up."""
        task = asyncio.create_task(work)
        self._own.add(task)
        task.add_done_callback(self._own.discard)
        return await asyncio.shield(task)

    def _check_open(self) -> None:
        if self._closed:
            raise RefusedError("the store is closed", reason="STORE_CLOSED")


def _fitting(plan: RegistrationPlan) -> tuple[Registration, list[tuple[int, Labels]]]:
    """The plan without series whose labels together are longer than InfluxDB takes."""
    long = {series_id for series_id, labels in plan.new if len(line_key(labels).encode()) > MAX_KEY_BYTES}
    if not long:
        return plan.registration, plan.new
    ids = plan.registration.ids.copy()
    errors = list(plan.registration.errors)
    message = f"the labels together are longer than {MAX_KEY_BYTES} bytes, which InfluxDB does not take"
    for row, series_id in enumerate(ids.tolist()):
        if series_id in long:
            ids[row] = 0
            errors.append(RowError(row, Reason.INVALID_LABELS, message))
    errors.sort(key=lambda error: error.index)
    return Registration(ids, tuple(errors)), [(series_id, labels) for series_id, labels in plan.new if series_id not in long]


async def _nothing() -> None:
    """A job that has no work: it ends when those before it have."""
