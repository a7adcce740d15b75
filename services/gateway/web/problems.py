"""Errors as `application/problem+json` (RFC 9457)."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import grpc
import orjson
from aiohttp import web

from services.common.errors import FieldError, InternalError, OpenManagerError

CONTENT_TYPE: Final = "application/problem+json"
DEFAULT_RETRY_SECONDS: Final = 1.0
_STATUSES: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.UNPROCESSABLE_ENTITY,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    # A peer that stops cancels its calls: to our caller it is away.
    grpc.StatusCode.CANCELLED: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}
_RETRYABLE: Final = frozenset((HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE))
_HTTP_REASONS: Final = {
    HTTPStatus.NOT_FOUND: "NO_SUCH_ROUTE",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "PAYLOAD_TOO_LARGE",
}


class HttpProblem(Exception):  # noqa: N818  RFC 9457's word for it
    """An error that HTTP has and the services do not know, such as a body of the wrong type."""

    def __init__(self, status: HTTPStatus, reason: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = dict(headers or {})


def status_of(error: OpenManagerError) -> HTTPStatus:
    """The HTTP status that stands for an error of a service; 500 for a bug."""
    return _STATUSES.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_of(error: OpenManagerError, instance: str) -> web.Response:
    """The answer to a request that failed with an expected error; what a bug said stays in the log."""
    status = status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal_problem(instance)
    headers = {}
    if status in _RETRYABLE:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds or DEFAULT_RETRY_SECONDS)))
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="openmanager"'
    return problem(status, error.reason, error.message, instance, error.fields, headers)


def internal_problem(instance: str) -> web.Response:
    """The answer to a request that met a bug."""
    detail = "internal error; the log has the details under this request's id"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, InternalError.default_reason, detail, instance)


def http_problem(error: web.HTTPException, instance: str) -> web.Response:
    """The answer to a request that aiohttp refused."""
    status = HTTPStatus(error.status)
    reason = _HTTP_REASONS.get(status, status.name)
    details = {
        HTTPStatus.NOT_FOUND: "nothing is at this address; /openapi.json lists every route",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is too large; send it in parts",
    }
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        details[status] = f"this address takes {headers.get('Allow', 'other methods')}"
    return problem(status, reason, details.get(status, status.description or status.phrase), instance, (), headers)


def problem(
    status: HTTPStatus,
    reason: str,
    detail: str,
    instance: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A problem document."""
    body = orjson.dumps(problem_document(status, reason, detail, instance, errors))
    return web.Response(status=status, body=body, content_type=CONTENT_TYPE, headers=headers)


def problem_document(
    status: HTTPStatus, reason: str, detail: str, instance: str, errors: Sequence[FieldError] = ()
) -> dict[str, object]:
    """The members of a problem document."""
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "instance": instance,
        "reason": reason,
        "errors": [{"field": error.field, "message": error.message} for error in errors],
    }
