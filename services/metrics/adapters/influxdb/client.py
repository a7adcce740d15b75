"""HTTP to InfluxDB: the v1 interface, which 1.x, 2.x and 3 all speak."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson

from services.metrics.adapters.influxdb.address import InfluxAddress
from services.metrics.adapters.influxdb.options import InfluxOptions

_GZIP_LEVEL: Final = 1
_GZIP_WINDOW: Final = 31
_GZIP_FROM_BYTES: Final = 1400
"""Below the size of a packet there is nothing to be saved."""
_CHUNK_ROWS: Final = 10_000
_THREAD_BYTES: Final = 64 * 1024
"""More JSON than this is parsed off the event loop."""
_MAX_MESSAGE: Final = 300

Observe = Callable[[str, str, float], None]
"""Is told of each request: its kind, its outcome and its seconds."""


class InfluxAwayError(Exception):
    """Nothing usable came back: no connection, no time left, an overloaded or failing server, or one that does not let us in."""

    def __init__(self, message: str, *, forbidden: bool = False) -> None:
        super().__init__(message)
        self.forbidden = forbidden


class InfluxRefusalError(Exception):
    """InfluxDB understood the request and does not want it, or not all of it."""


class DatabaseMissingError(InfluxAwayError):
    """The database that we use is not there."""


@dataclass(frozen=True, slots=True)
class Series:
    """Rows of one series in an answer: [time in Unix ms, value], or whatever the columns of the statement are."""

    statement: int
    name: str
    tags: dict[str, str]
    rows: list[list[Any]]


class InfluxClient:
    """Requests to one database; `close` it at the end. Make it on the event loop that uses it."""

    def __init__(self, address: InfluxAddress, options: InfluxOptions, observe: Observe) -> None:
        self.address = address
        self._options = options
        self._compress = options.compress and not address.is_here
        self._observe = observe
        headers = {"Authorization": address.authorization} if address.authorization else {}
        self._session = aiohttp.ClientSession(
            headers=headers if self._compress else headers | {"Accept-Encoding": "identity"},
            connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=60.0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def version(self) -> str:
        """The server's version without a leading v, `unknown` where it does not tell.

        Raises:
            InfluxAwayError: nobody answers.
        """
        async with self._request("GET", "/ping", self._options.connect_seconds) as response:
            await _check(response)
            return response.headers.get("X-Influxdb-Version", "unknown").removeprefix("v")

    async def write(self, body: bytes) -> None:
        """Store lines with times in ms; they are durable on return.

        Raises:
            InfluxRefusalError: some of the lines, or all, are not wanted; which were stored is not told.
            InfluxAwayError: nothing is known to be stored, but it may be.
        """
        params = {"db": self.address.database, "precision": "ms"}
        if self.address.retention_policy:
            params["rp"] = self.address.retention_policy
        if self.address.consistency:
            params["consistency"] = self.address.consistency
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._compress and len(body) >= _GZIP_FROM_BYTES:
            body = await asyncio.to_thread(zlib.compress, body, _GZIP_LEVEL, _GZIP_WINDOW)
            headers["Content-Encoding"] = "gzip"
        seconds = self._options.write_seconds
        async with self._request("POST", "/write", seconds, params=params, data=body, headers=headers) as response:
            await _check(response)

    async def query(self, statements: str) -> AsyncGenerator[Series]:
        """Series of the answer as they come, in pieces; statements are separated by semicolons and numbered from 0.

        Raises:
            InfluxRefusalError: a statement is not understood, not allowed or failed.
            InfluxAwayError: the answer did not come, or not to its end.
        """
        form = {"q": statements, "db": self.address.database, "epoch": "ms", "chunked": "true", "chunk_size": str(_CHUNK_ROWS)}
        if self.address.retention_policy:
            form["rp"] = self.address.retention_policy
        async with self._request("POST", "/query", self._options.query_seconds, data=form) as response:
            await _check(response)
            rest = b""
            async for piece in response.content.iter_any():
                whole, newline, tail = piece.rpartition(b"\n")
                if not newline:
                    rest += piece
                    continue
                for series in await _parsed(rest + whole):
                    yield series
                rest = tail
            for series in await _parsed(rest):
                yield series

    async def run(self, statements: str) -> list[Series]:
        """As `query`, all of it."""
        return [series async for series in self.query(statements)]

    def _request(self, method: str, path: str, seconds: float, **arguments: Any) -> "_Request":
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=self._options.connect_seconds)
        context = self._session.request(method, self.address.base + path, timeout=timeout, allow_redirects=False, **arguments)
        return _Request(context, path.removeprefix("/"), self._observe)


class _Request:
    """One request as a context; whatever goes wrong with the connection inside it is an `InfluxAwayError`."""

    def __init__(self, context: Any, kind: str, observe: Observe) -> None:
        self._context = context
        self._kind = kind
        self._observe = observe
        self._began = asyncio.get_running_loop().time()

    async def __aenter__(self) -> aiohttp.ClientResponse:
        try:
            response: aiohttp.ClientResponse = await self._context.__aenter__()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._away(error) from error
        return response

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        await self._context.__aexit__(kind, error, trace)
        if isinstance(error, (aiohttp.ClientError, OSError, TimeoutError)):
            raise self._away(error) from error
        self._observe(self._kind, _outcome(error), self._seconds())

    def _away(self, error: Exception) -> InfluxAwayError:
        self._observe(self._kind, "failed", self._seconds())
        if isinstance(error, TimeoutError):
            return InfluxAwayError(f"no answer within {self._seconds():.0f} s")
        if isinstance(error, aiohttp.ClientConnectorError):
            return InfluxAwayError(f"no connection: {error.strerror or error}"[:_MAX_MESSAGE])
        return InfluxAwayError((str(error) or type(error).__name__)[:_MAX_MESSAGE])

    def _seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._began


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "ok"
    if isinstance(error, (GeneratorExit, asyncio.CancelledError)):
        return "given_up"
    return "refused" if isinstance(error, InfluxRefusalError) else "failed"


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raise what the status means."""
    if response.status in (200, 204):
        return
    message = _message(await response.content.read(65_536), response)
    if response.status in (401, 403):
        raise InfluxAwayError(f"it does not let us in ({response.status}): {message}", forbidden=True)
    if response.status == 404:
        raise DatabaseMissingError(message)
    if response.status in (400, 422):
        raise InfluxRefusalError(message)
    raise InfluxAwayError(f"status {response.status}: {message}")


