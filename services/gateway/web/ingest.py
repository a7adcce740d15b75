"""Samples in JSON."""

import asyncio
import json
from dataclasses import asdict
from typing import Any, Final

from aiohttp import web

from services.common.errors import InvalidArgumentError
from services.gateway.domain.batch import SampleBatch
from services.gateway.domain.import_lines import parse_lines
from services.gateway.domain.samples import parse_batch
from services.gateway.domain.series_table import SeriesTable
from services.gateway.web.body import LARGE_BYTES, decode_json, read_bytes, read_json_bytes
from services.gateway.web.intake import Intake
from services.gateway.web.respond import json_response

_EXPANSION: Final = 8
"""Memory of decoded JSON for each byte of it, about."""


class IngestHandlers:
    """`POST /api/v1/metrics` and `POST /api/v1/import`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def metrics(self, request: web.Request) -> web.Response:
        """Answers once everything that was accepted is durable."""
        intake = self._intake
        with intake.holder() as holder:
            body = await read_json_bytes(request, holder.take)
            holder.take(_EXPANSION * len(body))
            if len(body) > LARGE_BYTES:
                batch = await asyncio.to_thread(_parse, body, intake.now_ms(), intake.series())
            else:
                batch = _parse(body, intake.now_ms(), intake.series())
            return json_response(asdict(await intake.store("json", batch)))

    async def history(self, request: web.Request) -> web.Response:
        """Lines of one series each, with times of any age within retention; answers once they are durable."""
        intake = self._intake
        with intake.holder() as holder:
            body = await read_bytes(request, holder.take)
            holder.take(_EXPANSION * len(body))
            batch = await asyncio.to_thread(parse_lines, body, intake.series())
            return json_response(asdict(await intake.store("import", batch)))


def _parse(body: bytes, now_ms: int, series: SeriesTable) -> SampleBatch:
    return parse_batch(_decode(body), now_ms, series)


def _decode(body: bytes) -> Any:
    """As `decode_json`, but a number too large for a double becomes infinite, and is refused alone later on."""
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
