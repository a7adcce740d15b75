"""`/api/v1/targets` over the real catalogue of scrape jobs."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path, PurePath
from typing import Any

import pytest

from openmanager.metrics.v1 import scrape_pb2_grpc
from services.all_in_one.commands.client import GatewayClient, GatewayError
from services.all_in_one.commands.targets import import_prometheus
from services.gateway.web.schemas.targets import TargetJob, TargetList, TargetsImported
from services.metrics.domain.scrape.catalogue import ScrapeCatalogue
from services.metrics.domain.scrape.paths import FilePaths
from services.metrics.domain.scrape.ports import KeptJob
from services.metrics.scrape_servicer import ScrapeServicer
from tests.support.gateway import TOKEN, RunningGateway, running_gateway
from tests.support.gateway_peers import Peers
from tests.support.scrape import Scraper, page, scraping, serving
from tests.support.waiting import until

JOB = {
    "job_name": "node",
    "scrape_interval": "15s",
    "static_configs": [{"targets": ["web-01:9100"], "labels": {"role": "web"}}],
    "basic_auth": {"username": "me", "password": "s3cret"},
}
FILE = "rule_files: [x]\nscrape_configs:\n- job_name: node\n  static_configs: [{targets: ['a:1', 'b:1']}]\n"


class MemoryJobs:
    """Implements `JobStore`."""

    def __init__(self) -> None:
        self.jobs: dict[str, KeptJob] = {}

    async def list(self) -> Sequence[KeptJob]:
        return sorted(self.jobs.values(), key=lambda job: job.name)

    async def put(self, jobs: Sequence[KeptJob]) -> None:
        self.jobs |= {job.id: job for job in jobs}

    async def delete(self, job_id: str) -> bool:
        return self.jobs.pop(job_id, None) is not None


class ScrapingPeers(Peers):
    """The services, with the real thing for scraping."""

    def __init__(self, scraper: Scraper) -> None:
        super().__init__()
        numbers = itertools.count(1)
        paths = FilePaths(PurePath("/nowhere"), only_below=True)
        self.catalogue = ScrapeCatalogue(MemoryJobs(), scraper.runner, paths, scraper.clock, lambda: f"job-{next(numbers)}")

    def registrations(self) -> dict[str, Callable[[Any], None]]:
        found = super().registrations()
        add_metrics = found["metrics"]

        def add(server: Any) -> None:
            add_metrics(server)
            scrape_pb2_grpc.add_ScrapeServiceServicer_to_server(ScrapeServicer(self.catalogue), server)

        return found | {"metrics": add}


@pytest.fixture
async def scraper() -> AsyncIterator[Scraper]:
    async with scraping() as made:
        yield made


@pytest.fixture
async def api(scraper: Scraper, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    peers = ScrapingPeers(scraper)
    async with running_gateway(tmp_path, peers=peers, clock=scraper.clock) as gateway:
        yield gateway
        await peers.catalogue.close()


async def test_a_job_from_its_making_to_its_end(api: RunningGateway) -> None:
    made = await api("POST", "/api/v1/targets", JOB)
    assert (made.status, made.headers["location"]) == (201, "/api/v1/targets/job-1")
    TargetJob.model_validate(made.json)
    assert made.json["config"]["basic_auth"] == {"username": "me", "password": "********"}
    (target,) = made.json["targets"]
    assert target == {
        "url": "http://web-01:9100/metrics", "labels": {"instance": "web-01:9100", "job": "node", "role": "web", "server": "web-01"},
        "state": "unknown", "last_scrape_at": None, "duration_seconds": None, "samples": 0, "last_error": None,
    }  # fmt: skip
    listed = await api("GET", "/api/v1/targets")
    TargetList.model_validate(listed.json)
    assert listed.json["items"] == [made.json]
    changed = await api("PUT", "/api/v1/targets/job-1", made.json["config"] | {"scrape_interval": 5})
    assert (changed.status, changed.json["config"]["scrape_interval"]) == (200, 5.0)
    assert (await api("GET", "/api/v1/targets/job-1")).json == changed.json
    assert (await api("DELETE", "/api/v1/targets/job-1")).status == 204
    for method in ("GET", "DELETE"):
        gone = await api(method, "/api/v1/targets/job-1")
        assert (gone.status, gone.json["reason"]) == (404, "TARGET_NOT_FOUND")


async def test_the_list_tells_how_each_target_is(api: RunningGateway, scraper: Scraper) -> None:
    async with serving(page("a 1\nb 2\n")) as address:
        job = {"job_name": "j", "scrape_interval": "5s", "static_configs": [{"targets": [address, "127.0.0.1:1"]}]}
        assert (await api("POST", "/api/v1/targets", job)).status == 201

        async def states() -> dict[str, Any] | None:
            await scraper.clock.advance(1.0)
            targets = (await api("GET", "/api/v1/targets")).json["items"][0]["targets"]
            found = {target["labels"]["instance"]: target for target in targets}
            return found if all(target["state"] != "unknown" for target in targets) else None

        found = await until(states, seconds=20, every=0.01)
    assert (found[address]["state"], found[address]["samples"], found[address]["last_error"]) == ("up", 2, None)
    assert (found["127.0.0.1:1"]["state"], found["127.0.0.1:1"]["samples"]) == ("down", 0)
    assert found["127.0.0.1:1"]["last_error"].startswith("no connection")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        (JOB | {"oauth2": {}}, 400),
        (JOB | {"scrape_interval": "soon"}, 400),
        (JOB | {"static_configs": [{"targets": ["http://x/"]}]}, 400),
        (JOB | {"basic_auth": {"password_file": "/etc/shadow"}}, 400),
        (JOB | {"relabel_configs": [{"regex": "("}]}, 400),
    ],
)
async def test_a_job_that_cannot_be_is_refused_with_its_fields(api: RunningGateway, body: dict[str, Any], status: int) -> None:
    answer = await api("POST", "/api/v1/targets", body)
    assert (answer.status, bool(answer.json["errors"])) == (status, True)
    assert (await api("GET", "/api/v1/targets")).json["items"] == []


async def test_two_jobs_of_one_name_conflict(api: RunningGateway) -> None:
    assert (await api("POST", "/api/v1/targets", JOB)).status == 201
    again = await api("POST", "/api/v1/targets", JOB)
    assert (again.status, again.json["reason"]) == (409, "TARGET_EXISTS")


async def test_nobody_without_a_token_sees_or_changes_targets(api: RunningGateway) -> None:
    for method, path in (
        ("GET", "/api/v1/targets"),
        ("POST", "/api/v1/targets"),
        ("POST", "/api/v1/targets/import"),
        ("DELETE", "/api/v1/targets/x"),
    ):
        assert (await api(method, path, token=None)).status == 401


async def test_a_prometheus_yml_is_imported_by_url_and_by_command(api: RunningGateway, tmp_path: Path) -> None:
    first = await api("POST", "/api/v1/targets/import", body=FILE.encode(), headers={"Content-Type": "application/yaml"})
    assert first.status == 200
    TargetsImported.model_validate(first.json)
    assert (first.json["created"], first.json["updated"], first.json["ignored"]) == (1, 0, ["rule_files"])
    file = tmp_path / "prometheus.yml"
    file.write_text(FILE)
    async with GatewayClient(api.url, TOKEN) as client:
        assert (
            await import_prometheus(client, file)
            == "0 jobs made, 1 replaced\n  node: 2 targets\nnot about scraping, and let be: rule_files"
        )
        file.write_text(FILE + "  oauth2: {}\n  consul_sd_configs: []\n")
        with pytest.raises(GatewayError, match=r"(?s)oauth2: is not supported.*consul_sd_configs: is a discovery"):
            await import_prometheus(client, file)
