"""Samples in."""

import asyncio
import json
from dataclasses import asdict
from typing import Any

from aiohttp import web

from services.common.clock import Clock
from services.common.errors import InvalidArgumentError
from services.common.telemetry import Telemetry
from services.gateway.domain.batch import SampleBatch
from services.gateway.domain.import_lines import parse_lines
from services.gateway.domain.ports import SampleWriter
from services.gateway.domain.samples import parse_batch
from services.gateway.domain.series_table import SeriesTable
from services.gateway.web.body import LARGE_BYTES, decode_json, read_bytes, read_json_bytes
from services.gateway.web.respond import json_response


class IngestHandlers:
    """`POST /api/v1/metrics` and `POST /api/v1/import`."""

    def __init__(self, writer: SampleWriter, clock: Clock, telemetry: Telemetry) -> None:
        self._writer = writer
        self._clock = clock
        self._series = SeriesTable()
        self._samples = telemetry.counter("ingest_samples_total", "Values that came in, by what became of them.", ("outcome",))

    async def metrics(self, request: web.Request) -> web.Response:
        """Answers once everything that was accepted is durable."""
        body = await read_json_bytes(request)
        now_ms = round(self._clock.now() * 1000)
        if len(body) > LARGE_BYTES:
            batch = await asyncio.to_thread(_parse, body, now_ms, self._known_series())
        else:
            batch = _parse(body, now_ms, self._known_series())
        return await self._store(batch)

    async def history(self, request: web.Request) -> web.Response:
        """Lines of one series each, with times of any age within retention; answers once they are durable."""
        body = await read_bytes(request)
        return await self._store(await asyncio.to_thread(parse_lines, body, self._known_series()))

    async def _store(self, batch: SampleBatch) -> web.Response:
        receipt = await self._writer.write(batch)
        for outcome in ("accepted", "rejected", "duplicate", "late"):
            self._samples.labels(outcome).inc(getattr(receipt, outcome))
        return json_response(asdict(receipt))

    def _known_series(self) -> SeriesTable:
        if self._series.is_full:
            self._series = SeriesTable()
        return self._series


def _parse(body: bytes, now_ms: int, series: SeriesTable) -> SampleBatch:
    return parse_batch(_decode(body), now_ms, series)


def _decode(body: bytes) -> Any:
    """As `decode_json`, but a number too large for a double becomes infinite: the store refuses that one and keeps the others."""
    try:
        return decode_json(body)
    except InvalidArgumentError as error:
        if "infinity" not in error.message:
            raise
        try:
            return json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise error from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
