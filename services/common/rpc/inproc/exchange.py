"""One call between two ends in one process: what a connection would carry, and nothing else."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from services.common.rpc.inproc.message_queue import MessageQueue
from services.common.rpc.metadata import Pairs


@dataclass(frozen=True)
class FinalStatus:
    """How a call ended."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: Pairs = ()


class Exchange:
    """The state that the caller's and the servicer's end of one call share.

    Messages cross as bytes in two bounded queues, metadata as pairs of strings; the first `finish` decides the status. Whoever
    ends the call before the servicer does also cancels the servicer's task.
    """

    __slots__ = (
        "_deadline_timer",
        "_done_callbacks",
        "_loop",
        "_waiters",
        "deadline",
        "initial_metadata",
        "max_message_bytes",
        "metadata",
        "method",
        "requests",
        "responses",
        "servicer",
        "status",
    )

    def __init__(self, method: str, metadata: Pairs, timeout_seconds: float | None) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self.method = method
        self.metadata = metadata
        self.max_message_bytes = 0  # the server's limit, set when it accepts the call
        self.requests = MessageQueue(loop)
        self.responses = MessageQueue(loop)
        self.initial_metadata: Pairs | None = None
        self.status: FinalStatus | None = None
        self.servicer: asyncio.Task[None] | None = None
        self.deadline = None if timeout_seconds is None else loop.time() + timeout_seconds
        self._deadline_timer = None if self.deadline is None else loop.call_at(self.deadline, self._expire)
        self._waiters: list[asyncio.Future[None]] = []
        self._done_callbacks: list[Callable[[], object]] = []

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, 0 when it has passed; None without one."""
        return None if self.deadline is None else max(self.deadline - self._loop.time(), 0.0)

    def start_response(self, metadata: Pairs = ()) -> None:
        """Send the initial metadata, once; the first message and the status do it when nothing did before."""
        if self.initial_metadata is None:
            self.initial_metadata = metadata
            self._wake()

    def finish(self, status: FinalStatus) -> bool:
        """End the call in order, after the messages sent so far; False when it had ended."""
        if self.status is not None:
            return False
        self.start_response()
        self.status = status
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        self.requests.discard()
        self.responses.close()
        self._wake()
        for callback in self._done_callbacks:
            self._loop.call_soon(callback)
        self._done_callbacks.clear()
        return True

    def break_off(self, code: grpc.StatusCode, details: str) -> bool:
        """End the call at once: unread messages are lost and the servicer is cancelled; False when it had ended."""
        if not self.finish(FinalStatus(code, details)):
            return False
        self.responses.discard()
        if self.servicer is not None:
            self.servicer.cancel()
        return True

    def add_done_callback(self, callback: Callable[[], object]) -> None:
        """Call back once when the call has ended."""
        if self.status is not None:
            self._loop.call_soon(callback)
        else:
            self._done_callbacks.append(callback)

    async def wait_status(self) -> FinalStatus:
        """Wait for the end of the call."""
        while self.status is None:
            await self._wait()
        return self.status

    async def wait_initial_metadata(self) -> Pairs:
        """Wait for the servicer's first sign of life."""
        while self.initial_metadata is None:
            await self._wait()
        return self.initial_metadata

    async def _wait(self) -> None:
        # A future for each waiter: the cancellation of one must not reach the others.
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _expire(self) -> None:
        self.break_off(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
