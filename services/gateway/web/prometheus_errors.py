"""Errors as the Prometheus HTTP API tells them: `{"status": "error", "errorType": ..., "error": ...}`."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

from aiohttp import web

from services.common.errors import (
    CancelledError,
    DeadlineExceededError,
    InvalidArgumentError,
    NotFoundError,
    OpenManagerError,
    RefusedError,
    ResourceExhaustedError,
    UnavailableError,
)
from services.gateway.web.respond import json_response

BAD_QUERY: Final = "BAD_DATA"
"""Reason with which the metrics service refuses an expression."""
_EXECUTION: Final = "EXECUTION"

_ERROR_TYPES: Final[tuple[tuple[type[OpenManagerError], str, HTTPStatus], ...]] = (
    (InvalidArgumentError, "bad_data", HTTPStatus.BAD_REQUEST),
    (NotFoundError, "not_found", HTTPStatus.NOT_FOUND),
    (RefusedError, "execution", HTTPStatus.UNPROCESSABLE_ENTITY),
    (ResourceExhaustedError, "execution", HTTPStatus.UNPROCESSABLE_ENTITY),
    (DeadlineExceededError, "timeout", HTTPStatus.SERVICE_UNAVAILABLE),
    (CancelledError, "canceled", HTTPStatus.SERVICE_UNAVAILABLE),
    (UnavailableError, "unavailable", HTTPStatus.SERVICE_UNAVAILABLE),
)
_TIMED_OUT: Final = "query timed out in expression evaluation"

HandlersT = TypeVar("HandlersT")
Handler = Callable[[HandlersT, web.Request], Awaitable[web.Response]]


def as_prometheus(handler: Handler[HandlersT]) -> Handler[HandlersT]:
    """The handler with its errors in Prometheus' own shape; a bug is left to the door, which logs it."""

    async def wrapped(self: HandlersT, request: web.Request) -> web.Response:
        try:
            return await handler(self, request)
        except OpenManagerError as error:
            for kind, error_type, status in _ERROR_TYPES:
                if isinstance(error, kind):
                    return _failure(error, error_type, status)
            raise

    return wrapped


def bad_parameter(name: str, why: str) -> InvalidArgumentError:
    """The error for a parameter that cannot be used, in Prometheus' words."""
    return InvalidArgumentError(f'invalid parameter "{name}": {why}')


def _failure(error: OpenManagerError, error_type: str, status: HTTPStatus) -> web.Response:
    if error.reason == _EXECUTION:
        error_type, status = "execution", HTTPStatus.UNPROCESSABLE_ENTITY
    message = _TIMED_OUT if isinstance(error, DeadlineExceededError) else error.message
    headers = {"Retry-After": "1"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return json_response({"status": "error", "errorType": error_type, "error": message}, status, headers)
