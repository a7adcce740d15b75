"""Scraping over gRPC."""
# ruff: noqa: N802  RPCs are named as in the proto

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import scrape_pb2 as pb
from openmanager.metrics.v1 import scrape_pb2_grpc
from services.common import paging
from services.common.errors import FieldError, InvalidArgumentError
from services.metrics import wire
from services.metrics.adapters.scrape.yaml_text import load_yaml
from services.metrics.domain.scrape.catalogue import JobSource, JobView, ScrapeCatalogue
from services.metrics.domain.scrape.schedule import to_its_end
from services.metrics.domain.scrape.target import Target, TargetHealth, TargetState

_SOURCES: Final = {JobSource.API: pb.SCRAPE_JOB_SOURCE_API, JobSource.FILE: pb.SCRAPE_JOB_SOURCE_FILE}
_STATES: Final = {
    TargetState.UNKNOWN: pb.TARGET_STATE_UNKNOWN,
    TargetState.UP: pb.TARGET_STATE_UP,
    TargetState.DOWN: pb.TARGET_STATE_DOWN,
}
_LIST: Final = "scrape_jobs"


class ScrapeServicer(scrape_pb2_grpc.ScrapeServiceServicer):
    """Answers ScrapeService; see scrape.proto for what each RPC promises.

    A change that was begun is brought to its end though the caller may be gone: what is kept and what is scraped stay the same.
    """

    def __init__(self, catalogue: ScrapeCatalogue) -> None:
        self._catalogue = catalogue

    async def ListScrapeJobs(self, request: pb.ListScrapeJobsRequest, _context: object) -> pb.ListScrapeJobsResponse:
        """Lists the jobs."""
        size = paging.page_size(request.page_size)
        after = paging.read_token(request.page_token, _LIST, str, str) or ["", ""]
        left = [job for job in self._catalogue.jobs() if [job.name, job.id] > after]
        token = paging.write_token(_LIST, left[size - 1].name, left[size - 1].id) if len(left) > size else ""
        return pb.ListScrapeJobsResponse(jobs=map(_job_message, left[:size]), next_page_token=token)

    async def GetScrapeJob(self, request: pb.GetScrapeJobRequest, _context: object) -> pb.GetScrapeJobResponse:
        """Gives one job."""
        return pb.GetScrapeJobResponse(job=_job_message(self._catalogue.get(request.id)))

    async def CreateScrapeJob(self, request: pb.CreateScrapeJobRequest, _context: object) -> pb.CreateScrapeJobResponse:
        """Makes a job."""
        job = await to_its_end(self._catalogue.create(_config(request.config_json)))
        return pb.CreateScrapeJobResponse(job=_job_message(job))

    async def UpdateScrapeJob(self, request: pb.UpdateScrapeJobRequest, _context: object) -> pb.UpdateScrapeJobResponse:
        """Replaces a job."""
        job = await to_its_end(self._catalogue.update(request.id, _config(request.config_json)))
        return pb.UpdateScrapeJobResponse(job=_job_message(job))

    async def DeleteScrapeJob(self, request: pb.DeleteScrapeJobRequest, _context: object) -> pb.DeleteScrapeJobResponse:
        """Forgets a job."""
        await to_its_end(self._catalogue.delete(request.id))
        return pb.DeleteScrapeJobResponse()

    async def ImportScrapeConfigs(self, request: pb.ImportScrapeConfigsRequest, _context: object) -> pb.ImportScrapeConfigsResponse:
        """Makes the jobs of a whole configuration."""
        document = await asyncio.to_thread(load_yaml, request.yaml)
        imported = await to_its_end(self._catalogue.import_file(document))
        return pb.ImportScrapeConfigsResponse(
            jobs=map(_job_message, imported.jobs), created=imported.created, ignored=imported.ignored
        )


def _config(text: str) -> Mapping[str, Any]:
    try:
        config = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        message = f"is not JSON: {error}"
        raise InvalidArgumentError(f"config_json {message}", fields=[FieldError("config_json", message)]) from None
    if not isinstance(config, dict):
        raise InvalidArgumentError("config_json must be an object", fields=[FieldError("config_json", "must be an object")])
    return config


def _job_message(job: JobView) -> pb.ScrapeJob:
    return pb.ScrapeJob(
        id=job.id,
        name=job.name,
        source=_SOURCES[job.source],
        config_json=orjson.dumps(job.config).decode(),
        created_at=None if job.created_at is None else wire.timestamp_message(round(job.created_at * 1000)),
        updated_at=None if job.updated_at is None else wire.timestamp_message(round(job.updated_at * 1000)),
        error=job.error,
        dropped_targets=job.dropped,
        targets=[_target_message(target, health) for target, health in job.targets],
    )


def _target_message(target: Target, health: TargetHealth) -> pb.ScrapeTarget:
    message = pb.ScrapeTarget(
        url=target.url,
        labels=[label_pb2.Label(name=name, value=value) for name, value in target.all_labels],
        state=_STATES[health.state],
        samples=health.samples,
        last_error=health.error,
    )
    if health.last_scrape_at is not None:
        message.last_scrape.CopyFrom(wire.timestamp_message(round(health.last_scrape_at * 1000)))
        message.duration.FromNanoseconds(round(health.duration_seconds * 1e9))
    return message
