"""What a component started, and how it is stopped: last in, first out, each stop named and bounded."""

import asyncio
import enum
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

log = structlog.get_logger("lifecycle")

Stop = Callable[[], Awaitable[object] | object]


class State(enum.StrEnum):
    """Where a component is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"


class ComponentFailedError(Exception):
    """A background task ended that should have run until the stop."""


@dataclass(frozen=True)
class _Entry:
    name: str
    stop: Stop
    timeout_seconds: float


class Lifecycle:
    """Owns everything that one service started.

    Register each stop on the line after its start. `stop()` runs them in reverse order, gives each its own time limit, and goes
    on when one fails. `failed` is set with the exception when a task given to `spawn` ends on its own account.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = State.STARTING
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._entries: list[_Entry] = []
        self._ready = asyncio.Event()

    def on_stop(self, name: str, stop: Stop, timeout_seconds: float = 5.0) -> None:
        """Run `stop` (plain or async) when the service stops; it is abandoned after `timeout_seconds`."""
        self._entries.append(_Entry(name, stop, timeout_seconds))

    def spawn(self, name: str, work: Coroutine[Any, Any, None], timeout_seconds: float = 5.0) -> asyncio.Task[None]:
        """Run `work` until the stop cancels it; its own end before that is a failure of the service."""
        task = asyncio.create_task(work, name=f"{self.name}.{name}")
        task.add_done_callback(self._on_task_done)

        async def cancel() -> None:
            task.cancel()
            await asyncio.wait([task])

        self.on_stop(name, cancel, timeout_seconds)
        return task

    def mark_ready(self) -> None:
        """Say that requests may come."""
        if self.state is State.STARTING:
            self.state = State.READY
            self._ready.set()
            log.info("ready", component=self.name)

    @property
    def is_ready(self) -> bool:
        """Whether requests may come."""
        return self.state is State.READY

    async def wait_ready(self) -> None:
        """Wait until requests may come."""
        await self._ready.wait()

    async def stop(self) -> None:
        """Stop everything, the last started first. Safe to call twice."""
        if self.state in (State.STOPPING, State.STOPPED):
            return
        self.state = State.STOPPING
        while self._entries:
            await self._stop_one(self._entries.pop())
        self.state = State.STOPPED
        if not self.failed.done():
            self.failed.cancel()

    async def _stop_one(self, entry: _Entry) -> None:
        try:
            async with asyncio.timeout(entry.timeout_seconds):
                result = entry.stop()
                if inspect.isawaitable(result):
                    await result
        except TimeoutError:
            log.error("stop_timed_out", component=self.name, part=entry.name, timeout_seconds=entry.timeout_seconds)
        except Exception as error:
            log.error("stop_failed", component=self.name, part=entry.name, error=repr(error), exc_info=error)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.state in (State.STOPPING, State.STOPPED):
            return
        error = task.exception() or ComponentFailedError(f"{task.get_name()} ended before the stop")
        log.error("task_failed", component=self.name, task=task.get_name(), error=repr(error), exc_info=error)
        if not self.failed.done():
            self.failed.set_exception(error)
            self.failed.exception()  # retrieved here, so that an unread future does not warn
