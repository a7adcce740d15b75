"""Puts scraping together."""

import asyncio
from functools import partial
from typing import Final

from services.common.clock import Clock
from services.common.ids import new_id
from services.common.lifecycle import Lifecycle
from services.common.telemetry import Telemetry
from services.metrics.adapters.scrape.config_file import ConfigFile
from services.metrics.adapters.scrape.groups import GroupFinder
from services.metrics.adapters.scrape.http import Fetcher
from services.metrics.adapters.scrape.job_store import Database, SqlJobStore
from services.metrics.adapters.scrape.pages import HttpPages
from services.metrics.domain.ports import SampleStore
from services.metrics.domain.scrape.catalogue import ScrapeCatalogue
from services.metrics.domain.scrape.discovery import JobRunner
from services.metrics.domain.scrape.job import ScrapeJob
from services.metrics.domain.scrape.loop import ScrapeTools, TargetLoop
from services.metrics.domain.scrape.paths import FilePaths
from services.metrics.domain.scrape.series import TargetSeries
from services.metrics.domain.scrape.target import Target, TargetState
from services.metrics.domain.write import SampleWriter
from services.metrics.settings import MetricsSettings

_STOP_SECONDS: Final = 10.0
_HELD_BODIES: Final = 4
"""Bodies of the largest size that may be on their way at one time; many more of the usual size."""


async def start_scraping(
    settings: MetricsSettings, lifecycle: Lifecycle, store: SampleStore, writer: SampleWriter, telemetry: Telemetry, clock: Clock
) -> ScrapeCatalogue:
    """Everything that is scraped, started: database → catalogue → runners → loops → writer.

    Raises:
        OpenManagerError: the database or the configuration file cannot be used.
    """
    folder = settings.data_dir / "metrics"
    database = Database(settings.database_url.get_secret_value() if settings.database_url else None, folder)
    await database.open()
    lifecycle.on_stop("database", database.close)
    fetcher = Fetcher(settings.scrape_max_body_bytes, _HELD_BODIES * settings.scrape_max_body_bytes)
    fetcher.open()
    lifecycle.on_stop("scrape connections", fetcher.close)
    scrapes = telemetry.counter("metrics_scrapes_total", "Scrapes by how they went.", ("outcome",))
    seconds = telemetry.histogram("metrics_scrape_seconds", "Time of scrapes, from the request to the last sample read.")

    def observe(up: bool, took: float) -> None:
        scrapes.labels("up" if up else "down").inc()
        seconds.observe(took)

    pages, groups = HttpPages(fetcher), GroupFinder(fetcher)
    tools = ScrapeTools(pages, clock, asyncio.Semaphore(settings.scrape_max_concurrent), observe=observe)

    def make_loop(target: Target) -> TargetLoop:
        return TargetLoop(target, TargetSeries(target, store, writer), tools)

    def make_runner(job: ScrapeJob) -> JobRunner:
        return JobRunner(job, groups, make_loop, tools)

    files = (settings.scrape_files_dir or folder / "scrape").absolute()
    paths = FilePaths(files, only_below=True)
    catalogue = ScrapeCatalogue(SqlJobStore(database), make_runner, paths, clock, new_id)
    lifecycle.on_stop("scraping", catalogue.close, _STOP_SECONDS)
    await catalogue.load()
    if settings.scrape_config is not None:
        file = ConfigFile(settings.scrape_config, catalogue.use_file, clock)
        await file.begin()
        lifecycle.spawn("scrape configuration", file.follow())
    targets = telemetry.gauge("metrics_scrape_targets", "Targets by whether they answer.", ("state",))
    for state in TargetState:
        targets.labels(state.value).set_function(partial(catalogue.targets, state))
    return catalogue
