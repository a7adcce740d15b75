"""HTTP to a receiver of remote write, and what its answers mean for the samples."""

import asyncio
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from services.common.clock import Clock
from services.metrics.adapters.remote_write_out.instruments import RemoteWriteInstruments
from services.metrics.adapters.remote_write_out.options import RemoteWriteOptions

_HEADERS: Final = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": "openmanager",
}
_ABOUT_US: Final = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 426, 429})
"""Statuses that say nothing about the samples: who we are, where we send to, or when. They are mended by a person or by time."""
_MAX_MESSAGE: Final = 300


class ReceiverAwayError(Exception):
    """The samples may be taken later; `retry_after_seconds` is what the receiver asks for, if it does."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ReceiverRefusalError(Exception):
    """The receiver does not take these samples, or some of them, and never will."""


class Receiver:
    """Sends requests. `open` it on the event loop, `close` it at the end."""

    def __init__(self, options: RemoteWriteOptions, clock: Clock, instruments: RemoteWriteInstruments) -> None:
        self._options = options
        self._clock = clock
        self._instruments = instruments
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connection pool.

        Raises:
            OSError: the file of certificates cannot be read.
        """
        context = await asyncio.to_thread(ssl.create_default_context, cafile=self._options.ca_file)
        self._session = aiohttp.ClientSession(
            headers=_HEADERS | ({"Authorization": self._options.authorization} if self._options.authorization else {}),
            connector=aiohttp.TCPConnector(ssl=context, keepalive_timeout=60.0),
            timeout=aiohttp.ClientTimeout(total=self._options.request_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, body: bytes) -> None:
        """Send one request; the receiver has taken all of it on return.

        Raises:
            ReceiverAwayError: it may succeed later.
            ReceiverRefusalError: it will never.
        """
        if self._session is None:
            raise ReceiverAwayError("not connected")
        began = self._clock.monotonic()
        outcome = "away"
        try:
            async with self._session.post(self._options.url, data=body, allow_redirects=False) as response:
                if 200 <= response.status < 300:
                    outcome = "taken"
                    return
                text = (await response.content.read(4096)).decode(errors="replace").strip()[:_MAX_MESSAGE]
                message = f"status {response.status}: {text or response.reason}"
                if 400 <= response.status < 500 and response.status not in _ABOUT_US:
                    outcome = "refused"
                    raise ReceiverRefusalError(message)
                raise ReceiverAwayError(message, self._retry_after(response.headers.get("Retry-After", "")))
        except TimeoutError as error:
            raise ReceiverAwayError(f"no answer within {self._options.request_seconds:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise ReceiverAwayError(f"no connection: {error.strerror or error}"[:_MAX_MESSAGE]) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ReceiverAwayError((str(error) or type(error).__name__)[:_MAX_MESSAGE]) from error
        finally:
            self._instruments.requests.labels(outcome).observe(self._clock.monotonic() - began)
            self._instruments.up.set(0 if outcome == "away" else 1)

    def _retry_after(self, header: str) -> float | None:
        """Seconds to wait by a header that has seconds or a date; None when it has neither."""
        try:
            seconds = float(header)
        except ValueError:
            try:
                date = parsedate_to_datetime(header)
            except (ValueError, TypeError):
                return None
            date = date if date.tzinfo else date.replace(tzinfo=UTC)
            seconds = (date - datetime.fromtimestamp(self._clock.now(), UTC)).total_seconds()
        if not seconds >= 0:
            return None
        return min(seconds, self._options.max_retry_after_seconds)
