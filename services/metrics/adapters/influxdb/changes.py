"""Batches of samples on their way into InfluxDB: judged, written, and what came of them."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

import numpy as np
import structlog

from services.common.errors import UnavailableError
from services.metrics.adapters.influxdb.answers import Collector
from services.metrics.adapters.influxdb.client import InfluxRefusalError
from services.metrics.adapters.influxdb.database import InfluxDatabase
from services.metrics.adapters.influxdb.instruments import InfluxInstruments
from services.metrics.adapters.influxdb.intake import RowNumbers, arrange, contained
from services.metrics.adapters.influxdb.lines import encode, pieces
from services.metrics.adapters.influxdb.spans import Positions
from services.metrics.adapters.influxdb.state import State
from services.metrics.adapters.influxdb.writer import Batch
from services.metrics.domain.admission import Verdict, Verdicts, receipt_of, screen
from services.metrics.domain.ports import NAME_LABEL, Columns, MaskArray, Receipt, StoreLimits

log = structlog.get_logger("metrics.store")

_THREAD_SAMPLES: Final = 2_000
"""More samples than this become lines off the event loop."""


class Changes:
    """Writes batches; called by one task at a time."""

    def __init__(self, state: State, database: InfluxDatabase, limits: StoreLimits, instruments: InfluxInstruments) -> None:
        self._state = state
        self._database = database
        self._limits = limits
        self._instruments = instruments
        self._last_refusal = ""
        self.failures = 0

    async def store(self, batches: Sequence[Batch]) -> list[Receipt]:
        """Store batches; what is accepted has been acknowledged by InfluxDB.

        Raises:
            UnavailableError: InfluxDB is away (`STORE_UNAVAILABLE`). Some samples may be stored nevertheless; sent again, they are
                duplicates or written once more as they were.
        """
        columns = Columns.concatenated([batch.columns for batch in batches])
        rows = self._state.spans.rows(columns.ids)
        verdicts = self._screen(batches, rows)
        plan = arrange(self._state.spans, rows, columns.timestamps_ms, verdicts)
        chosen = plan.fresh
        if len(plan.doubtful):
            held = await self._contained(columns, plan.doubtful, rows)
            verdicts[plan.doubtful[held]] = Verdict.DUPLICATE
            chosen = np.sort(np.concatenate([chosen, plan.doubtful[~held]]))
        if len(chosen):
            try:
                stored = await self._write(columns, chosen, rows)
            except UnavailableError:
                self.failures += 1
                raise
            verdicts[chosen] = Verdict.REFUSED
            verdicts[stored] = Verdict.ACCEPTED
            self._instruments.written.inc(len(stored))
            self._state.spans.advance(rows[stored], columns.take(stored))
        receipts = []
        start = 0
        for batch in batches:
            end = start + len(batch.columns)
            receipts.append(receipt_of(batch.columns, verdicts[start:end]))
            start = end
        return receipts

    def _screen(self, batches: Sequence[Batch], rows: Positions) -> Verdicts:
        verdicts = []
        start = 0
        for batch in batches:
            own = rows[start : start + len(batch.columns)]
            start += len(own)
            newest = self._state.spans.newest_ms[own]
            floor_ms = self._state.floor_ms
            verdicts.append(
                screen(
                    batch.columns, own >= 0, newest, mode=batch.mode, now_ms=batch.now_ms, limits=self._limits, floor_ms=floor_ms
                )
            )
        return np.concatenate(verdicts)

    async def _write(self, columns: Columns, chosen: RowNumbers, rows: Positions) -> RowNumbers:
        """Write the chosen samples; gives those that InfluxDB has now."""
        taken = columns.take(chosen)
        keys = [self._state.keys[series_id] for series_id in taken.ids.tolist()]
        if len(taken) > _THREAD_SAMPLES:
            body = await asyncio.to_thread(encode, keys, taken.timestamps_ms, taken.values)
        else:
            body = encode(keys, taken.timestamps_ms, taken.values)
        try:
            for piece in pieces(body):
                await self._database.write(piece)
        except InfluxRefusalError as error:
            return await self._rescue(columns, chosen, rows, str(error))
        return chosen

    async def _rescue(self, columns: Columns, chosen: RowNumbers, rows: Positions, why: str) -> RowNumbers:
        """After a refusal: what is stored is read back, and what is not tried again a measurement at a time.

        A refusal does not tell which lines it means, and some servers store nothing of a body with one bad line.
        """
        there = await self._contained(columns, chosen, rows)
        stored, missing = chosen[there], chosen[~there]
        names = np.array([dict(labels)[NAME_LABEL] for labels in self._state.labels_of(columns.ids[missing])])
        if not len(missing):
            return stored
        if (names == names[0]).all():
            self._note_refusal(str(names[0]), len(missing), why)
            return stored
        for name in np.unique(names):
            stored = np.concatenate([stored, await self._write(columns, missing[names == name], rows)])
        return np.sort(stored)

    def _note_refusal(self, name: str, samples: int, why: str) -> None:
        self._instruments.refused.inc(samples)
        if why != self._last_refusal:
            self._last_refusal = why
            log.warning("influxdb_refused_samples", metric=name, samples=samples, why=why)

    async def _contained(self, columns: Columns, chosen: RowNumbers, rows: Positions) -> MaskArray:
        """Which of the chosen samples have one at their time in InfluxDB."""
        state, times = self._state, columns.timestamps_ms[chosen]
        ids = np.unique(columns.ids[chosen])
        wanted = dict(zip(state.labels_of(ids), ids.tolist(), strict=True))
        collector = Collector(lambda labels: wanted.get(labels, 0))
        answer = self._database.read(wanted, state.counts(list(wanted)), int(times.min()), int(times.max()))
        async with aclosing(answer):
            async for series in answer:
                collector.take(series)
        found = collector.columns()
        return contained(rows[chosen], times, state.spans.rows(found.row_ids()), found.times)
