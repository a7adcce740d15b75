"""A bounded pool of worker processes: a task that runs too long is killed with its worker, and the worker is replaced."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, ParamSpec, TypeVar

import structlog

from services.common.errors import DeadlineExceededError, UnavailableError
from services.common.pools.frames import HEADER, content_of, frame
from services.common.pools.pool import PoolInstruments, Slots

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger("pools.processes")

_EXIT_SECONDS: Final = 2.0
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class WorkerDiedError(Exception):
    """The worker ended in the middle of a task."""


class _Worker:
    """One worker process and its pipes; one task at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._calling = asyncio.Lock()

    @classmethod
    async def start(cls) -> "_Worker":
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.common.pools.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C at the terminal is for the parent, which stops its workers itself
        )
        return cls(process)

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def call(self, task: int, message: bytes) -> tuple[bool, Any]:
        """(whether it went well, value or exception) of one task."""
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            raise WorkerDiedError
        try:
            async with self._calling:
                to.write(message)
                await to.drain()
                size, answered = HEADER.unpack(await back.readexactly(HEADER.size))
                body = await back.readexactly(size)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise WorkerDiedError from error
        if answered != task:
            raise WorkerDiedError
        answer: tuple[bool, Any] = content_of(body)
        return answer

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS), self._calling:
                await self._process.communicate()  # to the end of its pipes, so that asyncio lets go of them


class WorkerPool:
    """Processes of our own program. They start when they are first needed."""

    def __init__(self, name: str, *, workers: int = 2, queue_size: int = 32, instruments: PoolInstruments | None = None) -> None:
        self._name = name
        self._slots = Slots(name, workers, queue_size, instruments)
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._next_task = 0

    async def run(self, deadline_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Pool.run`."""
        deadline = asyncio.timeout(deadline_seconds)
        try:
            async with deadline:
                await self._slots.acquire()
                try:
                    value: T = await self._run((function, args, kwargs))
                    return value
                finally:
                    self._slots.release()
        except TimeoutError:
            if not deadline.expired():
                raise  # the task's own
            self._slots.count("late")
            raise DeadlineExceededError(f"a task of the pool {self._name} took longer than {deadline_seconds:g} s") from None

    async def _run(self, content: tuple[Any, ...]) -> Any:
        self._next_task += 1
        task = self._next_task
        message = frame(task, content)
        worker = await self._worker()
        try:
            went_well, value = await worker.call(task, message)
        except WorkerDiedError:
            await self._discard(worker)
            self._slots.count("died")
            reason = "POOL_STOPPED" if self._slots.stopped else "WORKER_DIED"
            raise UnavailableError(f"a worker of the pool {self._name} ended in the middle of a task", reason=reason) from None
        except BaseException:  # the deadline, or a caller that gave up: the worker is in the middle of something
            await asyncio.shield(self._discard(worker))
            raise
        self._idle.append(worker)
        self._slots.count("done" if went_well else "failed")
        if not went_well:
            raise value
        return value

    async def _worker(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            await self._discard(worker)
        worker = await _Worker.start()
        self._all.add(worker)
        return worker

    async def _discard(self, worker: _Worker) -> None:
        self._all.discard(worker)
        if not self._slots.stopped:
            self._slots.replaced()
            log.warning("worker_replaced", pool=self._name)
        await worker.kill()

    async def stop(self) -> None:
        """See `Pool.stop`; workers are killed and their tasks fail with `POOL_STOPPED`."""
        self._slots.stop()
        workers, self._all, self._idle = list(self._all), set(), []
        await asyncio.gather(*(worker.kill() for worker in workers))
