"""Everything that changes InfluxDB, one after the other; batches that wait together are written together.

One write at a time keeps the rule that the first of two samples at one time stays: what is held is known when the next is judged.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from services.common.errors import InternalError, OpenManagerError, ResourceExhaustedError
from services.metrics.domain.ports import Columns, Receipt, WriteMode

log = structlog.get_logger("metrics.store")

T = TypeVar("T")
_RETRY_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples that somebody waits for."""

    columns: Columns
    mode: WriteMode
    now_ms: int


@dataclass(frozen=True, slots=True)
class _Append:
    batch: Batch
    done: "asyncio.Future[Receipt]"


@dataclass(frozen=True, slots=True)
class _Call:
    run: Callable[[], Awaitable[None]]


class GroupWriter:
    """Runs its jobs on a task of its own, so that a caller that gives up leaves no write half done.

    Args:
        commit: stores batches and gives the receipt of each.
        group_samples: in one commit at most, unless one batch has more.
        pending_samples: may wait.
    """

    def __init__(
        self, commit: Callable[[Sequence[Batch]], Awaitable[list[Receipt]]], group_samples: int, pending_samples: int
    ) -> None:
        self._commit = commit
        self._group_samples = group_samples
        self._limit = pending_samples
        self._jobs: deque[_Append | _Call] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self.pending = 0
        self._task = asyncio.create_task(self._run(), name="metrics.influxdb-writer")

    async def append(self, batch: Batch) -> Receipt:
        """Store a batch.

        Raises:
            ResourceExhaustedError: too much is waiting already (`STORE_BUSY`).
            UnavailableError: it is not known to be stored.
        """
        samples = len(batch.columns)
        if self.pending and self.pending + samples > self._limit:
            message = f"{self.pending} samples are waiting to be stored; send again a little later"
            raise ResourceExhaustedError(message, reason="STORE_BUSY", retry_after_seconds=_RETRY_AFTER_SECONDS)
        job = _Append(batch, asyncio.get_running_loop().create_future())
        self._put(job)
        self.pending += samples
        return await asyncio.shield(job.done)

    async def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run something after what is waiting already."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                result = await function()
            except OpenManagerError as error:
                _fail(done, error)
            except Exception as error:
                log.error("influxdb_call_failed", error=repr(error), exc_info=error)
                _fail(done, InternalError("the request could not be carried out; see the log"))
            else:
                done.set_result(result)

        self._put(_Call(run))
        return await asyncio.shield(done)

    async def stop(self) -> None:
        """Finish what is waiting; nothing may be put in afterwards."""
        self._stopping = True
        self._wake.set()
        await asyncio.wait([self._task])

    def _put(self, job: _Append | _Call) -> None:
        self._jobs.append(job)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            if not self._jobs:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            job = self._jobs.popleft()
            if isinstance(job, _Call):
                await job.run()
            else:
                await self._store(self._group(job))

    def _group(self, first: _Append) -> list[_Append]:
        group = [first]
        samples = len(first.batch.columns)
        while self._jobs and isinstance(job := self._jobs[0], _Append):
            samples += len(job.batch.columns)
            if samples > self._group_samples:
                break
            group.append(job)
            self._jobs.popleft()
        return group

    async def _store(self, group: list[_Append]) -> None:
        try:
            receipts = await self._commit([job.batch for job in group])
        except OpenManagerError as error:
            for job in group:
                _fail(job.done, error)
        except Exception as error:
            log.error("influxdb_commit_failed", error=repr(error), exc_info=error)
            for job in group:
                _fail(job.done, InternalError("the batch could not be stored; see the log"))
        else:
            for job, receipt in zip(group, receipts, strict=True):
                job.done.set_result(receipt)
        finally:
            self.pending -= sum(len(job.batch.columns) for job in group)


def _fail(done: "asyncio.Future[T]", error: OpenManagerError) -> None:
    done.set_exception(error)
    done.exception()  # retrieved here, for whoever waited may have given up
