"""The port that thread and process pools share, and what both do alike: bounds, deadlines, figures."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from services.common.errors import ResourceExhaustedError, UnavailableError
from services.common.telemetry import Telemetry

P = ParamSpec("P")
T = TypeVar("T")
RETRY_AFTER_SECONDS = 1.0


class Pool(Protocol):
    """Runs functions beside the event loop, a bounded number at a time with a bounded number waiting."""

    async def run(self, deadline_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns or raises.

        Args:
            deadline_seconds: time for waiting and running together.
            function: for a process pool a function of a module, with arguments that can be pickled.
            *args: its arguments.
            **kwargs: its arguments by name.

        Raises:
            ResourceExhaustedError: `POOL_FULL`; try again after `retry_after_seconds`.
            DeadlineExceededError: the time is over. A process is killed, a thread goes on and keeps its slot until it ends.
            UnavailableError: `WORKER_DIED` or `POOL_STOPPED`; the same call may succeed later or elsewhere.
        """
        ...

    async def stop(self) -> None:
        """Take nothing more and end what runs."""
        ...


class PoolInstruments:
    """The figures of the pools of one service, by name of the pool."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.workers = telemetry.gauge("pool_workers", "Workers that the pool may use at a time.", ("pool",))
        self.busy = telemetry.gauge("pool_busy_workers", "Workers that are at work.", ("pool",))
        self.waiting = telemetry.gauge("pool_waiting_tasks", "Tasks that wait for a worker.", ("pool",))
        self.tasks = telemetry.counter("pool_tasks_total", "Tasks by outcome.", ("pool", "outcome"))
        self.replaced = telemetry.counter("pool_replaced_workers_total", "Workers that died or were killed.", ("pool",))


class Slots:
    """Counts who works and who waits, and lets nobody in beyond the bounds."""

    def __init__(self, name: str, workers: int, queue_size: int, instruments: PoolInstruments | None) -> None:
        self._name = name
        self._queue_size = queue_size
        self._free = asyncio.Semaphore(workers)
        self._waiting = 0
        self._instruments = instruments
        self.stopped = False
        if instruments is not None:
            instruments.workers.labels(name).set(workers)
            instruments.busy.labels(name).set(0)
            instruments.waiting.labels(name).set(0)

    async def acquire(self) -> None:
        """Take a slot, after waiting for one where the queue has room."""
        if self.stopped:
            raise UnavailableError(f"the pool {self._name} has stopped", reason="POOL_STOPPED")
        if self._free.locked() and self._waiting >= self._queue_size:
            self.count("refused")
            raise ResourceExhaustedError(
                f"all workers of the pool {self._name} are busy and {self._waiting} tasks wait already; try again in a moment",
                reason="POOL_FULL",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        self._waiting += 1
        self._show_waiting()
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
            self._show_waiting()
        if self.stopped:
            self._free.release()
            raise UnavailableError(f"the pool {self._name} has stopped", reason="POOL_STOPPED")
        if self._instruments is not None:
            self._instruments.busy.labels(self._name).inc()

    def release(self) -> None:
        """Give the slot back."""
        self._free.release()
        if self._instruments is not None:
            self._instruments.busy.labels(self._name).dec()

    def stop(self) -> None:
        """Let nobody in any more and wake all who wait."""
        self.stopped = True
        for _ in range(self._waiting):
            self._free.release()

    def count(self, outcome: str) -> None:
        """Count a task: done, failed, refused, late or died."""
        if self._instruments is not None:
            self._instruments.tasks.labels(self._name, outcome).inc()

    def replaced(self) -> None:
        """Count a worker that died or was killed."""
        if self._instruments is not None:
            self._instruments.replaced.labels(self._name).inc()

    def _show_waiting(self) -> None:
        if self._instruments is not None:
            self._instruments.waiting.labels(self._name).set(self._waiting)
