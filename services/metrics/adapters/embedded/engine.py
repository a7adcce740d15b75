"""Everything that changes the store, as plain calls for one thread.

What a crash leaves behind: a batch is in the journal or it was never acknowledged. A seal commits blocks together with the journal
number that they reach; what the journal still has up to that number is skipped on the next start. So a kill at any point loses
no acknowledged sample and brings none in twice.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from services.common.ids import IdSource
from services.metrics.adapters.embedded.catalog import Catalog, NewBlock
from services.metrics.adapters.embedded.database import open_failure, write_failure
from services.metrics.adapters.embedded.intake import Arrangement, absent, arrange
from services.metrics.adapters.embedded.journal import Journal
from services.metrics.adapters.embedded.options import EmbeddedOptions
from services.metrics.adapters.embedded.reader import BlockCache, BlockReader
from services.metrics.adapters.embedded.recovery import bind_journal, load_series, replay
from services.metrics.adapters.embedded.sealing import build_blocks, build_spans, seal_order
from services.metrics.adapters.embedded.segments import Positions, Rows, runs_of
from services.metrics.adapters.embedded.state import State
from services.metrics.domain.admission import Verdict, Verdicts, receipt_of, screen
from services.metrics.domain.ports import (
    MAX_TIME_MS,
    MIN_TIME_MS,
    Columns,
    IdArray,
    Matcher,
    Receipt,
    Registration,
    StoreLimits,
    StoreStats,
    TimeArray,
    ValueArray,
    WriteMode,
)
from services.metrics.domain.registration import plan_registration

log = structlog.get_logger("metrics.store")

_ADD_AT_ONCE = 1_000
"""Series that become visible under one hold of the lock, so that readers need not wait for a large registration."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples that somebody waits for."""

    columns: Columns
    mode: WriteMode
    now_ms: int


