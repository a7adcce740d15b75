"""The jobs there are: those made through the API, which are kept, and those of the configuration file."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import structlog

from services.common.clock import Clock
from services.common.errors import AlreadyExistsError, FieldError, InvalidArgumentError, NotFoundError, RefusedError
from services.common.ids import IdSource
from services.metrics.domain.scrape.configuration import read_job, refuse
from services.metrics.domain.scrape.discovery import JobRunner
from services.metrics.domain.scrape.job import ScrapeJob
from services.metrics.domain.scrape.paths import FilePaths
from services.metrics.domain.scrape.ports import JobStore, KeptJob
from services.metrics.domain.scrape.prometheus_file import ScrapeFile, read_scrape_file
from services.metrics.domain.scrape.secrets import masked, unmasked
from services.metrics.domain.scrape.target import Target, TargetHealth, TargetState

log = structlog.get_logger("metrics.scrape")

MAX_JOBS: Final = 10_000
_FILE_ID: Final = "file:"


class JobSource(StrEnum):
    """Where a job comes from."""

    API = "api"
    FILE = "file"


@dataclass(frozen=True)
class JobView:
    """A job as it may be shown.

    Attributes:
        config: its configuration, secrets masked.
        created_at: Unix seconds; None for a job of the file.
        updated_at: Unix seconds; None for a job of the file.
        error: what is wrong with finding its targets; empty when nothing is.
        dropped: addresses that its rules drop.
        targets: what it scrapes, and how that went.
    """

    id: str
    name: str
    source: JobSource
    config: Mapping[str, Any]
    created_at: float | None
    updated_at: float | None
    error: str
    dropped: int
    targets: Sequence[tuple[Target, TargetHealth]]


@dataclass(frozen=True)
class Imported:
    """What an import did: the jobs it made or replaced, how many were new, and the sections that it let be."""

    jobs: Sequence[JobView]
    created: int
    ignored: Sequence[str]


@dataclass
class _Entry:
    config: Mapping[str, Any]
    kept: KeptJob | None
    runner: JobRunner | None
    task: asyncio.Task[None] | None
    error: str = ""


class ScrapeCatalogue:
    """Every job, and the loops that scrape its targets.

    Args:
        store: keeps the jobs of the API.
        make_runner: makes what runs a job.
        paths: which files a job of the API may name.
        clock: gives the times of changes.
        new_id: names new jobs.
    """

    def __init__(
        self, store: JobStore, make_runner: Callable[[ScrapeJob], JobRunner], paths: FilePaths, clock: Clock, new_id: IdSource
    ) -> None:
        self._store = store
        self._make_runner = make_runner
        self._paths = paths
        self._clock = clock
        self._new_id = new_id
        self._entries: dict[str, _Entry] = {}
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Take up the jobs that are kept."""
        for kept in await self._store.list():
            entry = self._entries[kept.id] = _Entry(kept.config, kept, None, None)
            try:
                job = self._job(kept.config)
            except InvalidArgumentError as error:  # made by another release, or with another folder of files
                log.error("job_not_scraped", job=kept.name, error=error.message)
                entry.error = error.message
            else:
                await self._start(entry, job)

    async def close(self) -> None:
        """Stop all loops; series are not marked as ended, for the next start goes on with them."""
        async with self._lock:
            for entry in self._entries.values():
                await _stop(entry, ended=False)

    async def use_file(self, file: ScrapeFile) -> None:
        """Make the jobs of the configuration file these; those that have not changed go on undisturbed."""
        async with self._lock:
            wanted = {f"{_FILE_ID}{job.name}": (config, job) for config, job in file.jobs}
            for job_id in [job_id for job_id in self._entries if job_id.startswith(_FILE_ID)]:
                runner = self._entries[job_id].runner
                if job_id not in wanted or runner is None or runner.job != wanted[job_id][1]:
                    await _stop(self._entries.pop(job_id), ended=True)
            for job_id, (config, job) in wanted.items():
                if job_id not in self._entries:
                    entry = self._entries[job_id] = _Entry(config, None, None, None)
                    await self._start(entry, job)

    def jobs(self) -> list[JobView]:
        """All jobs, ascending by name, those of the file first where names are alike."""
        return sorted(map(self._view, self._entries), key=lambda view: (view.name, view.id))

    def targets(self, state: TargetState) -> int:
        """How many targets are in a state."""
        loops = (loop for entry in self._entries.values() if entry.runner for loop in entry.runner.loops)
        return sum(loop.health.state is state for loop in loops)

    def get(self, job_id: str) -> JobView:
        """One job.

        Raises:
            NotFoundError: there is none of this id.
        """
        self._found(job_id)
        return self._view(job_id)

    async def create(self, config: Mapping[str, Any]) -> JobView:
        """Make a job; durable on return.

        Raises:
            InvalidArgumentError: the configuration cannot be used (`INVALID_SCRAPE_CONFIG`).
            AlreadyExistsError: there is a job of this name.
        """
        async with self._lock:
            config = unmasked(config, {})
            job = self._job(config)
            self._check_room(1)
            if any(self._name(entry) == job.name for entry in self._entries.values()):
                raise AlreadyExistsError(f"there is a job named {job.name!r} already", reason="TARGET_EXISTS")
            now = self._clock.now()
            kept = KeptJob(self._new_id(), job.name, config, now, now)
            await self._replace([(kept, job)])
            return self._view(kept.id)

    async def update(self, job_id: str, config: Mapping[str, Any]) -> JobView:
        """Replace a job; a masked secret stays as it was. Durable on return.

        Raises:
            NotFoundError: there is none of this id.
            RefusedError: it is of the configuration file (`TARGET_OF_FILE`).
            InvalidArgumentError: the configuration cannot be used (`INVALID_SCRAPE_CONFIG`).
            AlreadyExistsError: another job has this name.
        """
        async with self._lock:
            before = self._changeable(job_id)
            config = unmasked(config, before.config)
            job = self._job(config)
            others = (entry for other_id, entry in self._entries.items() if other_id != job_id)
            if any(self._name(entry) == job.name for entry in others):
                raise AlreadyExistsError(f"there is another job named {job.name!r}", reason="TARGET_EXISTS")
            await self._replace([(KeptJob(job_id, job.name, config, before.created_at, self._clock.now()), job)])
            return self._view(job_id)

    async def delete(self, job_id: str) -> None:
        """Forget a job and mark the series of its targets as ended.

        Raises:
            NotFoundError: there is none of this id.
            RefusedError: it is of the configuration file (`TARGET_OF_FILE`).
        """
        async with self._lock:
            self._changeable(job_id)
            await self._store.delete(job_id)
            await _stop(self._entries.pop(job_id), ended=True)

    async def import_file(self, document: object) -> Imported:
        """Make the jobs of a whole configuration of Prometheus, all or none; a job of the same name is replaced.

        Raises:
            InvalidArgumentError: with everything that is wrong or not supported (`INVALID_SCRAPE_CONFIG`).
            RefusedError: a job of the same name is of the configuration file (`TARGET_OF_FILE`).
        """
        async with self._lock:
            file = read_scrape_file(document, self._paths)
            by_name = {self._name(entry): job_id for job_id, entry in self._entries.items()}
            now = self._clock.now()
            jobs: list[tuple[KeptJob, ScrapeJob]] = []
            created = 0
            for given, job in file.jobs:
                before = self._changeable(by_name[job.name]) if job.name in by_name else None
                config = unmasked(given, before.config if before else {})
                kept = KeptJob(before.id if before else self._new_id(), job.name, config, before.created_at if before else now, now)
                jobs.append((kept, self._job(config)))
                created += before is None
            self._check_room(created)
            await self._replace(jobs)
            return Imported([self._view(kept.id) for kept, _ in jobs], created, file.ignored)

    async def _replace(self, jobs: Sequence[tuple[KeptJob, ScrapeJob]]) -> None:
        await self._store.put([kept for kept, _ in jobs])
        for kept, job in jobs:
            before = self._entries.get(kept.id)
            if before is not None and before.runner is not None and before.runner.job == job:
                before.config, before.kept = kept.config, kept
                continue
            if before is not None:
                await _stop(before, ended=True)
            entry = self._entries[kept.id] = _Entry(kept.config, kept, None, None)
            await self._start(entry, job)

    def _job(self, config: Mapping[str, Any]) -> ScrapeJob:
        problems: list[FieldError] = []
        job = self._paths.resolved(read_job(config, "", problems), problems)
        refuse(problems)
        return job

    async def _start(self, entry: _Entry, job: ScrapeJob) -> None:
        entry.runner = self._make_runner(job)
        await entry.runner.begin()
        # In a context of its own: the request that makes a job is over long before the job is.
        entry.task = asyncio.create_task(entry.runner.run(), name=f"metrics.scrape.job.{job.name}", context=Context())
        entry.task.add_done_callback(lambda task: _watch_end(entry, task))

    def _check_room(self, more: int) -> None:
        if len(self._entries) + more > MAX_JOBS:
            raise RefusedError(f"there are {len(self._entries)} jobs, and at most {MAX_JOBS} are taken", reason="TOO_MANY_TARGETS")

    def _found(self, job_id: str) -> _Entry:
        entry = self._entries.get(job_id)
        if entry is None:
            raise NotFoundError(f"there is no target {job_id[:100]!r}", reason="TARGET_NOT_FOUND")
        return entry

    def _changeable(self, job_id: str) -> KeptJob:
        kept = self._found(job_id).kept
        if kept is None:
            message = f"{job_id[:100]!r} is of the configuration file of this service; change it there"
            raise RefusedError(message, reason="TARGET_OF_FILE")
        return kept

    def _name(self, entry: _Entry) -> str:
        return entry.kept.name if entry.kept else str(entry.config["job_name"])

    def _view(self, job_id: str) -> JobView:
        entry = self._entries[job_id]
        kept, runner = entry.kept, entry.runner
        return JobView(
            id=job_id,
            name=self._name(entry),
            source=JobSource.API if kept else JobSource.FILE,
            config=masked(entry.config),
            created_at=kept.created_at if kept else None,
            updated_at=kept.updated_at if kept else None,
            error=entry.error or (runner.error if runner else ""),
            dropped=runner.dropped if runner else 0,
            targets=[(loop.target, loop.health) for loop in runner.loops] if runner else [],
        )


async def _stop(entry: _Entry, *, ended: bool) -> None:
    if entry.task is not None:
        entry.task.cancel()
        await asyncio.wait([entry.task])
    if entry.runner is not None:
        await entry.runner.stop(ended=ended)


def _watch_end(entry: _Entry, task: asyncio.Task[None]) -> None:
    """Finding targets ends by being cancelled; any other end is a bug, which costs this job alone and is told."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("job_failed", error=repr(error), exc_info=error)
        entry.error = "an internal error; the log tells more"
