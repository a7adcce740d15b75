"""Scrape targets of the metrics service."""

from typing import Final

import orjson

from openmanager.metrics.v1 import scrape_pb2, scrape_pb2_grpc
from services.gateway.adapters.calls import call, labels_dict, seconds, timestamp_text
from services.gateway.domain.ports import Document, Page

TIMEOUT_SECONDS: Final = 30.0
_SOURCES: Final = {scrape_pb2.SCRAPE_JOB_SOURCE_FILE: "file"}
_STATES: Final = {scrape_pb2.TARGET_STATE_UP: "up", scrape_pb2.TARGET_STATE_DOWN: "down"}


class TargetsClient:
    """Asks the metrics service what is scraped."""

    def __init__(self, stub: "scrape_pb2_grpc.ScrapeServiceAsyncStub") -> None:
        self._stub = stub

    async def list(self, page_size: int, page_token: str) -> Page:
        """Jobs in order of name, with their targets."""
        request = scrape_pb2.ListScrapeJobsRequest(page_size=page_size, page_token=page_token)
        response = await call(self._stub.ListScrapeJobs, request, TIMEOUT_SECONDS)
        return Page([_job(job) for job in response.jobs], response.next_page_token)

    async def get(self, job_id: str) -> Document:
        """One job."""
        return _job((await call(self._stub.GetScrapeJob, scrape_pb2.GetScrapeJobRequest(id=job_id), TIMEOUT_SECONDS)).job)

    async def create(self, config: Document) -> Document:
        """Make a job."""
        request = scrape_pb2.CreateScrapeJobRequest(config_json=orjson.dumps(config).decode())
        return _job((await call(self._stub.CreateScrapeJob, request, TIMEOUT_SECONDS)).job)

    async def update(self, job_id: str, config: Document) -> Document:
        """Replace a job."""
        request = scrape_pb2.UpdateScrapeJobRequest(id=job_id, config_json=orjson.dumps(config).decode())
        return _job((await call(self._stub.UpdateScrapeJob, request, TIMEOUT_SECONDS)).job)

    async def delete(self, job_id: str) -> None:
        """Forget a job."""
        await call(self._stub.DeleteScrapeJob, scrape_pb2.DeleteScrapeJobRequest(id=job_id), TIMEOUT_SECONDS)

    async def import_prometheus(self, yaml: bytes) -> Document:
        """Make the jobs of a whole configuration of Prometheus."""
        response = await call(self._stub.ImportScrapeConfigs, scrape_pb2.ImportScrapeConfigsRequest(yaml=yaml), TIMEOUT_SECONDS)
        return {
            "items": [_job(job) for job in response.jobs],
            "created": response.created,
            "updated": len(response.jobs) - response.created,
            "ignored": list(response.ignored),
        }


def _job(job: scrape_pb2.ScrapeJob) -> Document:
    return {
        "id": job.id,
        "job_name": job.name,
        "source": _SOURCES.get(job.source, "api"),
        "config": orjson.loads(job.config_json or "{}"),
        "created_at": timestamp_text(job.created_at) if job.HasField("created_at") else None,
        "updated_at": timestamp_text(job.updated_at) if job.HasField("updated_at") else None,
        "error": job.error or None,
        "dropped_targets": job.dropped_targets,
        "targets": [_target(target) for target in job.targets],
    }


def _target(target: scrape_pb2.ScrapeTarget) -> Document:
    scraped = target.HasField("last_scrape")
    return {
        "url": target.url,
        "labels": labels_dict(target.labels),
        "state": _STATES.get(target.state, "unknown"),
        "last_scrape_at": timestamp_text(target.last_scrape) if scraped else None,
        "duration_seconds": seconds(target.duration) if scraped else None,
        "samples": target.samples,
        "last_error": target.last_error or None,
    }
