"""How the commands reach a gateway: where it is, which token opens it, and its errors in words."""

import os
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

DEFAULT_URL = "http://127.0.0.1:8080"


class CommandError(Exception):
    """What went wrong, for the person at the terminal."""


class GatewayError(CommandError):
    """The gateway's answer was an error.

    Attributes:
        status: HTTP status, 0 when the gateway could not be reached.
        reason: the gateway's UPPER_SNAKE reason, empty when it gave none.
        retry_after_seconds: how long the gateway asks to wait, 0 when it does not.
        retryable: whether the same request may succeed later.
    """

    def __init__(self, message: str, status: int = 0, reason: str = "", retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in (0, 408, 429) or self.status >= 500


def find_url(given: str | None) -> str:
    """The gateway's address: the flag, OPENMANAGER_URL, or this machine's default; `http` where no scheme is given."""
    url = (given or os.environ.get("OPENMANAGER_URL") or DEFAULT_URL).rstrip("/")
    return url if "://" in url else f"http://{url}"


def find_token(given: str | None, data_dir: Path | None = None) -> str:
    """The token: the flag, OPENMANAGER_TOKEN, OPENMANAGER_ADMIN_TOKEN, or the file that a local suite keeps.

    Raises:
        CommandError: none of these has one.
    """
    found = given or os.environ.get("OPENMANAGER_TOKEN") or os.environ.get("OPENMANAGER_ADMIN_TOKEN")
    if found:
        return found
    folder = data_dir or Path(os.environ.get("OPENMANAGER_DATA_DIR", "openmanager-data"))
    try:
        found = (folder / "gateway" / "admin-token").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        found = ""
    if not found:
        raise CommandError(
            f"no token: give --token or set OPENMANAGER_TOKEN; a suite that was started from here keeps one in {folder}/gateway"
        )
    return found


class GatewayClient:
    """JSON over HTTP to one gateway."""

    def __init__(self, url: str, token: str, timeout_seconds: float = 30.0) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> Any:
        """The JSON at `path`; raises GatewayError, also for an answer that is not JSON."""
        return await self._call("GET", path, None, {})

    async def post(self, path: str, body: object) -> Any:
        """The answer to a JSON body; raises GatewayError."""
        return await self._call("POST", path, orjson.dumps(body), {"Content-Type": "application/json"})

    async def post_bytes(self, path: str, body: bytes, content_type: str) -> Any:
        """The answer to a body of any type; raises GatewayError."""
        return await self._call("POST", path, body, {"Content-Type": content_type})

    async def _call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Any:
        if self._session is None:
            raise RuntimeError("the client is used outside of its context")
        try:
            async with self._session.request(method, self._url + path, data=body, headers=headers) as response:
                raw = await response.read()
                status = response.status
                wait = _wait_seconds(response.headers)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise GatewayError(
                f"{self._url} cannot be reached: {str(error) or type(error).__name__}; is the suite running there?"
            ) from error
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise GatewayError(
                f"{self._url} is no OpenManager gateway: it answered {status} without JSON", status, "", wait
            ) from error
        if status >= 400:
            raise _problem(answer, status, wait)
        return answer


def _wait_seconds(headers: Mapping[str, str]) -> float:
    """What `Retry-After` asks for; 0 where it is missing or wrong. A date counts from the answer's own."""
    asked = headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds())
    except (TypeError, ValueError):  # no dates, or only one of them with a zone
        return 0.0


def _problem(answer: object, status: int, retry_after_seconds: float) -> GatewayError:
    problem = answer if isinstance(answer, dict) else {}
    text = str(problem.get("detail") or problem.get("title") or f"the gateway answered {status}")
    for field in problem.get("errors") or ():
        if isinstance(field, dict):
            text += f"\n  {field.get('field')}: {field.get('message')}"
    if status == 401:
        text += "\n  give the right token with --token or OPENMANAGER_TOKEN"
    return GatewayError(text, status, str(problem.get("reason", "")), retry_after_seconds)
