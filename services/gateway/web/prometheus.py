"""The Prometheus HTTP API over stored samples: the shapes, error types and status codes that Grafana expects."""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from multidict import MultiDict
from pydantic import BaseModel

from services.common.errors import (
    DeadlineExceededError,
    InvalidArgumentError,
    NotFoundError,
    OpenManagerError,
    RefusedError,
    ResourceExhaustedError,
    UnavailableError,
)
from services.gateway.domain.ports import MetricReader
from services.gateway.domain.promql import Matrix, Result, Vector
from services.gateway.domain.times import parse_time_ms
from services.gateway.web.body import check, parameters, read_bytes
from services.gateway.web.prometheus_json import point_count, result_json
from services.gateway.web.respond import json_response
from services.gateway.web.schemas.metrics import InstantParameters, RangeParameters, SeriesParameters

QUERY_TIMEOUT_SECONDS: Final = 30.0
MAX_POINTS: Final = 11_000
MAX_FIELDS: Final = 1_000
FORM: Final = "application/x-www-form-urlencoded"
LARGE_POINTS: Final = 5_000
"""From here on a result is written in a thread."""
_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
_DURATION: Final = re.compile(r"(\d+)(ms|[smhdwy])")
_ERROR_TYPES: Final[tuple[tuple[type[OpenManagerError], str, HTTPStatus], ...]] = (
    (InvalidArgumentError, "bad_data", HTTPStatus.BAD_REQUEST),
    (NotFoundError, "not_found", HTTPStatus.NOT_FOUND),
    (RefusedError, "execution", HTTPStatus.UNPROCESSABLE_ENTITY),
    (ResourceExhaustedError, "execution", HTTPStatus.UNPROCESSABLE_ENTITY),
    (DeadlineExceededError, "timeout", HTTPStatus.SERVICE_UNAVAILABLE),
    (UnavailableError, "unavailable", HTTPStatus.SERVICE_UNAVAILABLE),
)
ModelT = TypeVar("ModelT", bound=BaseModel)
Handler = Callable[["PrometheusHandlers", web.Request], Awaitable[web.Response]]


