"""A job's HTTP options as aiohttp takes them."""

import asyncio
import base64
import ssl
from pathlib import Path
from typing import Any, Final

from services.metrics.domain.scrape.job import HttpOptions, Tls
from services.metrics.domain.scrape.ports import FetchError

MAX_REDIRECTS: Final = 5
_MAX_SECRET_BYTES: Final = 64 * 1024
_MAX_CONTEXTS: Final = 1000
_ContextKey = tuple[Tls, tuple[int, ...]]


class RequestOptions:
    """Makes the arguments of requests; certificates are loaded once for as long as their files do not change."""

    def __init__(self) -> None:
        self._contexts: dict[_ContextKey, ssl.SSLContext] = {}
        self._plain = ssl.create_default_context()

    async def of(self, http: HttpOptions, headers: dict[str, str]) -> dict[str, Any]:
        """Arguments for `ClientSession.get`. Secrets and certificates in files are looked at anew each time, so they may be renewed.

        Raises:
            FetchError: a file cannot be used.
        """
        try:
            authorization = await _authorization(http)
            context = self._plain if http.tls == Tls() else await asyncio.to_thread(self._context, http.tls)
        except (OSError, UnicodeError, ssl.SSLError) as error:
            place = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
            raise FetchError(f"a secret or certificate cannot be used: {place}{_reason(error)}") from error
        options: dict[str, Any] = {
            "headers": headers | ({"Authorization": authorization} if authorization else {}),
            "allow_redirects": http.follow_redirects,
            "max_redirects": MAX_REDIRECTS,
            "ssl": context,
        }
        if http.tls.server_name:
            options["server_hostname"] = http.tls.server_name
        return options

    def _context(self, tls: Tls) -> ssl.SSLContext:
        files = [path for path in (tls.ca_file, tls.cert_file, tls.key_file) if path]
        key = (tls, tuple(Path(path).stat().st_mtime_ns for path in files))
        found = self._contexts.get(key)
        if found is None:
            found = ssl.create_default_context(cafile=tls.ca_file or None, cadata=tls.ca or None)
            if tls.insecure_skip_verify:
                found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
            if tls.cert_file:
                found.load_cert_chain(tls.cert_file, tls.key_file)
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.clear()
            self._contexts[key] = found
        return found


async def _authorization(http: HttpOptions) -> str:
    """The header, empty when there is none."""
    if (basic := http.basic_auth) is not None:
        password = await _secret(basic.password_file) if basic.password_file else basic.password
        return "Basic " + base64.b64encode(f"{basic.username}:{password}".encode()).decode()
    if (found := http.authorization) is not None:
        credentials = await _secret(found.credentials_file) if found.credentials_file else found.credentials
        return f"{found.kind} {credentials}"
    return ""


async def _secret(path: str) -> str:
    def read() -> str:
        with Path(path).open("rb") as file:
            return file.read(_MAX_SECRET_BYTES).decode().strip()

    secret = await asyncio.to_thread(read)
    if any(character in secret for character in "\r\n\0"):
        raise FetchError(f"{path} holds more than one line")
    return secret


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