class Engine:
    """The store behind its threads. Opening it reads the series and replays the journal.

    Raises:
        RefusedError: a file is damaged (`DATA_CORRUPT`) or cannot be opened (`DATA_UNREADABLE`).
    """

    def __init__(self, folder: Path, limits: StoreLimits, options: EmbeddedOptions, id_source: IdSource) -> None:
        self.limits = limits
        self.options = options
        self.state = State()
        self.cache = BlockCache(options.cache_bytes)
        self.bad_blocks = 0
        self.write_failures = 0
        self.seals = 0
        self._head_since_ms: int | None = None
        self._seal_again_at = 0
        path = folder
        try:
            path = folder / "blocks.db"
            self.catalog = Catalog(folder, id_source())
            path = folder / "journal.db"
            self.journal = Journal(folder)
            path = self.catalog.path
            load_series(self.state, self.catalog)
            self._reader = BlockReader(self.catalog.path, self.cache, self.count_bad_block)
            path = self.journal.path
            self._number = bind_journal(self.journal, self.catalog)
            self.bad_batches = replay(self.state, self.journal, self.catalog.sealed_through)
        except sqlite3.Error as error:
            raise open_failure(path, error) from error

    def commit(self, batches: Sequence[Batch]) -> list[Receipt]:
        """Store batches in one transaction; durable on return.

        Raises:
            UnavailableError: nothing of any of them was stored (`STORE_WRITE_FAILED`).
        """
        columns = Columns.concatenated([batch.columns for batch in batches])
        slots = self.state.table.slots(columns.ids)
        verdicts = self._screen(batches, slots)
        plan = arrange(self.state.table, slots, columns.timestamps_ms, verdicts)
        if len(plan.strays):
            plan = Arrangement(plan.fresh, plan.sorted_runs, self._not_held(columns, slots, plan.strays, verdicts))
        if len(plan.fresh) or len(plan.strays):
            try:
                self._store(columns, slots, plan)
            except sqlite3.Error as error:
                self.write_failures += 1
                log.error("write_failed", samples=len(columns), error=str(error))
                raise write_failure(self.catalog.path.parent, error) from error
            if self._head_since_ms is None:
                self._head_since_ms = batches[0].now_ms
        receipts = []
        start = 0
        for batch in batches:
            end = start + len(batch.columns)
            receipts.append(receipt_of(batch.columns, verdicts[start:end]))
            start = end
        return receipts

    def register(self, series: Sequence[Sequence[tuple[str, str]]]) -> Registration:
        """Look series up and make the new ones durable.

        Raises:
            UnavailableError: no series was made (`STORE_WRITE_FAILED`).
        """
        plan = plan_registration(self.state.index, series, self.limits, self.catalog.next_series)
        if not plan.new:
            return plan.registration
        try:
            groups = self.catalog.add_series(plan.new)
        except sqlite3.Error as error:
            self.write_failures += 1
            raise write_failure(self.catalog.path.parent, error) from error
        for start in range(0, len(plan.new), _ADD_AT_ONCE):
            part = plan.new[start : start + _ADD_AT_ONCE]
            with self.state.lock:
                for series_id, labels in part:
                    self.state.index.add(series_id, labels)
                ids = np.array([series_id for series_id, _ in part], np.uint64)
                self.state.table.add(ids, groups[start : start + len(part)])
                self.state.head.pages.fit(self.state.table.capacity)
        return plan.registration

    def seal_if_due(self, now_ms: int) -> None:
        """Seal when the head is large or old; a failure is logged and tried again when some more samples have come."""
        head, options = self.state.head, self.options
        large = head.samples >= options.seal_samples or len(head.strays) >= options.seal_strays
        old = self._head_since_ms is not None and now_ms - self._head_since_ms >= options.seal_age_ms
        if not (large or old) or head.samples < self._seal_again_at:
            return
        try:
            self.seal()
        except sqlite3.Error as error:
            self.write_failures += 1
            self._seal_again_at = head.samples + options.seal_samples // 8
            log.error("seal_failed", samples=head.samples, error=str(error))

    def seal(self) -> None:
        """Move everything from the head into blocks and empty the journal.

        Raises:
            sqlite3.Error: nothing changed, or the journal still has rows that will be skipped.
        """
        state = self.state
        if state.head.samples:
            parts = (
                (slots, rows)
                for slots in seal_order(state.table, state.head.samples)
                for rows in state.head.rows(slots, MIN_TIME_MS, MAX_TIME_MS)
            )
            self._write_blocks(parts, self._number, clear_head=True)
            self.seals += 1
            self._head_since_ms = None
            self._seal_again_at = 0
        self.journal.drop(self.catalog.sealed_through)

    def flush(self) -> None:
        """Seal now.

        Raises:
            UnavailableError: the disk does not take it (`STORE_WRITE_FAILED`); nothing is lost.
        """
        try:
            self.seal()
        except sqlite3.Error as error:
            self.write_failures += 1
            raise write_failure(self.catalog.path.parent, error) from error

    def delete_before(self, time_ms: int) -> int:
        """Forget old samples, and series that have no others; gives the number of series.

        Raises:
            UnavailableError: nothing was deleted (`STORE_WRITE_FAILED`).
        """
        floor_ms = max(time_ms, self.state.floor_ms)
        table = self.state.table
        living = table.living()
        newest = table.newest_ms[living]
        return self._forget(table.ids[living[(newest < floor_ms) & (newest > MIN_TIME_MS)]], floor_ms)

    def delete_series(self, matchers: Sequence[Matcher]) -> int:
        """Forget series; gives their number.

        Raises:
            UnavailableError: nothing was deleted (`STORE_WRITE_FAILED`).
        """
        return self._forget(self.state.index.matching(matchers), None)

    def stats(self) -> StoreStats:
        """Present figures; may be called from any thread."""
        state, catalog = self.state, self.catalog
        return StoreStats(
            series=len(state.index),
            head_samples=state.head.samples,
            head_bytes=state.head.size_bytes + state.table.size_bytes,
            blocks=catalog.blocks,
            block_samples=catalog.block_samples,
            block_bytes=catalog.block_bytes,
            journal_bytes=self.journal.size_bytes,
            cache_bytes=self.cache.size_bytes,
            bad_blocks=self.bad_blocks,
            write_failures=self.write_failures,
            seals=self.seals,
            extra={"bad_batches": self.bad_batches},
        )

    def count_bad_block(self, number: int) -> None:
        """Note that a block could not be read."""
        del number
        self.bad_blocks += 1

    def close(self) -> None:
        """Release the files."""
        self._reader.close()
        self.journal.close()
        self.catalog.close()

    def _screen(self, batches: Sequence[Batch], slots: Positions) -> Verdicts:
        verdicts = []
        start = 0
        for batch in batches:
            own = slots[start : start + len(batch.columns)]
            start += len(own)
            newest = self.state.table.newest_ms[own]
            verdicts.append(
                screen(
                    batch.columns,
                    own >= 0,
                    newest,
                    mode=batch.mode,
                    now_ms=batch.now_ms,
                    limits=self.limits,
                    floor_ms=self.state.floor_ms,
                )
            )
        return verdicts[0] if len(verdicts) == 1 else np.concatenate(verdicts)

    def _not_held(self, columns: Columns, slots: Positions, rows: Positions, verdicts: Verdicts) -> Positions:
        """Those of the rows that the store does not have yet; the others become duplicates."""
        times = columns.timestamps_ms[rows]
        doubtful = times >= self.state.table.first_ms[slots[rows]]
        if not doubtful.any():
            return rows
        checked = rows[doubtful]
        times = times[doubtful]
        ids, position = np.unique(columns.ids[checked], return_inverse=True)
        snapshot = self.state.snapshot(ids, self.state.table.slots(ids), int(times.min()), int(times.max()))
        held = ~absent(self._reader.complete(snapshot), position, times)
        verdicts[checked[held]] = Verdict.DUPLICATE
        new: Positions = rows[verdicts[rows] == Verdict.ACCEPTED]
        return new

    def _store(self, columns: Columns, slots: Positions, plan: Arrangement) -> None:
        samples = len(plan.fresh) + len(plan.strays)
        if plan.sorted_runs and samples >= self.options.direct_rows:
            parts = [_runs(slots[rows], columns.take(rows)) for rows in (plan.fresh, plan.strays) if len(rows)]
            if samples >= self.options.direct_rows_per_series * max(len(own) for own, _ in parts):
                # The commit of the blocks makes it durable: neither the journal nor the head would gain from bulk.
                self._write_blocks(parts, self.catalog.sealed_through, clear_head=False)
                return
        whole = len(plan.fresh) == len(columns) and not plan.sorted_runs
        fresh = columns if whole else columns.take(plan.fresh)
        fresh_slots = slots if whole else slots[plan.fresh]
        strays = columns.take(plan.strays)
        self.journal.write(self._number + 1, Columns.concatenated([fresh, strays]) if len(strays) else fresh)
        self._number += 1
        self.state.place(fresh_slots, fresh, slots[plan.strays], strays, sorted_runs=plan.sorted_runs)

    def _write_blocks(self, parts: Iterable[tuple[Positions, Rows]], sealed_through: int, *, clear_head: bool) -> None:
        """Make rows durable and visible as blocks. The positions of each part's rows index its slots."""
        state, table = self.state, self.state.table
        blocks: list[NewBlock] = []
        first_ms, sealed_ms, sealed_value = table.first_ms.copy(), table.sealed_ms.copy(), table.sealed_value.copy()
        ends: list[tuple[Positions, TimeArray, ValueArray]] = []
        for slots, rows in parts:
            blocks += build_blocks(table, slots, rows)
            own, last = slots[rows.position], rows.offsets[1:] - 1
            end_ms, end_value = rows.timestamps_ms[last], rows.values[last]
            first_ms[own] = np.minimum(first_ms[own], rows.timestamps_ms[rows.offsets[:-1]])
            newer = end_ms > sealed_ms[own]
            sealed_ms[own[newer]], sealed_value[own[newer]] = end_ms[newer], end_value[newer]
            ends.append((own, end_ms, end_value))
        touched = np.concatenate([own for own, _, _ in ends])
        self.catalog.add_blocks(blocks, build_spans(table, touched, first_ms, sealed_ms, sealed_value), sealed_through)
        with state.lock:
            table.first_ms, table.sealed_ms, table.sealed_value = first_ms, sealed_ms, sealed_value
            for own, end_ms, end_value in ends:
                table.advance(own, first_ms[own], end_ms, end_value)
            if clear_head:
                state.head.clear()
            state.last_block = self.catalog.last_block

    def _forget(self, ids: IdArray, floor_ms: int | None) -> int:
        state = self.state
        try:
            self.catalog.delete(ids, floor_ms)
        except sqlite3.Error as error:
            self.write_failures += 1
            raise write_failure(self.catalog.path.parent, error) from error
        with state.lock:
            state.index.remove(ids.tolist())
            state.head.forget(state.table.remove(ids))
            if floor_ms is not None:
                state.floor_ms = floor_ms
        return len(ids)


def _runs(slots: Positions, samples: Columns) -> tuple[Positions, Rows]:
    """Samples grouped by slot as rows whose positions index the slots."""
    first = runs_of(slots)
    offsets = np.append(first, len(slots)).astype(np.int64)
    return slots[first], Rows(np.arange(len(first)), offsets, samples.timestamps_ms, samples.values)
