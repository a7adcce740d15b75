"""Scrapes one target for as long as it is one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from services.common.clock import Clock
from services.common.errors import UnavailableError
from services.metrics.domain.scrape.labelling import LabelLimitError
from services.metrics.domain.scrape.page import PageError, PageSamples
from services.metrics.domain.scrape.ports import FetchedPage, FetchError, PageSource
from services.metrics.domain.scrape.schedule import next_due, to_its_end, within
from services.metrics.domain.scrape.series import ScrapeReport, TargetSeries
from services.metrics.domain.scrape.target import Target, TargetHealth, TargetState, offset_seconds

log = structlog.get_logger("metrics.scrape")

LOOP_CHARACTERS: Final = 128 * 1024
"""Larger pages are read in a thread, away from the event loop."""
_ALIGNED_SECONDS: Final = 0.002
"""A scrape that begins this little after it was due is given the time at which it was due: even times pack better."""


@dataclass(frozen=True)
class ScrapeTools:
    """What the loops of all targets share.

    Attributes:
        pages: fetches them.
        clock: gives times and waits.
        fetching: how many fetch at once.
        reading: how many large pages are read at once.
        observe: is told of each scrape: whether it succeeded, and its seconds.
    """

    pages: PageSource
    clock: Clock
    fetching: asyncio.Semaphore
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    observe: Callable[[bool, float], None] = lambda _up, _seconds: None


class TargetLoop:
    """Scrapes a target at its own offset within each interval.

    Args:
        target: what is scraped.
        series: reads its pages and writes them.
        tools: shared with other loops.
    """

    def __init__(self, target: Target, series: TargetSeries, tools: ScrapeTools) -> None:
        self.target = target
        self.health = TargetHealth()
        self._series = series
        self._tools = tools
        self._offset_seconds = offset_seconds(target)

    async def run(self) -> None:
        """Scrape until cancelled; a scrape that takes long makes the next ones be left out, never two at once."""
        clock, interval = self._tools.clock, self.target.interval_seconds
        due = next_due(clock.now(), self._offset_seconds, interval)
        while True:
            await clock.sleep(due - clock.now())
            async with self._tools.fetching:
                await self.scrape(due)
            now = clock.now()
            # A timer may end a little early; a clock that was set back is believed.
            due = next_due(max(now, due) if now > due - interval else now, self._offset_seconds, interval)

    async def scrape(self, due: float) -> None:
        """Scrape once, and write what came of it."""
        clock = self._tools.clock
        began, began_monotonic = clock.now(), clock.monotonic()
        samples, scraped, error = None, 0, ""
        try:
            page = await within(clock, self.target.timeout_seconds, self._tools.pages.fetch(self.target))
            samples = await self._read(page)
            scraped = len(samples.slots)
            limit = self.target.job.limits.samples
            if limit and self._series.kept(samples) > limit:
                error, samples = f"the page has {self._series.kept(samples)} samples, and sample_limit is {limit}", None
        except TimeoutError:
            error = f"the page did not come within {self.target.timeout_seconds:g} s"
        except (FetchError, PageError, LabelLimitError) as failure:
            error = str(failure)
        seconds = clock.monotonic() - began_monotonic
        report = ScrapeReport(samples is not None, seconds, scraped, self._series.kept(samples) if samples is not None else 0)
        at = due if 0.0 <= began - due <= _ALIGNED_SECONDS else began
        try:
            await to_its_end(self._series.write(samples, round(at * 1000), report))
            error = error or self._series.refusal
        except UnavailableError as failure:
            error = error or f"the samples were lost: {failure.message}"
            log.warning("scrape_lost", job=self.target.job.name, error=failure.message)
        self._tell(report, began, error)

    async def end(self) -> None:
        """Mark the series of the target as ended; it must not run any more."""
        try:
            await self._series.end(round(self._tools.clock.now() * 1000))
        except UnavailableError as failure:
            log.warning("target_end_not_written", job=self.target.job.name, error=failure.message)

    async def _read(self, page: FetchedPage) -> PageSamples:
        if len(page.text) <= LOOP_CHARACTERS:
            return self._series.read(page.text, openmetrics=page.openmetrics)
        async with self._tools.reading:
            # To its end even when cancelled: a thread cannot be stopped, and nothing else may touch the series meanwhile.
            return await to_its_end(asyncio.to_thread(self._series.read, page.text, openmetrics=page.openmetrics))

    def _tell(self, report: ScrapeReport, began: float, error: str) -> None:
        state = TargetState.UP if report.up else TargetState.DOWN
        if state is not self.health.state and (state is TargetState.DOWN or self.health.state is TargetState.DOWN):
            log.info("target_changed", job=self.target.job.name, labels=dict(self.target.labels), state=state.value, error=error)
        self.health = TargetHealth(state, began, report.duration_seconds, report.scraped, error)
        self._tools.observe(report.up, report.duration_seconds)
