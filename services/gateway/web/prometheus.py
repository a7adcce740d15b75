"""The Prometheus HTTP API over stored samples: queries, and lists of series and labels, in the shapes that Grafana expects."""

import asyncio
from typing import Any, Final

import orjson
from aiohttp import web

from services.common.errors import InvalidArgumentError
from services.gateway.domain.ports import MetricReader
from services.gateway.domain.promql import Matrix, Result, Vector
from services.gateway.web.prometheus_errors import BAD_QUERY, as_prometheus, bad_parameter
from services.gateway.web.prometheus_json import point_count, result_json
from services.gateway.web.prometheus_parameters import check_label_name, duration_ms, optional_time_ms, parameters_of, time_ms
from services.gateway.web.respond import json_response
from services.gateway.web.schemas.metrics import InstantParameters, RangeParameters, SeriesParameters

QUERY_TIMEOUT_SECONDS: Final = 30.0
MAX_STEPS: Final = 11_000
LARGE_POINTS: Final = 5_000
"""From here on a result is written in a thread."""


class PrometheusHandlers:
    """`/prometheus/api/v1/…`, by GET and by POST with a form."""

    def __init__(self, reader: MetricReader) -> None:
        self._reader = reader

    @as_prometheus
    async def query(self, request: web.Request) -> web.Response:
        """An instant query."""
        given = await parameters_of(request, InstantParameters)
        at_ms, timeout = optional_time_ms(given.time, "time"), _timeout(given.timeout)
        try:
            result = await self._reader.query(given.query, at_ms, timeout)
        except InvalidArgumentError as error:
            if error.reason != BAD_QUERY:
                raise
            raise bad_parameter("query", error.message) from error
        return await _result(result, given.limit)

    @as_prometheus
    async def query_range(self, request: web.Request) -> web.Response:
        """A range query."""
        given = await parameters_of(request, RangeParameters)
        start_ms, end_ms = time_ms(given.start, "start"), time_ms(given.end, "end")
        if end_ms < start_ms:
            raise bad_parameter("end", "end timestamp must not be before start time")
        step_ms = duration_ms(given.step, "step")
        if step_ms <= 0:
            told = "zero or negative query resolution step widths are not accepted. Try a positive integer"
            raise bad_parameter("step", told)
        if (end_ms - start_ms) // step_ms > MAX_STEPS:
            told = f"exceeded maximum resolution of {MAX_STEPS:,} points per timeseries. "
            raise InvalidArgumentError(told + "Try decreasing the query resolution (?step=XX)")
        result = await self._reader.query_range(given.query, start_ms, end_ms, step_ms, _timeout(given.timeout))
        return await _result(result, given.limit)

    @as_prometheus
    async def series(self, request: web.Request) -> web.Response:
        """Series that match any selector."""
        given = await parameters_of(request, SeriesParameters)
        if not given.match:
            raise InvalidArgumentError("no match[] parameter provided")
        limit = given.limit + 1 if given.limit else 0  # one more, to know whether some are left out
        found = await self._reader.series(given.match, *_range(given), limit)
        return _list(found, given.limit)

    @as_prometheus
    async def labels(self, request: web.Request) -> web.Response:
        """Names of labels."""
        given = await parameters_of(request, SeriesParameters)
        found = await self._reader.label_names(given.match, *_range(given))
        return _list(found, given.limit)

    @as_prometheus
    async def label_values(self, request: web.Request) -> web.Response:
        """Values of one label."""
        given = await parameters_of(request, SeriesParameters)
        name = request.match_info["name"]
        check_label_name(name)
        found = await self._reader.label_values(name, given.match, *_range(given))
        return _list(found, given.limit)


async def _result(result: Result, limit: int) -> web.Response:
    warnings = []
    rows = len(result.series) if isinstance(result, Vector) else len(result.rows) if isinstance(result, Matrix) else 0
    if limit and rows > limit:
        warnings.append(f"only the first {limit} of {rows} series are given, as asked by limit")
        result = _first(result, limit)
    document: dict[str, Any] = {"status": "success"} | ({"warnings": warnings} if warnings else {})

    def write() -> bytes:
        return orjson.dumps(document | {"data": orjson.Fragment(result_json(result))})

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


def _range(given: SeriesParameters) -> tuple[int | None, int | None]:
    return optional_time_ms(given.start, "start"), optional_time_ms(given.end, "end")


def _timeout(text: str | None) -> float:
    return QUERY_TIMEOUT_SECONDS if text is None else min(max(duration_ms(text, "timeout") / 1000, 0.001), QUERY_TIMEOUT_SECONDS)
