"""A bounded pool of threads: cheapest for numpy work of milliseconds, cannot kill what runs too long."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from services.common.errors import DeadlineExceededError, UnavailableError
from services.common.pools.pool import PoolInstruments, Slots

P = ParamSpec("P")
T = TypeVar("T")


class ThreadPool:
    """Threads of this process. A task beyond its deadline goes on unseen and keeps its slot until it ends."""

    def __init__(self, name: str, *, workers: int = 2, queue_size: int = 64, instruments: PoolInstruments | None = None) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._slots = Slots(name, workers, queue_size, instruments)
        self._awaited: set[asyncio.Future[Any]] = set()

    async def run(self, deadline_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Pool.run`."""
        deadline = asyncio.timeout(deadline_seconds)
        try:
            async with deadline:
                await self._slots.acquire()
                return await self._run(partial(contextvars.copy_context().run, partial(function, *args, **kwargs)))
        except TimeoutError:
            if not deadline.expired():
                raise  # the task's own
            self._slots.count("late")
            raise DeadlineExceededError(f"a task of the pool {self._name} took longer than {deadline_seconds:g} s") from None

    async def _run(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        try:
            running = self._executor.submit(work)
        except RuntimeError:  # stopped between the two lines
            self._slots.release()
            raise self._stopped() from None
        running.add_done_callback(lambda done: None if loop.is_closed() else _hand_over(loop, self._end, done, result))
        self._awaited.add(result)
        try:
            return await result
        finally:
            self._awaited.discard(result)
            running.cancel()

    def _end(self, done: Future[T], result: asyncio.Future[T]) -> None:
        """On the loop, when the thread has ended its task or the task was never begun."""
        self._slots.release()
        if done.cancelled() or result.done():
            return
        error = done.exception()
        self._slots.count("failed" if error else "done")
        if error is None:
            result.set_result(done.result())
        elif isinstance(error, StopIteration):  # a future does not take it
            result.set_exception(RuntimeError("the task raised StopIteration"))
        else:
            result.set_exception(error)

    async def stop(self) -> None:
        """See `Pool.stop`; threads that still run are left to end on their own."""
        self._slots.stop()
        self._executor.shutdown(wait=False, cancel_futures=True)
        for result in self._awaited:
            if not result.done():
                result.set_exception(self._stopped())

    def _stopped(self) -> UnavailableError:
        return UnavailableError(f"the pool {self._name} has stopped", reason="POOL_STOPPED")


def _hand_over(loop: asyncio.AbstractEventLoop, end: Callable[..., None], done: Future[Any], result: asyncio.Future[Any]) -> None:
    try:
        loop.call_soon_threadsafe(end, done, result)
    except RuntimeError:  # the loop was closed a moment ago: nobody waits any more
        return
