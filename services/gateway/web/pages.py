"""The dashboard's files, and logging in and out of it."""

import re
from http import HTTPStatus
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from services.common.errors import NotFoundError, ResourceExhaustedError, UnauthenticatedError
from services.gateway.domain.access import Authenticator
from services.gateway.domain.limits import TokenBuckets
from services.gateway.domain.times import format_ms
from services.gateway.web.auth import PRINCIPAL_KEY, SESSION_COOKIE, check_same_origin
from services.gateway.web.body import read_model
from services.gateway.web.respond import json_response
from services.gateway.web.schemas.system import LoginBody

log = structlog.get_logger("gateway.login")

_HASHED_NAME: Final = re.compile(r"\.[0-9a-f]{8,}\.")
# Written down here because the types that a host knows differ, and with `nosniff` a wrong one breaks the page.
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


class PageHandlers:
    """`/`, `/login`, `/docs` and `/static/…`.

    Args:
        folder: where the dashboard's files are.
        authenticator: checks the token of a login.
        failures: how many logins may fail, by address.
        secure_cookies: whether the session goes over HTTPS alone.
    """

    def __init__(self, folder: Path, authenticator: Authenticator, failures: TokenBuckets, *, secure_cookies: bool) -> None:
        self._folder = folder.resolve()
        self._authenticator = authenticator
        self._failures = failures
        self._secure_cookies = secure_cookies

    async def index(self, _request: web.Request) -> web.StreamResponse:
        """The dashboard."""
        return self._file("index.html")

    async def login_page(self, _request: web.Request) -> web.StreamResponse:
        """The page that asks for the token."""
        return self._file("login.html")

    async def docs(self, _request: web.Request) -> web.StreamResponse:
        """The description of the API for people."""
        return self._file("docs.html")

    async def static(self, request: web.Request) -> web.StreamResponse:
        """One file of the dashboard."""
        return self._file(request.match_info["path"])

    async def login(self, request: web.Request) -> web.Response:
        """Open a session for the browser; after several wrong tokens the address has to wait."""
        check_same_origin(request)
        address = request.remote or ""
        wait = self._failures.wait_seconds(address)
        if wait > 0:
            message = "too many wrong tokens from this address; wait and try again"
            raise ResourceExhaustedError(message, reason="TOO_MANY_FAILED_LOGINS", retry_after_seconds=wait)
        body = await read_model(request, LoginBody)
        principal = self._authenticator.by_token(body.token.strip())
        if principal is None:
            self._failures.take(address)
            log.warning("login_failed", address=address)
            raise UnauthenticatedError("no such token", reason="INVALID_TOKEN")
        value, expires_at = self._authenticator.open_session(principal)
        log.info("login", address=address, role=principal.role.name.lower())
        response = json_response({"role": principal.role.name.lower(), "expires_at": format_ms(round(expires_at * 1000))})
        secure = self._secure_cookies or request.secure
        response.set_cookie(
            SESSION_COOKIE,
            value,
            expires=None,
            max_age=self._authenticator.session_seconds,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=secure,
        )
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """Close the browser's session."""
        check_same_origin(request)
        response = web.Response(status=HTTPStatus.NO_CONTENT)
        response.del_cookie(
            SESSION_COOKIE, path="/", httponly=True, samesite="Strict", secure=self._secure_cookies or request.secure
        )
        return response

    async def caller(self, request: web.Request) -> web.Response:
        """Who asks, so that a page offers nothing that its reader may not do."""
        principal = request[PRINCIPAL_KEY]
        return json_response({"role": principal.role.name.lower(), "proof": principal.proof.value})

    def _file(self, name: str) -> web.StreamResponse:
        """A file below the folder; links and `..` that lead out of it find nothing. aiohttp answers conditional requests."""
        try:
            path = (self._folder / name).resolve()
            is_ours = path.is_relative_to(self._folder) and path.is_file()
        except (OSError, ValueError):  # a name that no file can have
            is_ours = False
        if not is_ours:
            raise NotFoundError(f"the dashboard has no file {name[:200]!r}", reason="NO_SUCH_FILE")
        # A name with a hash in it never changes its content; any other is asked for again, which costs a 304.
        caching = "public, max-age=31536000, immutable" if _HASHED_NAME.search(path.name) else "no-cache"
        kind = _TYPES.get(path.suffix, "application/octet-stream")
        return web.FileResponse(path, headers={"Cache-Control": caching, "Content-Type": kind})
