"""What surrounds every request, in this order: request id, measuring, errors, who is it and may they, how often."""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from services.common.errors import OpenManagerError, ResourceExhaustedError
from services.common.ids import IdSource
from services.common.logs import request_id_var
from services.common.rpc.metadata import is_token
from services.common.telemetry import Telemetry
from services.gateway.domain.access import Authenticator, Role
from services.gateway.domain.limits import TokenBuckets
from services.gateway.web.auth import PRINCIPAL_KEY, authenticate, authorize, login_redirect
from services.gateway.web.problems import HttpProblem, http_problem, internal_problem, problem, problem_of, status_of
from services.gateway.web.routes import Route

log = structlog.get_logger("gateway.http")

RouteOf = Callable[[web.Request], Route | None]
"""Finds the entry of our table that a request matched; None when it matched none."""

_REQUEST_ID_KEY: Final = web.RequestKey("request_id", str)
_SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def request_ids(new_id: IdSource) -> Middleware:
    """Give each request an id, the caller's when it sent a usable one, for logs, RPCs and the answer."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if is_token(given) else new_id()
        request[_REQUEST_ID_KEY] = request_id
        token = request_id_var.set(request_id)
        try:
            return await handler(request)
        finally:
            request_id_var.reset(token)

    return middleware


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer, streams and errors among them; runs when an answer is about to be sent."""
    response.headers["X-Request-Id"] = request.get(_REQUEST_ID_KEY, "")
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


def measuring(telemetry: Telemetry, route_of: RouteOf) -> Middleware:
    """Count and time requests by route, and log those that are not routine."""
    requests = telemetry.counter("http_requests_total", "Requests by route and status.", ("method", "route", "status"))
    times = telemetry.histogram("http_request_seconds", "Time to answer; streams are left out.", ("method", "route"))
    in_flight = telemetry.gauge("http_requests_in_flight", "Requests being answered, streams among them.")

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = route_of(request)
        # A path that is not ours is not a label: whoever asks for random ones would fill the memory.
        path = route.path if route else "unknown"
        method = request.method if route else "any"
        start = time.perf_counter()
        status = 499  # the client left before there was an answer
        in_flight.inc()
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            in_flight.dec()
            elapsed = time.perf_counter() - start
            requests.labels(method, path, str(status)).inc()
            if route is None or not route.is_stream:
                times.labels(method, path).observe(elapsed)
            routine = status < HTTPStatus.BAD_REQUEST and (route is None or route.is_frequent)
            write = log.debug if routine else log.info
            write("request", method=request.method, path=request.path, status=status, ms=round(elapsed * 1000, 1))

    return middleware


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into a problem document; a bug is told in the log and nowhere else."""
    try:
        return await handler(request)
    except OpenManagerError as error:
        if status_of(error) is HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request_failed", path=request.path, reason=error.reason, error=error.message, exc_info=error)
        return problem_of(error, request.path)
    except HttpProblem as error:
        return problem(error.status, error.reason, error.detail, request.path, (), error.headers)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return http_problem(error, request.path)
    except (asyncio.CancelledError, ConnectionError):
        raise  # the client has left: there is nobody to answer
    except Exception as error:
        log.error("request_failed", path=request.path, error=repr(error), exc_info=error)
        return internal_problem(request.path)


def authentication(authenticator: Authenticator, route_of: RouteOf) -> Middleware:
    """Let pass who may: the table says which role each route needs, and a path that is in no table needs one as well."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = route_of(request)
        role = Role.VIEWER if route is None else route.role
        if role is None:
            return await handler(request)
        try:
            principal = authenticate(request, authenticator)
        except OpenManagerError:
            if route is not None and route.is_page:
                return login_redirect(request)
            raise
        authorize(request, principal, role)
        request[PRINCIPAL_KEY] = principal
        return await handler(request)

    return middleware


def rate_limit(buckets: TokenBuckets) -> Middleware:
    """Hold back a caller that asks too often; public routes are not counted."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        principal = request.get(PRINCIPAL_KEY)
        wait = buckets.take(principal.key) if principal is not None else 0.0
        if wait > 0:
            raise ResourceExhaustedError("too many requests with this token", reason="RATE_LIMITED", retry_after_seconds=wait)
        return await handler(request)

    return middleware
