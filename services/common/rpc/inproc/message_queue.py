"""Messages on their way in one direction of a call, bounded as HTTP/2 bounds them."""

import asyncio
from collections import deque
from typing import Final

WINDOW_BYTES: Final = 65_536
"""A writer waits while this many bytes are unread: the initial window of HTTP/2 (RFC 9113, section 6.9.2)."""
FRAME_BYTES: Final = 5
"""What gRPC adds to each message; it bounds the number of empty ones."""


class MessageQueue:
    """A queue of byte strings from one writer to one reader."""

    __slots__ = ("_closed", "_loop", "_messages", "_readers", "_unread_bytes", "_writers")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: deque[bytes] = deque()
        self._unread_bytes = 0
        self._closed = False
        self._readers: list[asyncio.Future[None]] = []
        self._writers: list[asyncio.Future[None]] = []

    @property
    def closed(self) -> bool:
        """Whether nothing more can be put."""
        return self._closed

    def put_nowait(self, message: bytes) -> None:
        """Add a message whatever is unread; for calls that send only one."""
        if self._closed:
            return
        self._messages.append(message)
        self._unread_bytes += len(message) + FRAME_BYTES
        _wake(self._readers)

    async def put(self, message: bytes) -> bool:
        """Add a message once there is room; False when the queue was closed meanwhile."""
        while self._unread_bytes >= WINDOW_BYTES and not self._closed:
            await self._wait(self._writers)
        if self._closed:
            return False
        self.put_nowait(message)
        return True

    async def get(self) -> bytes | None:
        """The next message; None when the queue is closed and read to its end."""
        while not self._messages:
            if self._closed:
                return None
            await self._wait(self._readers)
        message = self._messages.popleft()
        self._unread_bytes -= len(message) + FRAME_BYTES
        _wake(self._writers)
        return message

    def close(self) -> None:
        """Say that no message follows; those unread can still be read."""
        self._closed = True
        _wake(self._readers)
        _wake(self._writers)

    def discard(self) -> None:
        """Close, and drop what is unread: the call is over before its time."""
        self._messages.clear()
        self._unread_bytes = 0
        self.close()

    async def _wait(self, waiters: list[asyncio.Future[None]]) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        waiters.append(waiter)
        try:
            await waiter
        finally:
            waiters.remove(waiter)


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
