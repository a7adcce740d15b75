"""Scrape targets."""

from typing import Protocol
from urllib.parse import quote

from aiohttp import web

from services.gateway.domain.ports import Document, Page
from services.gateway.web.body import read_bytes, read_model, read_query
from services.gateway.web.respond import json_response, page_response
from services.gateway.web.schemas.base import PageQuery
from services.gateway.web.schemas.targets import TargetBody


class Targets(Protocol):
    """What is scraped, by job."""

    async def list(self, page_size: int, page_token: str) -> Page:
        """Jobs in order of name, with their targets."""
        ...

    async def get(self, job_id: str) -> Document:
        """One job."""
        ...

    async def create(self, config: Document) -> Document:
        """Make a job."""
        ...

    async def update(self, job_id: str, config: Document) -> Document:
        """Replace a job."""
        ...

    async def delete(self, job_id: str) -> None:
        """Forget a job."""
        ...

    async def import_prometheus(self, yaml: bytes) -> Document:
        """Make the jobs of a whole configuration of Prometheus."""
        ...


class TargetHandlers:
    """`/api/v1/targets`."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    async def list(self, request: web.Request) -> web.Response:
        """Jobs in order of name."""
        given = read_query(request, PageQuery)
        return page_response(await self._targets.list(given.page_size, given.page_token))

    async def create(self, request: web.Request) -> web.Response:
        """Make a job."""
        body = await read_model(request, TargetBody)
        job = await self._targets.create(body.model_dump(exclude_none=True))
        return json_response(job, 201, {"Location": f"/api/v1/targets/{quote(job['id'], safe='')}"})

    async def get(self, request: web.Request) -> web.Response:
        """One job."""
        return json_response(await self._targets.get(request.match_info["id"]))

    async def update(self, request: web.Request) -> web.Response:
        """Replace a job."""
        body = await read_model(request, TargetBody)
        return json_response(await self._targets.update(request.match_info["id"], body.model_dump(exclude_none=True)))

    async def delete(self, request: web.Request) -> web.Response:
        """Forget a job."""
        await self._targets.delete(request.match_info["id"])
        return web.Response(status=204)

    async def import_prometheus(self, request: web.Request) -> web.Response:
        """Make the jobs of a `prometheus.yml`; its media type is not looked at, for YAML has had several."""
        return json_response(await self._targets.import_prometheus(await read_bytes(request)))
