"""A bounded pool of threads: cheapest for numpy work of milliseconds, cannot kill what runs too long."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
        self._stopping = asyncio.Event()

    async def run(self, deadline_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Pool.run`."""
        deadline = asyncio.timeout(deadline_seconds)
        try:
            async with deadline:
                await self._slots.acquire()
                return await self._run(function, *args, **kwargs)
        except TimeoutError:
            if not deadline.expired():
                raise  # the task's own
            self._slots.count("late")
            raise DeadlineExceededError(f"a task of the pool {self._name} took longer than {deadline_seconds:g} s") from None

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        try:
            work = self._executor.submit(partial(context.run, function, *args, **kwargs))
        except RuntimeError:  # stopped between the two lines
            self._slots.release()
            raise UnavailableError(f"the pool {self._name} has stopped", reason="POOL_STOPPED") from None
        work.add_done_callback(lambda _: _call_soon(loop, self._slots.release))
        result: asyncio.Future[T] = asyncio.wrap_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((result, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not result.done() or result.cancelled():
                raise UnavailableError(f"the pool {self._name} has stopped", reason="POOL_STOPPED")
            error = result.exception()
            self._slots.count("failed" if error else "done")
            return result.result()
        finally:
            stopping.cancel()
            result.cancel()

    async def stop(self) -> None:
        """See `Pool.stop`; threads that still run are left to end on their own."""
        self._slots.stop()
        self._stopping.set()
        self._executor.shutdown(wait=False, cancel_futures=True)


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], Any]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)
