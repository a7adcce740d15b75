"""Server-Sent Events (WHATWG HTML, section 9.2)."""

import asyncio
from types import TracebackType
from typing import Final, Self

from aiohttp import web

CONTENT_TYPE: Final = "text/event-stream"
RETRY_MS: Final = 2000
WRITE_TIMEOUT_SECONDS: Final = 20.0


class EventStream:
    """An open stream to one client; a client that takes nothing for 20 s is cut off."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        headers = {"Content-Type": f"{CONTENT_TYPE}; charset=utf-8", "X-Accel-Buffering": "no"}
        self._response = web.StreamResponse(headers=headers)

    async def __aenter__(self) -> Self:
        await self._response.prepare(self._request)
        await self._write(f"retry: {RETRY_MS}\n\n".encode())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            await self._response.write_eof()

    @property
    def response(self) -> web.StreamResponse:
        """What the handler returns."""
        return self._response

    async def send(self, event: str, data: bytes, event_id: str = "") -> None:
        """Send one event; `data` must be one line, as JSON is."""
        head = f"id: {event_id}\nevent: {event}\ndata: " if event_id else f"event: {event}\ndata: "
        await self._write(head.encode() + data + b"\n\n")

    async def comment(self) -> None:
        """Show that the stream is alive."""
        await self._write(b": alive\n\n")

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_SECONDS):
                await self._response.write(data)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("the client of a stream takes nothing") from None


def wants_events(request: web.Request) -> bool:
    """Whether the client asks for a stream."""
    return CONTENT_TYPE in request.headers.get("Accept", "")
