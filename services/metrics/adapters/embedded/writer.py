"""The one thread that writes, and group commit: all batches that wait are made durable by one fsync."""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from services.common.errors import InternalError, OpenManagerError, ResourceExhaustedError
from services.metrics.adapters.embedded.engine import Batch, Engine
from services.metrics.domain.ports import Receipt

log = structlog.get_logger("metrics.store")

T = TypeVar("T")

_GROUP_SAMPLES: Final = 1_000_000
"""Samples that go into one transaction at most."""


@dataclass(frozen=True, slots=True)
class _Append:
    batch: Batch
    done: "Future[Receipt]"


@dataclass(frozen=True, slots=True)
class _Call:
    run: Callable[[], None]


class Writer:
    """Runs the engine on its thread and hands results back to the event loop."""

    def __init__(self, engine: Engine, pending_samples: int) -> None:
        self._engine = engine
        self._limit = pending_samples
        self._pending = 0
        self._jobs: queue.SimpleQueue[_Append | _Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="metrics-writer", daemon=True)
        self._thread.start()

    async def append(self, batch: Batch) -> Receipt:
        """Store a batch; durable on return. A caller that gives up cannot take it back.

        Raises:
            ResourceExhaustedError: too much is waiting already (`STORE_BUSY`).
            UnavailableError: nothing of it was stored (`STORE_WRITE_FAILED`).
        """
        samples = len(batch.columns)
        if self._pending and self._pending + samples > self._limit:
            message = f"{self._pending} samples are waiting to be stored; send again a little later"
            raise ResourceExhaustedError(message, reason="STORE_BUSY", retry_after_seconds=1.0)
        self._pending += samples
        try:
            done: Future[Receipt] = Future()
            self._jobs.put(_Append(batch, done))
            return await asyncio.wrap_future(done)
        finally:
            self._pending -= samples

    async def call(self, function: Callable[[], T]) -> T:
        """Run something on the writer thread, after what is waiting already."""
        done: Future[T] = Future()

        def run() -> None:
            if done.set_running_or_notify_cancel():
                try:
                    done.set_result(function())
                except Exception as error:
                    if not isinstance(error, OpenManagerError):
                        log.error("writer_call_failed", error=repr(error), exc_info=error)
                    done.set_exception(error)

        self._jobs.put(_Call(run))
        return await asyncio.wrap_future(done)

    async def stop(self) -> None:
        """Finish what is waiting and end the thread; nothing may be put in afterwards."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        waiting: deque[_Append | _Call | None] = deque()
        while True:
            if not waiting:
                waiting.append(self._jobs.get())
            with suppress(queue.Empty):
                while True:
                    waiting.append(self._jobs.get_nowait())
            job = waiting.popleft()
            if job is None:
                break
            if isinstance(job, _Call):
                job.run()
                continue
            group = [job]
            samples = len(job.batch.columns)
            while waiting and isinstance(job := waiting[0], _Append) and samples + len(job.batch.columns) <= _GROUP_SAMPLES:
                samples += len(job.batch.columns)
                group.append(job)
                waiting.popleft()
            self._commit([job for job in group if job.done.set_running_or_notify_cancel()])

    def _commit(self, group: list[_Append]) -> None:
        if not group:
            return
        try:
            answers = self._engine.commit([job.batch for job in group])
        except Exception as error:
            if not isinstance(error, OpenManagerError):
                log.error("commit_failed", error=repr(error), exc_info=error)
                error = InternalError("the batch could not be stored; see the log")
            for job in group:
                job.done.set_exception(error)
            return
        for job, answer in zip(group, answers, strict=True):
            if isinstance(answer, Receipt):
                job.done.set_result(answer)
            else:
                job.done.set_exception(answer)
        try:
            self._engine.seal_if_due(max(job.batch.now_ms for job in group))
        except Exception as error:
            log.error("seal_failed", error=repr(error), exc_info=error)
