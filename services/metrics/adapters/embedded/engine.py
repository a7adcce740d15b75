"""Everything that changes the store, as plain calls for one thread.

What a crash leaves behind: a batch is in the journal or it was never acknowledged. A seal commits blocks together with the journal
number that they reach; what the journal still has up to that number is skipped on the next start. So a kill at any point loses
no acknowledged sample and brings none in twice.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from services.common.errors import OpenManagerError
from services.common.ids import IdSource
from services.metrics.adapters.embedded.catalog import Catalog
from services.metrics.adapters.embedded.database import open_failure, write_failure
from services.metrics.adapters.embedded.intake import Arrangement, absent, arrange
from services.metrics.adapters.embedded.journal import Journal
from services.metrics.adapters.embedded.layouts import Layouts
from services.metrics.adapters.embedded.options import EmbeddedOptions
from services.metrics.adapters.embedded.packer import Packer, store_blocks
from services.metrics.adapters.embedded.reader import BlockCache, BlockReader
from services.metrics.adapters.embedded.recovery import bind_journal, load_series, replay
from services.metrics.adapters.embedded.repeats import Repeats
from services.metrics.adapters.embedded.sealing import seal_rows
from services.metrics.adapters.embedded.segments import Positions, Rows, runs_of
from services.metrics.adapters.embedded.state import State
from services.metrics.domain.admission import Verdict, Verdicts, receipt_of, screen
from services.metrics.domain.ports import (
    MIN_TIME_MS,
    Columns,
    IdArray,
    Matcher,
    Receipt,
    Registration,
    StoreLimits,
    StoreStats,
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
        self._head_since_ms: int | None = None
        self._layouts = Layouts(options.repeat_rows)
        self._retry_at = 0
        self._dropped_through = 0
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
            self._frozen_through = self._number
            self.packer = Packer(self.state, self.catalog, self.count_bad_block)
        except sqlite3.Error as error:
            raise open_failure(path, error) from error

    def commit(self, batches: Sequence[Batch]) -> list[Receipt | OpenManagerError]:
        """Store batches; what has a receipt is durable on return.

        Batches that repeat a layout share one transaction, all others a second one; of a transaction that fails nothing is stored,
        and its batches have an `UnavailableError` (`STORE_WRITE_FAILED`).
        """
        answers: dict[int, Receipt | OpenManagerError] = {}
        repeats = Repeats(self.state, self._layouts, self.limits)
        fast: list[int] = []
        slow: list[int] = []
        for position, batch in enumerate(batches):
            (fast if repeats.take(batch.columns, batch.now_ms) else slow).append(position)
        if fast:
            answers.update(self._answered(fast, lambda: self._commit_repeats(repeats)))
        if slow:
            answers.update(self._answered(slow, lambda: self._commit_any([batches[position] for position in slow])))
        if self._head_since_ms is None and self.state.head.samples:
            self._head_since_ms = batches[0].now_ms
        return [answers[position] for position in range(len(batches))]

    def _answered(self, positions: list[int], commit: Callable[[], list[Receipt]]) -> dict[int, Receipt | OpenManagerError]:
        try:
            return dict(zip(positions, commit(), strict=True))
        except sqlite3.Error as error:
            self.write_failures += 1
            log.error("write_failed", error=str(error))
            return dict.fromkeys(positions, write_failure(self.catalog.path.parent, error))

    def _commit_repeats(self, repeats: Repeats) -> list[Receipt]:
        self.journal.write_frames(self._number + 1, repeats.rows)
        self._number += len(repeats.rows)
        return repeats.place()

    def _commit_any(self, batches: Sequence[Batch]) -> list[Receipt]:
        columns = Columns.concatenated([batch.columns for batch in batches])
        slots = self.state.table.slots(columns.ids)
        verdicts = self._screen(batches, slots)
        plan = arrange(self.state.table, slots, columns.timestamps_ms, verdicts)
        if len(plan.strays):
            plan = Arrangement(plan.fresh, plan.sorted_runs, self._not_held(columns, slots, plan.strays, verdicts))
        if len(plan.fresh) or len(plan.strays):
            self._store(columns, slots, plan)
        receipts = []
        start = 0
        for batch in batches:
            end = start + len(batch.columns)
            receipts.append(receipt_of(batch.columns, verdicts[start:end]))
            start = end
            self._layouts.remember(batch.columns.ids, self.state.table)
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
                for head in self.state.heads:
                    head.pages.fit(self.state.table.capacity)
        return plan.registration

    def seal_if_due(self, now_ms: int) -> None:
        """Hand the head to the packer when it is large or old; what comes goes into a new head meanwhile.

        When the packer is not done with the one before, the head grows on, up to twice its size; then the writer waits for it.
        """
        self.drop_sealed()
        head, options = self.state.head, self.options
        large = head.samples >= options.seal_samples or len(head.strays) >= options.seal_strays
        old = self._head_since_ms is not None and now_ms - self._head_since_ms >= options.seal_age_ms
        if not (large or old):
            return
        if self.state.frozen is None:
            self._begin_seal()
        elif not self.packer.busy:  # the disk did not take it
            if head.samples >= self._retry_at:
                self._retry_at = head.samples + options.seal_samples // 8
                self._begin_seal()
        elif head.samples >= 2 * options.seal_samples:
            self.packer.wait()

    def _begin_seal(self) -> None:
        if self.state.frozen is None:
            self.state.freeze()
            self._frozen_through = self._number
            self._head_since_ms = None
            self._retry_at = 0
        self.packer.seal(self._frozen_through)

    def seal(self) -> None:
        """Move everything from the heads into blocks and empty the journal.

        Raises:
            sqlite3.Error: nothing of a head changed, or the journal still has rows that will be skipped.
        """
        self.packer.wait()
        while self.state.frozen is not None or self.state.head.samples:
            self._begin_seal()
            self.packer.wait()
            if self.packer.failure is not None:
                raise self.packer.failure
        self.drop_sealed()
        self.journal.shrink()

    def drop_sealed(self) -> None:
        """Empty the journal of what the blocks hold.

        Raises:
            sqlite3.Error: it still has rows that will be skipped.
        """
        if self._dropped_through < self.catalog.sealed_through:
            through = self.catalog.sealed_through
            self.journal.drop(through, self._layouts.numbers())
            self._dropped_through = through

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

    def compact(self) -> None:
        """Seal now, and merge small blocks as far as ever possible.

        Raises:
            UnavailableError: the disk does not take it (`STORE_WRITE_FAILED`); nothing is lost.
        """
        self.flush()
        try:
            self.packer.compact()
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
        heads = state.heads
        return StoreStats(
            series=len(state.index),
            head_samples=sum(head.samples for head in heads),
            head_bytes=sum(head.size_bytes for head in heads) + state.table.size_bytes,
            blocks=catalog.blocks,
            block_samples=catalog.block_samples,
            block_bytes=catalog.block_bytes,
            journal_bytes=self.journal.size_bytes,
            cache_bytes=self.cache.size_bytes,
            bad_blocks=self.bad_blocks,
            write_failures=self.write_failures + self.packer.failures,
            seals=self.packer.seals,
            extra={"bad_batches": self.bad_batches, "merges": self.packer.merges},
        )

    def count_bad_block(self, number: int) -> None:
        """Note that a block could not be read."""
        del number
        self.bad_blocks += 1

    def close(self) -> None:
        """Release the files."""
        self.packer.close()
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
                store_blocks(self.state, self.catalog, [seal_rows(self.state.table, own, rows) for own, rows in parts])
                return
        whole = len(plan.fresh) == len(columns) and not plan.sorted_runs
        fresh = columns if whole else columns.take(plan.fresh)
        fresh_slots = slots if whole else slots[plan.fresh]
        strays = columns.take(plan.strays)
        self.journal.write(self._number + 1, Columns.concatenated([fresh, strays]) if len(strays) else fresh)
        self._number += 1
        self.state.place(fresh_slots, fresh, slots[plan.strays], strays, sorted_runs=plan.sorted_runs)

    def _forget(self, ids: IdArray, floor_ms: int | None) -> int:
        state = self.state
        # Slots change their meaning here, so nothing may be on its way from a frozen head into blocks.
        self.packer.wait()
        try:
            self.catalog.delete(ids, floor_ms)
        except sqlite3.Error as error:
            self.write_failures += 1
            raise write_failure(self.catalog.path.parent, error) from error
        with state.lock:
            state.index.remove(ids.tolist())
            slots = state.table.remove(ids)
            for head in state.heads:
                head.forget(slots)
            if floor_ms is not None:
                state.floor_ms = floor_ms
        if len(slots):
            self._layouts.clear()
        return len(ids)


def _runs(slots: Positions, samples: Columns) -> tuple[Positions, Rows]:
    """Samples grouped by slot as rows whose positions index the slots."""
    first = runs_of(slots)
    offsets = np.append(first, len(slots)).astype(np.int64)
    return slots[first], Rows(np.arange(len(first)), offsets, samples.timestamps_ms, samples.values)