def _as_prometheus(handler: Handler) -> Handler:
    """Errors in Prometheus's own shape; a bug is left to the door, which logs it."""

    async def wrapped(self: "PrometheusHandlers", request: web.Request) -> web.Response:
        try:
            return await handler(self, request)
        except OpenManagerError as error:
            for kind, error_type, status in _ERROR_TYPES:
                if isinstance(error, kind):
                    headers = {"Retry-After": "1"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
                    body = {"status": "error", "errorType": error_type, "error": error.message}
                    return json_response(body, status, headers)
            raise

    return wrapped


class PrometheusHandlers:
    """`/prometheus/api/v1/…`, by GET and by POST with a form."""

    def __init__(self, reader: MetricReader) -> None:
        self._reader = reader

    @_as_prometheus
    async def query(self, request: web.Request) -> web.Response:
        """An instant query."""
        given = await _parameters(request, InstantParameters)
        time_ms = None if given.time is None else _time(given.time, "time")
        return await _result(await self._reader.query(given.query, time_ms, _timeout(given.timeout)), given.limit)

    @_as_prometheus
    async def query_range(self, request: web.Request) -> web.Response:
        """A range query."""
        given = await _parameters(request, RangeParameters)
        start_ms, end_ms, step_ms = _time(given.start, "start"), _time(given.end, "end"), _duration(given.step, "step")
        if end_ms < start_ms:
            raise InvalidArgumentError('parameter "end" is before "start"')
        if step_ms <= 0:
            raise InvalidArgumentError('parameter "step" must be more than zero')
        if (end_ms - start_ms) // step_ms >= MAX_POINTS:
            raise InvalidArgumentError(f"more than {MAX_POINTS} points a series; take a longer step or a shorter range")
        result = await self._reader.query_range(given.query, start_ms, end_ms, step_ms, _timeout(given.timeout))
        return await _result(result, given.limit)

    @_as_prometheus
    async def series(self, request: web.Request) -> web.Response:
        """Series that match any selector."""
        given = await _parameters(request, SeriesParameters)
        if not given.match:
            raise InvalidArgumentError('parameter "match[]" is missing')
        limit = given.limit + 1 if given.limit else 0  # one more, to know whether some are left out
        found = await self._reader.series(given.match, _time_or_none(given.start), _time_or_none(given.end), limit)
        return _list(found, given.limit)

    @_as_prometheus
    async def labels(self, request: web.Request) -> web.Response:
        """Names of labels."""
        given = await _parameters(request, SeriesParameters)
        found = await self._reader.label_names(given.match, _time_or_none(given.start), _time_or_none(given.end))
        return _list(found, given.limit)

    @_as_prometheus
    async def label_values(self, request: web.Request) -> web.Response:
        """Values of one label."""
        given = await _parameters(request, SeriesParameters)
        name = request.match_info["name"]
        found = await self._reader.label_values(name, given.match, _time_or_none(given.start), _time_or_none(given.end))
        return _list(found, given.limit)


async def _parameters(request: web.Request, kind: type[ModelT]) -> ModelT:
    """The parameters of the URL and of the form; the form's come first, as in Prometheus."""
    values: MultiDict[Any] = MultiDict(request.query)
    if request.method == "POST":
        form = _form(await read_bytes(request), request.content_type)
        for name, _ in form:
            values.popall(name, None)
        values.extend(form)
    return check(kind, parameters(kind, values))


def _form(body: bytes, kind: str) -> list[tuple[str, str]]:
    """The fields of a form in the order given, always in UTF-8."""
    if not body:
        return []
    if kind != FORM:
        raise InvalidArgumentError(f"the body must be {FORM}, not {kind[:100]}")
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise InvalidArgumentError("the body is not UTF-8") from None
    except ValueError:
        raise InvalidArgumentError(f"the body has more than {MAX_FIELDS} fields") from None


async def _result(result: Result, limit: int) -> web.Response:
    warnings = []
    rows = len(result.series) if isinstance(result, Vector) else len(result.rows) if isinstance(result, Matrix) else 0
    if limit and rows > limit:
        warnings.append(f"only the first {limit} of {rows} series are given, as asked by limit")
        result = _first(result, limit)
    document: dict[str, Any] = {"status": "success"} | ({"warnings": warnings} if warnings else {})

    def write() -> bytes:
        return orjson.dumps(document | {"data": result_json(result)})

    body = await asyncio.to_thread(write) if point_count(result) > LARGE_POINTS else write()
    return web.Response(body=body, content_type="application/json")


def _first(result: Result, limit: int) -> Result:
    if isinstance(result, Vector):
        return Vector(result.series[:limit], result.timestamps_ms[:limit], result.values[:limit])
    return Matrix(result.rows[:limit]) if isinstance(result, Matrix) else result


def _list(found: list[Any], limit: int) -> web.Response:
    if limit and len(found) > limit:
        warning = f"only the first {limit} are given, as asked by limit"
        return json_response({"status": "success", "data": found[:limit], "warnings": [warning]})
    return json_response({"status": "success", "data": found})


def _time(text: str, name: str) -> int:
    try:
        return parse_time_ms(text)
    except (ValueError, OverflowError):
        raise InvalidArgumentError(f'parameter "{name}" is neither RFC 3339 with a zone nor Unix seconds: {text[:60]!r}') from None


def _time_or_none(text: str | None) -> int | None:
    return None if text is None else _time(text, "start or end")


def _timeout(text: str | None) -> float:
    return QUERY_TIMEOUT_SECONDS if text is None else min(max(_duration(text, "timeout") / 1000, 0.001), QUERY_TIMEOUT_SECONDS)


def _duration(text: str, name: str) -> int:
    """Milliseconds of `90`, `1.5` (seconds), `90s` or `1h30m`."""
    try:
        seconds = float(text)
    except ValueError:
        if re.fullmatch(r"(\d+(ms|[smhdwy]))+", text):
            return sum(int(count) * _UNITS[unit] for count, unit in _DURATION.findall(text))
        raise InvalidArgumentError(f'parameter "{name}" is no duration: {text[:60]!r}') from None
    if not math.isfinite(seconds) or abs(seconds) > 1e10:
        raise InvalidArgumentError(f'parameter "{name}" is no duration: {text[:60]!r}')
    return round(seconds * 1000)
