"""Targets on loopback, and a scraper over a store in memory whose clock is moved by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
from aiohttp import web

from services.common.clock import ManualClock
from services.common.errors import FieldError
from services.metrics.adapters.memory import MemoryStore
from services.metrics.adapters.scrape.groups import GroupFinder
from services.metrics.adapters.scrape.http import Fetcher
from services.metrics.adapters.scrape.pages import HttpPages
from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import StoreLimits
from services.metrics.domain.promql import Vector, evaluate_instant
from services.metrics.domain.scrape.configuration import read_job, refuse
from services.metrics.domain.scrape.discovery import JobRunner
from services.metrics.domain.scrape.job import ScrapeJob
from services.metrics.domain.scrape.loop import ScrapeTools, TargetLoop
from services.metrics.domain.scrape.series import STALE, TargetSeries
from services.metrics.domain.scrape.target import Target, make_target
from services.metrics.domain.write import SampleWriter

NOW = 1_700_000_000.0
MAX_BODY_BYTES = 2 * 2**20
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def a_job(**config: Any) -> ScrapeJob:
    """A job from the fields of a scrape_config."""
    problems: list[FieldError] = []
    job = read_job({"job_name": "test", **config}, "", problems)
    refuse(problems)
    return job


def the_target(job: ScrapeJob, address: str, **labels: str) -> Target:
    """The target at an address."""
    target = make_target(job, address, labels)
    assert target is not None
    return target


@contextlib.asynccontextmanager
async def serving(handler: Handler, ssl_context: Any = None) -> AsyncIterator[str]:
    """A server on a free port that gives every path to the handler; `host:port`."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def page(text: str, **options: Any) -> Handler:
    """A handler that answers with a page."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4"}, **options)

    return handler


class Scraper:
    """What scrapes in the tests."""

    def __init__(self, limits: StoreLimits | None = None) -> None:
        self.clock = ManualClock(NOW)
        self.store = MemoryStore(limits)
        self.writer = SampleWriter(self.store, Feed(0), self.clock, lambda *_: None)
        self.fetcher = Fetcher(MAX_BODY_BYTES, 4 * MAX_BODY_BYTES)
        self.tools = ScrapeTools(HttpPages(self.fetcher), self.clock, asyncio.Semaphore(100))

    def loop(self, target: Target) -> TargetLoop:
        return TargetLoop(target, TargetSeries(target, self.store, self.writer), self.tools)

    def runner(self, job: ScrapeJob) -> JobRunner:
        return JobRunner(job, GroupFinder(self.fetcher), self.loop, self.tools)

    async def scrape(self, loop: TargetLoop) -> None:
        """Scrape once, now."""
        await loop.scrape(self.clock.now())

    async def query(self, expr: str) -> dict[tuple[tuple[str, str], ...], float]:
        """What PromQL gives at this moment."""
        result = await evaluate_instant(expr, self.store, round(self.clock.now() * 1000))
        assert isinstance(result.value, Vector)
        return dict(zip([tuple(labels) for labels in result.value.labels], result.value.values.tolist(), strict=True))

    async def value(self, expr: str) -> float | None:
        """The one value that an expression gives; None where it gives none."""
        found = list((await self.query(expr)).values())
        assert len(found) <= 1
        return found[0] if found else None

    async def samples(self, name: str) -> list[tuple[float, float]]:
        """(seconds since the start, value) of all series of a name; a marker of staleness is -1."""
        data = await self.store.select([], 0, 2**60)
        stale = np.array([STALE]).view(np.uint64)[0]
        found = []
        for row, labels in enumerate(data.labels):
            if dict(labels)["__name__"] == name:
                for at in range(data.offsets[row], data.offsets[row + 1]):
                    value = -1.0 if data.values.view(np.uint64)[at] == stale else float(data.values[at])
                    found.append((data.timestamps_ms[at] / 1000 - NOW, value))
        return found


@contextlib.asynccontextmanager
async def scraping(limits: StoreLimits | None = None) -> AsyncIterator[Scraper]:
    """A scraper whose connections are closed at the end."""
    scraper = Scraper(limits)
    scraper.fetcher.open()
    try:
        yield scraper
    finally:
        await scraper.fetcher.close()
