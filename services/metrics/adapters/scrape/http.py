"""Fetches pages and lists of targets over HTTP, within limits that no other side can talk its way around."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from services.metrics.adapters.scrape.http_options import MAX_REDIRECTS, RequestOptions
from services.metrics.domain.scrape.job import HttpOptions
from services.metrics.domain.scrape.ports import FetchError

_PIECE_BYTES: Final = 256 * 1024
_GZIP: Final = 31


@dataclass(frozen=True)
class Answer:
    """A body, decompressed, and what it says that it is."""

    body: bytes
    content_type: str


class Fetcher:
    """HTTP GET for scraping. `open` it before use and `close` it at the end.

    Args:
        max_bytes: of one body, decompressed.
        held_bytes: of all bodies that are on their way at one time; what comes on top is refused.
    """

    def __init__(self, max_bytes: int, held_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._free_bytes = held_bytes
        self._options = RequestOptions()
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make the connection pool; needs the event loop."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=75.0),
            timeout=aiohttp.ClientTimeout(total=None),  # whoever fetches has a limit for all of it
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, http: HttpOptions, headers: dict[str, str], max_bytes: int = 0) -> Answer:
        """The body behind a URL.

        Args:
            url: of http or https.
            http: who asks, and whom to trust.
            headers: of the request.
            max_bytes: a lower limit than the usual one; 0 for none.

        Raises:
            FetchError: there is none, or it is too large.
        """
        if self._session is None:
            raise FetchError("the service is not running")
        limit = min(max_bytes, self.max_bytes) if max_bytes else self.max_bytes
        options = await self._options.of(http, headers)
        try:
            async with self._session.get(URL(url, encoded=True), **options) as response:
                if response.status != 200:
                    raise FetchError(f"it answered with status {response.status}")
                coding = response.headers.get("Content-Encoding", "identity").strip().lower()
                if coding not in ("identity", "gzip"):
                    raise FetchError(f"it answered with the encoding {coding[:40]}, which was not asked for")
                return Answer(await self._body(response, limit, is_gzip=coding == "gzip"), response.headers.get("Content-Type", ""))
        except aiohttp.TooManyRedirects:
            raise FetchError(f"it redirects more than {MAX_REDIRECTS} times") from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
            raise FetchError(f"TLS: {_shown(error)}") from error
        except aiohttp.ClientConnectorError as error:
            raise FetchError(f"no connection: {error.strerror or _shown(error)}") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):  # whose text may hold somebody's password
            raise FetchError("it leads to a URL that is none of http or https") from None
        except aiohttp.ClientPayloadError as error:
            raise FetchError("the page is broken off") from error
        except aiohttp.ServerDisconnectedError as error:
            raise FetchError("it closed the connection without an answer") from error
        except aiohttp.ClientResponseError as error:
            raise FetchError(f"its answer is not HTTP: {error.message[:200]}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(_shown(error)) from error

    async def _body(self, response: aiohttp.ClientResponse, limit: int, *, is_gzip: bool) -> bytes:
        parts: list[bytes] = []
        size = 0
        async with self._holding() as hold:
            pieces = _decompressed(response.content) if is_gzip else response.content.iter_any()
            async for piece in pieces:
                size += len(piece)
                if size > limit:
                    raise FetchError(f"the page is larger than {limit:,} bytes")
                hold(len(piece))
                parts.append(piece)
            return b"".join(parts)

    @asynccontextmanager
    async def _holding(self) -> AsyncIterator["_Hold"]:
        hold = _Hold(self)
        try:
            yield hold
        finally:
            self._free_bytes += hold.taken

    def take(self, size: int) -> None:
        """Count bytes as held.

        Raises:
            FetchError: there are too many.
        """
        if size > self._free_bytes:
            raise FetchError("too much is being scraped at once; the next scrape may succeed")
        self._free_bytes -= size


class _Hold:
    """What one body has taken of the bytes that may be held."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self.taken = 0

    def __call__(self, size: int) -> None:
        self._fetcher.take(size)
        self.taken += size


async def _decompressed(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The body in pieces of bounded size, however much a few bytes of it stand for."""
    decoder = zlib.decompressobj(_GZIP)
    begun = False
    try:
        async for chunk in stream.iter_any():
            begun = True
            while True:
                piece = decoder.decompress(chunk, _PIECE_BYTES)
                yield piece
                chunk = decoder.unconsumed_tail
                if decoder.eof:  # another member may follow
                    chunk = decoder.unused_data
                    decoder, begun = zlib.decompressobj(_GZIP), bool(chunk)
                    if not begun:
                        break
                elif not chunk and len(piece) < _PIECE_BYTES:
                    break
                await asyncio.sleep(0)
    except zlib.error:
        raise FetchError("the page is not compressed as it says") from None
    if begun and not decoder.eof:
        raise FetchError("the compressed page is broken off")


def _shown(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:300]
