"""The HTTP door of the AI agent when it runs alone: the seed's `POST /analyze`, and `GET /healthz`.

It stands where no gateway is, so it has no authentication and is meant for this machine (127.0.0.1:8001).
"""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from services.ai_agent.domain.analyze.model import AnalysisRequest, AnalysisResult, Anomaly, Prediction, PredictionPoint
from services.ai_agent.domain.analyze.service import AnalyzeService
from services.common.errors import FieldError, InvalidArgumentError, OpenManagerError
from services.common.rows import parse_rows

log = structlog.get_logger("ai_agent.web")

_BYTES_PER_ROW: Final = 512
_LARGE_BODY_BYTES: Final = 256 * 1024
"""Larger bodies are decoded in a thread, as that takes longer than the event loop can be kept waiting."""
_MAX_QUERY_CHARS: Final = 2_000
_SERVICE: Final = web.AppKey("analyze", AnalyzeService)


def make_app(analyze_service: AnalyzeService) -> web.Application:
    """The application; the caller runs it and stops it."""
    app = web.Application(client_max_size=1024 * 1024 + analyze_service.max_rows * _BYTES_PER_ROW, middlewares=[_problems])
    app[_SERVICE] = analyze_service
    app.router.add_post("/analyze", _analyze)
    app.router.add_get("/healthz", _healthz)
    return app


def parse_analyze(body: bytes, max_rows: int) -> AnalysisRequest:
    """The request in a JSON body.

    Raises:
        InvalidArgumentError: with the row and field that is wrong.
    """
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidArgumentError(f"the body is not JSON: {error}", reason="INVALID_JSON") from None
    if not isinstance(given, dict):
        raise InvalidArgumentError("the body must be a JSON object", reason="INVALID_JSON")
    query, lang, context = given.get("query"), given.get("lang"), given.get("context")
    if not isinstance(query, str) or len(query) > _MAX_QUERY_CHARS:
        raise _wrong("query", f"must be a text of at most {_MAX_QUERY_CHARS} characters")
    if lang not in (None, "ko", "en"):
        raise _wrong("lang", "must be ko or en")
    if context is not None and not isinstance(context, dict):
        raise _wrong("context", "must be an object")
    rows = parse_rows(given.get("metrics"), max_rows=max_rows)
    try:
        texts = {key: value if isinstance(value, str) else orjson.dumps(value).decode() for key, value in (context or {}).items()}
    except orjson.JSONEncodeError:
        raise _wrong("context", "nests too deeply") from None
    return AnalysisRequest(query, rows.timestamps_ms, rows.columns, lang or "", texts)


def render(result: AnalysisResult) -> dict[str, Any]:
    """The answer as the contract has it; a figure that is not known becomes null."""
    return {
        "success": True,
        "analysis": result.analysis,
        "recommendations": result.recommendations,
        "confidence": result.confidence,
        "processing_time": result.processing_seconds,
        "anomalies": {
            "count": result.anomalies.count,
            "severity": result.anomalies.severity,
            "data": [_anomaly(anomaly) for anomaly in result.anomalies.items],
        },
        "trends": {
            trend.metric: {
                "direction": trend.direction,
                "slope_per_hour": trend.slope_per_hour,
                "p_value": trend.p_value,
                "mean": trend.mean,
                "last": trend.last,
            }
            for trend in result.trends
        },
        "predictions": {prediction.metric: _prediction(prediction) for prediction in result.predictions},
        "engine": result.engine,
        "lang": result.lang,
    }


def _anomaly(anomaly: Anomaly) -> dict[str, Any]:
    return {
        "index": anomaly.index,
        "timestamp": _time(anomaly.timestamp_ms),
        "values": anomaly.values,
        "deviations": [
            {"metric": d.metric, "value": d.value, "expected_low": d.expected_low, "expected_high": d.expected_high}
            for d in anomaly.deviations
        ],
        "score": anomaly.score,
    }


def _prediction(prediction: Prediction) -> dict[str, Any]:
    if prediction.refusal:
        return {"refusal": prediction.refusal}
    return {"method": prediction.method, "points": [_point(point) for point in prediction.points]}


def _point(point: PredictionPoint) -> dict[str, Any]:
    return {
        "timestamp": _time(point.timestamp_ms),
        "steps_ahead": point.steps_ahead,
        "value": point.value,
        "lower": point.lower,
        "upper": point.upper,
    }


def _time(timestamp_ms: int | None) -> str | None:
    if timestamp_ms is None:
        return None
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000.0, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):  # a forecast beyond the end of the calendar
        return None


async def _analyze(request: web.Request) -> web.Response:
    service = request.app[_SERVICE]
    try:
        body = await request.read()
    except web.RequestPayloadError as error:
        raise InvalidArgumentError("the body is broken off or not compressed as it says", reason="BROKEN_BODY") from error
    if len(body) > _LARGE_BODY_BYTES:
        parsed = await asyncio.to_thread(parse_analyze, body, service.max_rows)
    else:
        parsed = parse_analyze(body, service.max_rows)
    result = await service.analyze(parsed)
    return web.Response(body=orjson.dumps(render(result)), content_type="application/json")


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response(body=b'{"status":"ok"}', content_type="application/json")


@web.middleware
async def _problems(request: web.Request, handler: Any) -> web.StreamResponse:
    """Errors as application/problem+json (RFC 9457), without stack traces."""
    try:
        response: web.StreamResponse = await handler(request)
    except InvalidArgumentError as error:
        return _problem(400, error.reason, error.message, error.fields)
    except OpenManagerError as error:
        return _problem(503, error.reason, error.message, error.fields)
    except web.HTTPRequestEntityTooLarge as error:
        return _problem(413, "TOO_LARGE", error.text or "the body is too large", ())
    except web.HTTPException as error:
        return _problem(error.status, error.reason.upper().replace(" ", "_"), error.text or error.reason, ())
    except Exception as error:
        log.error("request_failed", path=request.path, error=repr(error), exc_info=error)
        return _problem(500, "INTERNAL", "something went wrong here; the log has the details", ())
    return response


def _problem(status: int, reason: str, detail: str, fields: tuple[FieldError, ...]) -> web.Response:
    document = {
        "type": "about:blank",
        "title": reason.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "reason": reason,
        "errors": [{"field": field.field, "message": field.message} for field in fields],
    }
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/problem+json")


def _wrong(field: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{field} {message}", fields=[FieldError(field, message)])
