"""Targets that come from files and URLs, and go again."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from services.metrics.domain.scrape.discovery import JobRunner
from tests.support.scrape import Scraper, a_job, page, scraping, serving
from tests.support.waiting import until


@pytest.fixture
async def scraper() -> AsyncIterator[Scraper]:
    async with scraping() as made:
        yield made


class Running:
    """A runner in a task of its own."""

    def __init__(self, scraper: Scraper, runner: JobRunner) -> None:
        self._scraper = scraper
        self.runner = runner
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await self.runner.begin()
        await self.runner.run()

    async def reaches(self, condition: Callable[[], bool]) -> None:
        """Let time go by until something holds."""

        async def holds() -> bool:
            await self._scraper.clock.advance(1.0)
            return condition()

        await until(holds, seconds=20, every=0.01)

    def instances(self) -> list[str]:
        return [dict(loop.target.labels)["instance"] for loop in self.runner.loops]

    async def stop(self, ended: bool = True) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.runner.stop(ended=ended)


async def test_files_are_read_again_when_they_change(scraper: Scraper, tmp_path: Path) -> None:
    config = {"file_sd_configs": [{"files": [str(tmp_path / "*.json"), str(tmp_path / "*.yml")]}], "scrape_interval": "1h"}
    (tmp_path / "a.json").write_text(json.dumps([{"targets": ["a:1", "b:1"], "labels": {"role": "web"}}]))
    running = Running(scraper, scraper.runner(a_job(**config)))
    await running.reaches(lambda: running.instances() == ["a:1", "b:1"])
    kept = running.runner.loops[0]
    assert dict(kept.target.labels) == {"instance": "a:1", "job": "test", "role": "web"}

    (tmp_path / "b.yml").write_text("- targets: ['c:1']\n")
    await running.reaches(lambda: running.instances() == ["a:1", "b:1", "c:1"])
    assert running.runner.loops[0] is kept, "those that stay are not disturbed"

    (tmp_path / "a.json").write_text('[{"targets": ["a:1"')
    (tmp_path / "b.yml").write_text("- targets: ['d:1']\n")
    await running.reaches(lambda: running.instances() == ["a:1", "b:1", "d:1"])
    assert str(tmp_path / "a.json") in running.runner.error

    (tmp_path / "a.json").write_text("[]")
    await running.reaches(lambda: running.instances() == ["d:1"])
    assert running.runner.error == ""
    (tmp_path / "b.yml").unlink()
    await running.reaches(lambda: running.instances() == [])
    await running.stop()


async def test_a_url_lists_targets_and_may_be_away_for_a_while(scraper: Scraper) -> None:
    answers: list[web.Response] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/metrics":
            return await page("a 1\n")(request)
        return answers[-1]

    def listing(*addresses: str) -> web.Response:
        return web.json_response([{"targets": list(addresses), "labels": {"__meta_zone": "z1"}}])

    async with serving(handler) as address:
        rules = [{"source_labels": ["__meta_zone"], "target_label": "zone"}, {"source_labels": ["__address__"], "regex": "no.*", "action": "drop"}]  # fmt: skip
        config = {"http_sd_configs": [{"url": f"http://{address}/list", "refresh_interval": "30s"}], "relabel_configs": rules}
        answers.append(listing(address, "no:1"))
        running = Running(scraper, scraper.runner(a_job(**config)))
        await running.reaches(lambda: running.instances() == [address])
        assert (dict(running.runner.loops[0].target.labels)["zone"], running.runner.dropped) == ("z1", 1)

        async def is_scraped() -> bool:
            await scraper.clock.advance(1.0)
            return bool(await scraper.query('a{zone="z1"}'))

        await until(is_scraped, seconds=20, every=0.01)
        answers.append(web.Response(status=503))
        await running.reaches(lambda: running.runner.error == "it answered with status 503")
        assert running.instances() == [address]
        answers.append(listing())
        await running.reaches(lambda: running.instances() == [])
        await scraper.clock.advance(1.0)
        assert await scraper.query('{job="test"}') == {}, "everything of a target that is gone ends at once"
        await running.stop()


async def test_too_many_targets_are_none(scraper: Scraper) -> None:
    running = Running(scraper, scraper.runner(a_job(static_configs=[{"targets": ["a:1", "b:1"]}], target_limit=1)))
    await running.reaches(lambda: running.runner.error != "")
    assert running.instances() == []
    assert running.runner.error == "there are 2 targets, and target_limit is 1; none is scraped"
    await running.stop()


async def test_when_the_service_stops_series_do_not_end(scraper: Scraper) -> None:
    async with serving(page("a 1\n")) as address:
        running = Running(scraper, scraper.runner(a_job(static_configs=[{"targets": [address]}])))

        async def is_scraped() -> bool:
            await scraper.clock.advance(1.0)
            return await scraper.value("a") == 1.0

        await until(is_scraped, seconds=20, every=0.01)
        await running.stop(ended=False)
        await scraper.clock.advance(60.0)
        assert await scraper.value("a") == 1.0