def _message(body: bytes, response: aiohttp.ClientResponse) -> str:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    found = (answer.get("error") or answer.get("message")) if isinstance(answer, dict) else None
    found = found or response.headers.get("X-Influxdb-Error") or body.decode(errors="replace").strip() or response.reason or ""
    return str(found)[:_MAX_MESSAGE]


async def _parsed(lines: bytes) -> list[Series]:
    return await asyncio.to_thread(_parse, lines) if len(lines) > _THREAD_BYTES else _parse(lines)


def _parse(lines: bytes) -> list[Series]:
    found: list[Series] = []
    for line in lines.splitlines():
        if not line.strip():
            continue
        try:
            answer = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InfluxAwayError("its answer is broken off, or no JSON") from error
        if "error" in answer:
            raise _failed(str(answer["error"]))
        for result in answer.get("results", ()):
            if "error" in result:
                raise _failed(str(result["error"]))
            number = int(result.get("statement_id", 0))
            found.extend(
                Series(number, series.get("name", ""), series.get("tags") or {}, series.get("values") or [])
                for series in result.get("series", ())
            )
    return found


def _failed(message: str) -> Exception:
    message = message[:_MAX_MESSAGE]
    return DatabaseMissingError(message) if message.startswith("database not found") else InfluxRefusalError(message)
