"""What the Prometheus HTTP API tells beside samples: which Prometheus this is, what metrics are, rules and alerts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import web

from services.gateway.domain.metadata import describe
from services.gateway.domain.ports import Alerting, Document, MetricReader, Page
from services.gateway.domain.prometheus_rules import alerts_document, rule_groups
from services.gateway.web.prometheus_errors import as_prometheus, bad_parameter
from services.gateway.web.prometheus_parameters import parameters_of
from services.gateway.web.respond import json_response
from services.gateway.web.schemas.metrics import MetadataParameters, RulesParameters

FOLLOWED_VERSION: Final = "2.42.0"
"""The Prometheus whose answers ours are compared with; Grafana chooses by it what it may ask."""

_PAGE_SIZE: Final = 1_000
_ACTIVE: Final = ("pending", "firing", "unknown", "flapping")
_NAME_LABEL: Final = "__name__"


class PrometheusStateHandlers:
    """`/prometheus/api/v1/…`, by GET.

    Args:
        reader: knows which metrics there are.
        alerting: knows rules and alerts.
        revision: version of this suite.
    """

    def __init__(self, reader: MetricReader, alerting: Alerting, revision: str) -> None:
        self._reader = reader
        self._alerting = alerting
        self._revision = revision

    @as_prometheus
    async def buildinfo(self, _request: web.Request) -> web.Response:
        """The version of Prometheus that is followed, and under `revision` our own."""
        nothing = dict.fromkeys(("branch", "buildUser", "buildDate", "goVersion"), "")
        return _success({"version": FOLLOWED_VERSION, "revision": f"openmanager-{self._revision}", **nothing})

    @as_prometheus
    async def metadata(self, request: web.Request) -> web.Response:
        """Type and meaning of metrics, as far as their names tell."""
        given = await parameters_of(request, MetadataParameters)
        found = describe(await self._reader.label_values(_NAME_LABEL, (), None, None))
        if given.metric is not None:
            found = {name: told for name, told in found.items() if name == given.metric}
        names = list(found) if given.limit < 0 else list(found)[: given.limit]
        return _success({name: found[name] for name in names})

    @as_prometheus
    async def rules(self, request: web.Request) -> web.Response:
        """Rules with their active alerts."""
        given = await parameters_of(request, RulesParameters)
        if given.type not in ("", "alert", "record"):
            raise bad_parameter("type", f'not supported value "{given.type[:60]}"')
        if given.type == "record":
            return _success({"groups": []})  # there are no recording rules
        rules = [rule async for rule in _all_pages(self._alerting.list_rules)]
        return _success({"groups": rule_groups(rules, await self._active_alerts())})

    @as_prometheus
    async def alerts(self, _request: web.Request) -> web.Response:
        """Alerts that are pending or firing."""
        return _success({"alerts": [alerts_document(alert) for alert in await self._active_alerts()]})

    async def _active_alerts(self) -> list[Document]:
        async def page(size: int, token: str) -> Page:
            return await self._alerting.list_alerts(_ACTIVE, size, token)

        return [alert async for alert in _all_pages(page)]


async def _all_pages(read: Callable[[int, str], Awaitable[Page]]) -> AsyncIterator[Document]:
    """Every item of a list."""
    token = ""
    while True:
        page = await read(_PAGE_SIZE, token)
        for item in page.items:
            yield item
        token = page.next_page_token
        if not token:
            return


def _success(data: Document) -> web.Response:
    return json_response({"status": "success", "data": data})
