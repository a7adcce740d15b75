"""What the store learns from InfluxDB when it connects: first and newest sample of every series."""

from contextlib import aclosing

import numpy as np

from services.metrics.adapters.influxdb import answers
from services.metrics.adapters.influxdb.database import InfluxDatabase
from services.metrics.adapters.influxdb.state import State
from services.metrics.domain.ports import Columns, Labels
from services.metrics.domain.series import InvalidLabelsError, canonical


async def restore(database: InfluxDatabase, state: State) -> dict[Labels, Columns]:
    """Note first and newest samples in `state.spans`; gives those of series that the catalogue does not have.

    Raises:
        UnavailableError: InfluxDB is away (`STORE_UNAVAILABLE`); what was noted so far is noted again by the next call.
    """
    known: list[tuple[int, int, float]] = []
    strangers: dict[Labels, list[tuple[int, float]]] = {}
    for function in ("first", "last"):
        async with aclosing(database.edges(function, state.floor_ms)) as found:
            async for series in found:
                ends = answers.piece(series)
                if ends is None:
                    continue
                rows = list(zip(ends.times.tolist(), ends.values.tolist(), strict=True))
                labels = answers.labels(series)
                if series_id := state.index.find(labels):
                    known.extend((series_id, time, value) for time, value in rows)
                elif _is_possible(labels):
                    strangers.setdefault(labels, []).extend(rows)
    state.spans.forget_samples()
    ids = np.array([row[0] for row in known], np.uint64)
    samples = _columns(ids, [row[1:] for row in known])
    state.spans.advance(state.spans.rows(ids), samples)
    return {labels: _columns(np.zeros(len(rows), np.uint64), rows) for labels, rows in strangers.items()}


def _columns(ids: "np.ndarray[tuple[int], np.dtype[np.uint64]]", rows: list[tuple[int, float]]) -> Columns:
    return Columns(ids, np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64))


def _is_possible(labels: Labels) -> bool:
    """Whether we could have written these."""
    try:
        return canonical(labels) == labels
    except InvalidLabelsError:
        return False
