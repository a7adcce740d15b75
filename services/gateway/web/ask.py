"""Questions, analyses and engines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import structlog
from aiohttp import web

from services.common.errors import InternalError, OpenManagerError
from services.common.rows import RowColumns, parse_rows
from services.gateway.domain.ports import Assistant, Document, Page, Question
from services.gateway.domain.times import parse_time_ms
from services.gateway.web.body import LARGE_BYTES, check, decode_json, read_json_bytes, read_model
from services.gateway.web.problems import problem_document, status_of
from services.gateway.web.respond import json_response, page_response
from services.gateway.web.schemas.ask import AnalyzeBody, AskBody
from services.gateway.web.sse import EventStream, wants_events

log = structlog.get_logger("gateway.ask")


class AskHandlers:
    """`/api/v1/ask`, `/analyze` and `/api/v1/engines`."""

    def __init__(self, assistant: Assistant, max_rows: int) -> None:
        self._assistant = assistant
        self._max_rows = max_rows

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Answer a question, as one object or, when the client asks for a stream, step by step."""
        body = await read_model(request, AskBody)
        question = Question(
            query=body.query,
            lang=body.lang or "",
            at_ms=None if body.at is None else parse_time_ms(body.at),
            tz=body.tz or "",
            session_id=body.session_id or "",
        )
        if not wants_events(request):
            return json_response(await self._assistant.ask(question))
        async with contextlib.AsyncExitStack() as stack:
            steps = self._assistant.ask_stream(question)
            if hasattr(steps, "aclose"):
                stack.push_async_callback(steps.aclose)
            return await _send_steps(request, steps)

    async def analyze(self, request: web.Request) -> web.Response:
        """Analyse rows; the seed's route."""
        body = await read_json_bytes(request)
        if len(body) > LARGE_BYTES:
            given, rows = await asyncio.to_thread(_parse_analysis, body, self._max_rows)
        else:
            given, rows = _parse_analysis(body, self._max_rows)
        document = await self._assistant.analyze(given.query, rows, given.lang or "", _texts(given.context or {}))
        return json_response(document)

    async def engines(self, _request: web.Request) -> web.Response:
        """The engines in the order they are tried."""
        return page_response(Page(await self._assistant.engines()))


async def _send_steps(request: web.Request, steps: AsyncIterator[tuple[str, Document]]) -> web.StreamResponse:
    # The first step is waited for before the stream is opened, so that a question that fails at once has its proper status.
    first = await anext(steps, None)
    if first is None:
        raise InternalError("the answer had no step")
    async with EventStream(request) as events:
        try:
            await events.send(first[0], orjson.dumps(first[1]))
            async for event, document in steps:
                await events.send(event, orjson.dumps(document))
        except OpenManagerError as error:
            log.warning("answer_broke_off", reason=error.reason, detail=error.message)
            problem = problem_document(status_of(error), error.reason, error.message, request.path, error.fields)
            await events.send("error", orjson.dumps(problem))
    return events.response


def _parse_analysis(body: bytes, max_rows: int) -> tuple[AnalyzeBody, RowColumns]:
    given = check(AnalyzeBody, decode_json(body))
    return given, parse_rows(given.metrics, max_rows=max_rows)


def _texts(context: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in context.items()}
