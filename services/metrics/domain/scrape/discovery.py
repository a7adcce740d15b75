"""Keeps the targets of one job: finds them, and runs a loop for each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from services.metrics.domain.scrape.job import FileDiscovery, HttpDiscovery, ScrapeJob, TargetGroup
from services.metrics.domain.scrape.loop import ScrapeTools, TargetLoop
from services.metrics.domain.scrape.ports import FetchError, FoundGroups, GroupSource
from services.metrics.domain.scrape.schedule import within
from services.metrics.domain.scrape.target import Target, TargetError, TargetHealth, TargetState, make_target

log = structlog.get_logger("metrics.scrape")

FILE_POLL_SECONDS: Final = 5.0
"""Files are looked at this often, or as often as the job says where that is oftener, and read when they have changed."""
URL_TIMEOUT_SECONDS: Final = 30.0
_TargetKey = tuple[str, tuple[tuple[str, str], ...], float, float]


@dataclass(frozen=True)
class _Running:
    loop: TargetLoop
    task: asyncio.Task[None]


class JobRunner:
    """Runs one job.

    Args:
        job: what is scraped.
        groups: finds target groups.
        make_loop: makes the loop of a target.
        tools: shared by all loops.
    """

    def __init__(self, job: ScrapeJob, groups: GroupSource, make_loop: Callable[[Target], TargetLoop], tools: ScrapeTools) -> None:
        self.job = job
        self.dropped = 0
        self._groups = groups
        self._make_loop = make_loop
        self._clock = tools.clock
        self._found: dict[int, tuple[TargetGroup, ...]] = {}
        self._errors: dict[int, str] = {}
        self._running: dict[_TargetKey, _Running] = {}
        self._change = asyncio.Lock()

    @property
    def loops(self) -> Sequence[TargetLoop]:
        """The loop of each target, ascending by address."""
        return [self._running[key].loop for key in sorted(self._running)]

    @property
    def error(self) -> str:
        """What is wrong with finding the targets; empty when nothing is."""
        return "; ".join(dict.fromkeys(error for error in self._errors.values() if error))

    async def begin(self) -> None:
        """Scrape the targets that the job itself names; loops go on until `stop`."""
        await self._take(0, self.job.static)

    async def run(self) -> None:
        """Find the other targets, and scrape them, until cancelled; their loops go on until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            for number, files in enumerate(self.job.file_discoveries, start=1):
                tasks.create_task(self._follow_files(number, files))
            for number, url in enumerate(self.job.http_discoveries, start=len(self.job.file_discoveries) + 1):
                tasks.create_task(self._follow_url(number, url))
            await asyncio.Event().wait()

    async def stop(self, *, ended: bool) -> None:
        """Stop all loops.

        Args:
            ended: mark their series as ended; not when only the service stops.
        """
        async with self._change:
            await self._stop(list(self._running), ended=ended)

    async def _follow_files(self, number: int, discovery: FileDiscovery) -> None:
        wait = min(discovery.refresh_seconds, FILE_POLL_SECONDS)
        await self._follow(number, lambda: self._groups.from_files(discovery), wait)

    async def _follow_url(self, number: int, discovery: HttpDiscovery) -> None:
        async def ask() -> FoundGroups:
            try:
                return await within(self._clock, URL_TIMEOUT_SECONDS, self._groups.from_url(discovery))
            except TimeoutError:
                raise FetchError(f"{discovery.url} did not answer within {URL_TIMEOUT_SECONDS:g} s") from None

        await self._follow(number, ask, discovery.refresh_seconds)

    async def _follow(self, number: int, ask: Callable[[], Awaitable[FoundGroups]], wait_seconds: float) -> None:
        while True:
            try:
                found = await ask()
            except FetchError as error:
                # The targets of before stay: a list that is away for a while says nothing about what is on it.
                self._note(number, str(error))
            else:
                self._note(number, found.error)
                if self._found.get(number) != found.groups:
                    await self._take(number, found.groups)
            await self._clock.sleep(wait_seconds)

    def _note(self, number: int, error: str) -> None:
        if error and self._errors.get(number) != error:
            log.warning("discovery_failed", job=self.job.name, error=error)
        self._errors[number] = error

    async def _take(self, number: int, groups: tuple[TargetGroup, ...]) -> None:
        """Take what one discovery has found, and let loops begin and end accordingly."""
        self._found[number] = groups
        async with self._change:
            targets = self._targets()
            await self._stop([key for key in self._running if key not in targets], ended=True)
            for key, target in targets.items():
                if key not in self._running:
                    loop = self._make_loop(target)
                    task = asyncio.create_task(loop.run(), name=f"metrics.scrape.{self.job.name}", context=Context())
                    task.add_done_callback(partial(_watch_end, loop))
                    self._running[key] = _Running(loop, task)

    def _targets(self) -> dict[_TargetKey, Target]:
        targets: dict[_TargetKey, Target] = {}
        self.dropped, faults = 0, []
        for groups in self._found.values():
            for group in groups:
                for address in group.addresses:
                    try:
                        target = make_target(self.job, address, group.labels)
                    except TargetError as error:
                        faults.append(str(error))
                        continue
                    if target is None:
                        self.dropped += 1
                    else:
                        targets[(target.url, target.labels, target.interval_seconds, target.timeout_seconds)] = target
        limit = self.job.limits.targets
        if limit and len(targets) > limit:
            faults.append(f"there are {len(targets)} targets, and target_limit is {limit}; none is scraped")
            targets = {}
        self._errors[-1] = "; ".join(faults[:3])
        return targets

    async def _stop(self, keys: Sequence[_TargetKey], *, ended: bool) -> None:
        stopped = [self._running.pop(key) for key in keys]
        for running in stopped:
            running.task.cancel()
        if stopped:
            await asyncio.wait([running.task for running in stopped])
        if ended:
            await asyncio.gather(*(running.loop.end() for running in stopped))


def _watch_end(loop: TargetLoop, task: asyncio.Task[None]) -> None:
    """A loop ends by being cancelled; any other end is a bug, which costs this target alone and is told."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("target_failed", job=loop.target.job.name, error=repr(error), exc_info=error)
        loop.health = TargetHealth(TargetState.DOWN, loop.health.last_scrape_at, error="an internal error; the log tells more")
