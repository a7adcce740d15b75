"""Brings the store back into memory: the series, what the blocks hold of them, and the journal on top."""

import numpy as np
import structlog

from services.metrics.adapters.embedded.catalog import Catalog
from services.metrics.adapters.embedded.database import corrupt
from services.metrics.adapters.embedded.intake import arrange
from services.metrics.adapters.embedded.journal import Journal
from services.metrics.adapters.embedded.state import State

log = structlog.get_logger("metrics.store")


def load_series(state: State, catalog: Catalog) -> None:
    """Series with their labels, groups and newest sealed samples."""
    ids, groups = [], []
    for series_id, group_id, labels in catalog.read_series():
        state.index.add(series_id, labels)
        ids.append(series_id)
        groups.append(group_id)
    state.table.add(np.array(ids, np.uint64), np.array(groups, np.int64))
    state.head.pages.fit(state.table.capacity)
    for span in catalog.read_spans():
        state.table.restore(span.newest.ids, span.first_ms, span.newest)
    if catalog.floor_ms is not None:
        state.floor_ms = catalog.floor_ms


def bind_journal(journal: Journal, catalog: Catalog) -> int:
    """Make sure that both files are of one store; gives the highest journal number that was ever used.

    Raises:
        RefusedError: they are not (`DATA_CORRUPT`): the ids in the journal would mean other series.
    """
    owner = journal.store_id()
    if owner is None:
        journal.bind(catalog.store_id)
    elif owner != catalog.store_id:
        raise corrupt(journal.path, f"it belongs to another store than {catalog.path.name}")
    return max(journal.last_number(), catalog.sealed_through)


def replay(state: State, journal: Journal, sealed_through: int) -> int:
    """Put what was acknowledged and is not in blocks into the head; gives the number of rows that are damaged.

    Every row was judged before it was written, so that only its place is looked for.
    """
    damaged = 0
    for number, columns in journal.read(sealed_through):
        if columns is None:
            damaged += 1
            log.error("journal_row_unreadable", number=number, advice="stop the suite and run `openmanager doctor --repair`")
            continue
        slots = state.table.slots(columns.ids)
        if not (slots >= 0).all():  # of series that were deleted since
            columns, slots = columns.take(slots >= 0), slots[slots >= 0]
        plan = arrange(state.table, slots, columns.timestamps_ms, np.zeros(len(columns), np.uint8))
        fresh, strays = columns.take(plan.fresh), columns.take(plan.strays)
        state.place(slots[plan.fresh], fresh, slots[plan.strays], strays, sorted_runs=plan.sorted_runs)
    return damaged
