"""Metrics that an OpenTelemetry SDK or collector sends."""

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import web

from services.gateway.domain.batch import SampleBatch
from services.gateway.domain.ports import OtlpForm
from services.gateway.domain.protocols.otlp import to_batch
from services.gateway.domain.series_table import SeriesTable
from services.gateway.web.body import read_bytes
from services.gateway.web.intake import SMALL_BYTES, Intake
from services.gateway.web.problems import HttpProblem

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
_DOOR: Final = "otlp"
_EXPANSION: Final = 6
"""Memory of messages and samples for each byte of a body, about."""


class OtlpHandlers:
    """`POST /otlp/v1/metrics`, OTLP/HTTP."""

    def __init__(self, intake: Intake, form: OtlpForm) -> None:
        self._intake = intake
        self._form = form

    async def metrics(self, request: web.Request) -> web.Response:
        """Answers once the samples are durable, in the form of the request; points that were refused are told in it."""
        kind = request.content_type
        if "Content-Type" not in request.headers or kind not in (JSON, PROTOBUF):
            detail = f"the body must be {PROTOBUF} or {JSON}; set the header Content-Type"
            raise HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail)
        is_json = kind == JSON
        intake = self._intake
        with intake.holder() as holder:
            body = await read_bytes(request, holder.take)
            holder.take(_EXPANSION * len(body))
            if len(body) > SMALL_BYTES:
                batch = await asyncio.to_thread(self._read, body, is_json, intake.series())
            else:
                batch = self._read(body, is_json, intake.series())
            receipt = await intake.store(_DOOR, batch, "json" if is_json else "protobuf")
        told = "; ".join(dict.fromkeys(f"{error.reason}: {error.message}" for error in receipt.errors[:3]))
        answer = self._form.answer(receipt.rejected + receipt.late, told, is_json=is_json)
        return web.Response(body=answer, content_type=kind)

    def _read(self, body: bytes, is_json: bool, series: SeriesTable) -> SampleBatch:
        return to_batch(self._form.read(body, is_json=is_json), series)
