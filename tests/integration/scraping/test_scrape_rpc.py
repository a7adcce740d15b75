"""Scrape jobs over RPC, on the whole metrics service."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from openmanager.metrics.v1 import scrape_pb2 as pb
from openmanager.metrics.v1.scrape_pb2_grpc import ScrapeServiceStub
from services.common.clock import ManualClock
from services.common.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    OpenManagerError,
    RefusedError,
    from_rpc_error,
)
from services.metrics.app import build
from services.metrics.settings import MetricsSettings
from tests.support.services import InProcess, in_process
from tests.support.waiting import until

PROMETHEUS = """
global: {scrape_interval: 30s, evaluation_interval: 15s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: node
    basic_auth: {username: me, password: secret}
    static_configs: [{targets: ['web-01:9100', 'web-02:9100'], labels: {role: web}}]
  - job_name: db
    scrape_interval: 5s
    static_configs: [{targets: ['db-01:9187']}]
"""


class Service:
    """The metrics service, started as often as wanted over the same folder."""

    def __init__(self, services: InProcess, folder: Path) -> None:
        self.clock = ManualClock()
        self._services = services
        self._folder = folder
        self.stub: Any = None

    async def start(self, **settings: Any) -> None:
        own = MetricsSettings(data_dir=self._folder, host_enabled=False, fleet_enabled=False, **settings)
        await self._services.start("metrics", lambda connect, telemetry: build(own, connect, telemetry, self.clock))
        self.stub = ScrapeServiceStub(self._services.channel("metrics"))

    async def stop(self) -> None:
        await self._services.stop("metrics")

    async def jobs(self) -> list[pb.ScrapeJob]:
        return list((await self.stub.ListScrapeJobs(pb.ListScrapeJobsRequest())).jobs)

    async def create(self, **config: Any) -> pb.ScrapeJob:
        job: pb.ScrapeJob = (await self.stub.CreateScrapeJob(pb.CreateScrapeJobRequest(config_json=json.dumps(config)))).job
        return job

    async def run_import(self, text: str) -> pb.ImportScrapeConfigsResponse:
        response: pb.ImportScrapeConfigsResponse = await self.stub.ImportScrapeConfigs(
            pb.ImportScrapeConfigsRequest(yaml=text.encode())
        )
        return response


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with in_process() as services:
        yield Service(services, tmp_path / "data")


async def refused(work: Any, kind: type[OpenManagerError], reason: str) -> OpenManagerError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await work
    error = from_rpc_error(failed.value)
    assert (type(error), error.reason) == (kind, reason)
    return error


async def test_a_job_lives_through_restarts_and_its_secrets_stay_inside(service: Service) -> None:
    await service.start()
    made = await service.create(
        job_name="node", static_configs=[{"targets": ["web-01:9100"]}], basic_auth={"username": "me", "password": "s3cret"}
    )
    assert [target.url for target in made.targets] == ["http://web-01:9100/metrics"]
    assert made.targets[0].state == pb.TARGET_STATE_UNKNOWN
    assert "s3cret" not in str(made)
    await refused(service.create(job_name="node"), AlreadyExistsError, "TARGET_EXISTS")

    config = json.loads(made.config_json) | {"scrape_interval": 5}
    changed = (await service.stub.UpdateScrapeJob(pb.UpdateScrapeJobRequest(id=made.id, config_json=json.dumps(config)))).job
    assert changed.created_at == made.created_at
    await service.stop()
    assert b"s3cret" in (service._folder / "metrics" / "metrics.db").read_bytes() + _wal(service), (
        "a mask leaves the secret as it was"
    )
    await service.start()
    assert [job.config_json for job in await service.jobs()] == [changed.config_json]
    assert (await service.stub.GetScrapeJob(pb.GetScrapeJobRequest(id=made.id))).job.name == "node"

    await service.stub.DeleteScrapeJob(pb.DeleteScrapeJobRequest(id=made.id))
    assert await service.jobs() == []
    for call, request in (
        (service.stub.GetScrapeJob, pb.GetScrapeJobRequest(id=made.id)),
        (service.stub.DeleteScrapeJob, pb.DeleteScrapeJobRequest(id=made.id)),
        (service.stub.UpdateScrapeJob, pb.UpdateScrapeJobRequest(id=made.id, config_json=made.config_json)),
    ):
        await refused(call(request), NotFoundError, "TARGET_NOT_FOUND")


def _wal(service: Service) -> bytes:
    wal = service._folder / "metrics" / "metrics.db-wal"
    return wal.read_bytes() if wal.exists() else b""


async def test_a_prometheus_configuration_is_imported_whole_or_not_at_all(service: Service) -> None:
    await service.start()
    first = await service.run_import(PROMETHEUS)
    assert (first.created, list(first.ignored)) == (2, ["rule_files", "global.evaluation_interval"])
    assert json.loads(first.jobs[0].config_json)["scrape_interval"] == "30s"
    assert json.loads(first.jobs[1].config_json)["scrape_timeout"] == "5s", "cut to the interval, as Prometheus does"
    again = await service.run_import(PROMETHEUS.replace("db-01", "db-02"))
    assert (again.created, [job.id for job in again.jobs]) == (0, [job.id for job in first.jobs])
    assert again.jobs[1].targets[0].url == "http://db-02:9187/metrics"

    bad = PROMETHEUS + "  - job_name: k8s\n    kubernetes_sd_configs: []\n    oauth2: {}\n  - job_name: db\n  - nothing\n"
    error = await refused(service.run_import(bad), InvalidArgumentError, "INVALID_SCRAPE_CONFIG")
    assert {field.field for field in error.fields} == {
        "scrape_configs[2].kubernetes_sd_configs",
        "scrape_configs[2].oauth2",
        "scrape_configs[3].job_name",
        "scrape_configs[4]",
        "scrape_configs[4].job_name",
    }
    assert len(await service.jobs()) == 2
    for text in ("a: [", "a: 1\na: 2", "", "[]", "&a [*a]", "!!python/object:os.system {}"):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await service.run_import(text)
        assert isinstance(from_rpc_error(failed.value), InvalidArgumentError), text
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    await refused(service.run_import(bomb), InvalidArgumentError, "INVALID_YAML")


async def test_files_of_this_machine_are_named_only_where_that_is_allowed(service: Service, tmp_path: Path) -> None:
    await service.start(scrape_files_dir=tmp_path / "secrets")
    good = {"authorization": {"credentials_file": "token"}, "file_sd_configs": [{"files": [str(tmp_path / "secrets" / "*.json")]}]}
    await service.create(job_name="good", **good)
    for path in ("/etc/shadow", "../token", str(tmp_path / "secrets" / ".." / "token"), str(tmp_path / "secretsx")):
        work = service.create(job_name="bad", authorization={"credentials_file": path}, tls_config={"ca_file": path})
        error = await refused(work, InvalidArgumentError, "INVALID_SCRAPE_CONFIG")
        assert {field.field for field in error.fields} == {"authorization.credentials_file", "tls_config.ca_file"}


async def test_the_configuration_file_is_followed(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "scrape.yml"
    file.write_text(PROMETHEUS)
    await service.start(scrape_config=file)
    jobs = await service.jobs()
    assert [(job.id, job.source) for job in jobs] == [
        ("file:db", pb.SCRAPE_JOB_SOURCE_FILE),
        ("file:node", pb.SCRAPE_JOB_SOURCE_FILE),
    ]
    await refused(service.stub.DeleteScrapeJob(pb.DeleteScrapeJobRequest(id="file:db")), RefusedError, "TARGET_OF_FILE")
    await refused(service.run_import(PROMETHEUS), RefusedError, "TARGET_OF_FILE")

    async def names_after(text: str, wanted: list[str]) -> None:
        file.write_text(text)

        async def changed() -> bool:
            await service.clock.advance(5.0)
            return [job.name for job in await service.jobs()] == wanted

        await until(changed, seconds=20, every=0.01)

    await names_after(PROMETHEUS.replace("job_name: db", "job_name: database"), ["database", "node"])
    file.write_text("scrape_configs: [{job_name: x, typo: 1}]")
    await service.clock.advance(10.0)
    assert [job.name for job in await service.jobs()] == ["database", "node"], "a change that cannot be used changes nothing"
    await names_after("scrape_configs: []", [])


async def test_a_start_with_a_configuration_file_that_cannot_be_used_is_refused(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "scrape.yml"
    with pytest.raises(RefusedError, match="cannot be read"):
        await service.start(scrape_config=file)
