"""Lines that a Telegraf, or whatever writes to an InfluxDB, sends."""

import asyncio
import re
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from services.gateway.domain.batch import Receipt
from services.gateway.domain.protocols.influx_lines import parse_lines
from services.gateway.web.body import check_media, read_bytes, read_query
from services.gateway.web.intake import SMALL_BYTES, Intake
from services.gateway.web.problems import HttpProblem
from services.gateway.web.respond import json_response
from services.gateway.web.schemas.influx import InfluxWriteQuery

_DOOR: Final = "influx"
_MEDIA: Final = ("text/plain", "application/octet-stream", "application/x-www-form-urlencoded")
"""The last is what curl says when it was not told what to say, as in InfluxDB's own examples."""
_VERSION: Final = {"X-Influxdb-Version": "1.8.10", "X-Influxdb-Build": "OSS"}
"""Clients choose by it what they send; the line protocol has been the same since."""
_CREATE_DATABASE: Final = re.compile(r"\s*CREATE\s+DATABASE\s+\S.*", re.IGNORECASE | re.DOTALL)
_EXPANSION: Final = 4
"""Memory of lines and samples for each byte of a body, about."""


class InfluxHandlers:
    """`/influx/…`: the part of InfluxDB's APIs, 1.x and 2.x, that senders need."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def write(self, request: web.Request) -> web.Response:
        """Answers 204 once the lines are durable, or 400 with the first that was refused once the others are."""
        check_media(request, *_MEDIA)
        precision = read_query(request, InfluxWriteQuery).precision
        intake = self._intake
        with intake.holder() as holder:
            body = await read_bytes(request, holder.take)
            holder.take(_EXPANSION * len(body))
            if len(body) > SMALL_BYTES:
                batch = await asyncio.to_thread(parse_lines, body, precision, intake.now_ms(), intake.series())
            else:
                batch = parse_lines(body, precision, intake.now_ms(), intake.series())
            intake.ignore(_DOOR, "text", batch.texts)
            receipt = await intake.store(_DOOR, batch.samples)
        if receipt.rejected or receipt.late:
            raise _refused(receipt)
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_VERSION)

    async def ping(self, _request: web.Request) -> web.Response:
        """Says that somebody is here."""
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_VERSION)

    async def query(self, request: web.Request) -> web.Response:
        """Answers `CREATE DATABASE`, which senders ask for before they write; there is nothing to create."""
        statement = request.query.get("q", "")
        if not statement and request.method == hdrs.METH_POST:
            statement = str((await request.post()).get("q", ""))
        if not _CREATE_DATABASE.fullmatch(statement):
            detail = "only CREATE DATABASE is answered here; queries are PromQL, at /prometheus/api/v1/query"
            raise HttpProblem(HTTPStatus.BAD_REQUEST, "UNSUPPORTED_QUERY", detail)
        return json_response({"results": [{"statement_id": 0}]}, headers=_VERSION)


def _refused(receipt: Receipt) -> HttpProblem:
    first = receipt.errors[0]
    count = receipt.rejected + receipt.late
    stored = receipt.accepted + receipt.duplicate
    detail = (
        f"partial write: unable to parse or store line {first.index + 1}: {first.message}; {count} refused, {stored} values stored"
    )
    # InfluxDB's clients look for the reason in this header.
    told = (
        "".join(character if character.isprintable() else " " for character in detail).encode("ascii", "backslashreplace").decode()
    )
    return HttpProblem(HTTPStatus.BAD_REQUEST, first.reason, detail, _VERSION | {"X-Influxdb-Error": told})
