"""The table of the HTTP API: URL, handler, who may call it, and the types that go in and out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web
from pydantic import BaseModel

from services.gateway.domain.access import Role
from services.gateway.web.alerting import AlertingHandlers
from services.gateway.web.ask import AskHandlers
from services.gateway.web.fleet import FleetHandlers
from services.gateway.web.ingest import IngestHandlers
from services.gateway.web.ingest_influx import InfluxHandlers
from services.gateway.web.ingest_otlp import OtlpHandlers
from services.gateway.web.ingest_remote_write import RemoteWriteHandlers
from services.gateway.web.pages import PageHandlers
from services.gateway.web.prometheus import PrometheusHandlers
from services.gateway.web.prometheus_state import PrometheusStateHandlers
from services.gateway.web.schemas import alerting as a
from services.gateway.web.schemas import ask as q
from services.gateway.web.schemas import fleet as f
from services.gateway.web.schemas import influx as i
from services.gateway.web.schemas import metrics as m
from services.gateway.web.schemas import system as s
from services.gateway.web.schemas import targets as t
from services.gateway.web.schemas.base import PageQuery
from services.gateway.web.servers import ServerHandlers
from services.gateway.web.stream import StreamHandlers
from services.gateway.web.system import SystemHandlers
from services.gateway.web.targets import TargetHandlers

GET: Final = hdrs.METH_GET
POST: Final = hdrs.METH_POST
PUT: Final = hdrs.METH_PUT
DELETE: Final = hdrs.METH_DELETE
PUBLIC: Final = None
VIEWER, OPERATOR = Role.VIEWER, Role.OPERATOR
HTML: Final = "text/html"
TEXT: Final = "text/plain"
EVENTS: Final = "text/event-stream"
FORM: Final = "application/x-www-form-urlencoded"
LINES: Final = "application/x-ndjson"
YAML: Final = "application/yaml"
ANY: Final = "*/*"
JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"


@dataclass(frozen=True)
class Route:
    """One entry of the table.

    Attributes:
        role: the least role that may call it; None for a public route.
        request: type of the JSON body, or of each line of it.
        request_media: media type of that body.
        body: media types of a body that has no type here.
        form: type of the parameters in a form.
        query: type of the parameters of the URL.
        response: type of the JSON answer; None when it has no body or is no JSON.
        status: of success.
        media: type of the answer's body.
        also: another type that the answer may have when the client asks for it.
        is_frequent: called too often for a log line each.
        is_page: a browser without a session is sent to the login page.
        body_optional: whether the JSON body may be left out.
    """

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    role: Role | None
    tag: str
    summary: str
    request: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    status: int = 200
    media: str = "application/json"
    also: str | None = None
    is_frequent: bool = False
    is_page: bool = False
    body_optional: bool = False
    request_media: str = "application/json"
    body: tuple[str, ...] = ()

    @property
    def is_stream(self) -> bool:
        """Whether the answer goes on until somebody ends it."""
        return self.media == EVENTS


@dataclass(frozen=True)
class Handlers:
    """The handlers of every area."""

    ingest: IngestHandlers
    remote_write: RemoteWriteHandlers
    otlp: OtlpHandlers
    influx: InfluxHandlers
    prometheus: PrometheusHandlers
    prometheus_state: PrometheusStateHandlers
    servers: ServerHandlers
    stream: StreamHandlers
    fleet: FleetHandlers
    ask: AskHandlers
    alerting: AlertingHandlers
    targets: TargetHandlers
    system: SystemHandlers
    pages: PageHandlers


def route_table(to: Handlers) -> tuple[Route, ...]:
    """Every route of the gateway."""
    p = "/prometheus/api/v1"
    return (
        # The suite itself
        Route(GET, "/healthz", to.system.healthz, PUBLIC, "system", "Whether the process answers", response=s.Health, is_frequent=True),
        Route(GET, "/readyz", to.system.readyz, PUBLIC, "system", "Whether every part serves", response=s.Readiness, is_frequent=True),
        Route(GET, "/metrics", to.system.metrics, VIEWER, "system", "Metrics of the suite itself", media=TEXT, is_frequent=True),
        Route(GET, "/openapi.json", to.system.openapi, VIEWER, "system", "This document", is_frequent=True),
        Route(GET, "/api/v1/system", to.system.system, VIEWER, "system", "What runs here", response=s.System, is_frequent=True),
        Route(GET, "/api/v1/caller", to.pages.caller, VIEWER, "system", "Who asks, and with which role", response=s.Caller, is_frequent=True),
        # Samples in
        Route(POST, "/api/v1/metrics", to.ingest.metrics, OPERATOR, "ingest", "Store samples; answers once they are durable", request=m.SampleBatchBody, response=m.Receipt, is_frequent=True),
        Route(POST, "/api/v1/import", to.ingest.history, OPERATOR, "ingest", "Store history, one series a line; times of any age within retention", request=m.ImportLine, request_media=LINES, response=m.Receipt),
        *_sender_routes(to),
        # Figures out
        *_prometheus_routes(p, to.prometheus, to.prometheus_state),
        Route(GET, "/api/v1/servers", to.servers.list, VIEWER, "read", "Servers with their newest figures", query=m.ServersQuery, response=m.ServerList, is_frequent=True),
        Route(GET, "/api/v1/servers/{server}", to.servers.get, VIEWER, "read", "One server", response=m.Server, is_frequent=True),
        Route(GET, "/api/v1/stream", to.stream.stream, VIEWER, "read", "Figures and alerts as they change", query=m.StreamQuery, media=EVENTS, is_frequent=True),
        # Questions
        Route(POST, "/api/v1/ask", to.ask.ask, VIEWER, "ask", "Answer a question", request=q.AskBody, response=q.AskAnswer, also=EVENTS),
        Route(POST, "/analyze", to.ask.analyze, VIEWER, "ask", "Analyse rows of one server", request=q.AnalyzeBody, response=q.Analysis),
        Route(GET, "/api/v1/engines", to.ask.engines, VIEWER, "ask", "Engines in the order they are tried", response=q.EngineList, is_frequent=True),
        # The virtual fleet
        Route(POST, "/api/servers/generate", to.fleet.generate, OPERATOR, "fleet", "Add one virtual server", request=f.GenerateBody, response=f.Generated, body_optional=True),
        Route(GET, "/api/servers/status", to.fleet.status, VIEWER, "fleet", "The virtual fleet", response=f.FleetStatus, is_frequent=True),
        Route(POST, "/api/servers/reset", to.fleet.reset, OPERATOR, "fleet", "Empty the virtual fleet and forget its samples", request=f.ResetBody, response=f.FleetReset, body_optional=True),
        Route(GET, "/api/v1/fleet", to.fleet.describe, VIEWER, "fleet", "Sites, servers, who depends on whom, and the kinds of faults", response=f.FleetDescription, is_frequent=True),
        Route(GET, "/api/v1/fleet/faults", to.fleet.list_faults, VIEWER, "fleet", "The truth: what befalls the fleet, the latest start first", query=f.FaultsQuery, response=f.FaultList, is_frequent=True),
        Route(POST, "/api/v1/fleet/faults", to.fleet.inject, OPERATOR, "fleet", "Let a fault befall the fleet", request=f.FaultBody, response=f.Fault, status=201),
        Route(DELETE, "/api/v1/fleet/faults/{id}", to.fleet.cancel, OPERATOR, "fleet", "Withdraw an injected fault", status=204),
        # Alerting
        Route(GET, "/api/v1/rules", to.alerting.list_rules, VIEWER, "alerting", "Rules", query=PageQuery, response=a.RuleList, is_frequent=True),
        Route(POST, "/api/v1/rules", to.alerting.create_rule, OPERATOR, "alerting", "Make a rule", request=a.RuleBody, response=a.Rule, status=201),
        Route(GET, "/api/v1/rules/{id}", to.alerting.get_rule, VIEWER, "alerting", "One rule", response=a.Rule, is_frequent=True),
        Route(PUT, "/api/v1/rules/{id}", to.alerting.update_rule, OPERATOR, "alerting", "Replace a rule", request=a.RuleBody, response=a.Rule),
        Route(DELETE, "/api/v1/rules/{id}", to.alerting.delete_rule, OPERATOR, "alerting", "Delete a rule", status=204),
        Route(GET, "/api/v1/alerts", to.alerting.list_alerts, VIEWER, "alerting", "Alerts, the newest first", query=a.AlertsQuery, response=a.AlertList, is_frequent=True),
        Route(GET, "/api/v1/channels", to.alerting.list_channels, VIEWER, "alerting", "Channels", query=PageQuery, response=a.ChannelList, is_frequent=True),
        Route(POST, "/api/v1/channels", to.alerting.create_channel, OPERATOR, "alerting", "Make a channel", request=a.ChannelBody, response=a.Channel, status=201),
        Route(GET, "/api/v1/channels/{name}", to.alerting.get_channel, VIEWER, "alerting", "One channel", response=a.Channel, is_frequent=True),
        Route(PUT, "/api/v1/channels/{name}", to.alerting.update_channel, OPERATOR, "alerting", "Replace a channel", request=a.ChannelUpdateBody, response=a.Channel),
        Route(DELETE, "/api/v1/channels/{name}", to.alerting.delete_channel, OPERATOR, "alerting", "Delete a channel", status=204),
        Route(POST, "/api/v1/channels/{name}/test", to.alerting.test_channel, OPERATOR, "alerting", "Send a test notification", response=a.Delivery),
        Route(GET, "/api/v1/notifications", to.alerting.list_notifications, VIEWER, "alerting", "Notifications, the newest first", query=a.NotificationsQuery, response=a.NotificationList, is_frequent=True),
        # Scrape targets
        Route(GET, "/api/v1/targets", to.targets.list, VIEWER, "targets", "Scrape jobs, their targets, and how each is", query=PageQuery, response=t.TargetList, is_frequent=True),
        Route(POST, "/api/v1/targets", to.targets.create, OPERATOR, "targets", "Make a scrape job", request=t.TargetBody, response=t.TargetJob, status=201),
        Route(POST, "/api/v1/targets/import", to.targets.import_prometheus, OPERATOR, "targets", "Make the scrape jobs of a prometheus.yml, replacing those of the same names", body=(YAML,), response=t.TargetsImported),
        Route(GET, "/api/v1/targets/{id}", to.targets.get, VIEWER, "targets", "One scrape job", response=t.TargetJob, is_frequent=True),
        Route(PUT, "/api/v1/targets/{id}", to.targets.update, OPERATOR, "targets", "Replace a scrape job", request=t.TargetBody, response=t.TargetJob),
        Route(DELETE, "/api/v1/targets/{id}", to.targets.delete, OPERATOR, "targets", "Forget a scrape job; its series end", status=204),
        # Pages
        Route(GET, "/", to.pages.index, VIEWER, "pages", "The dashboard", media=HTML, is_page=True),
        Route(GET, "/docs", to.pages.docs, VIEWER, "pages", "This description for people", media=HTML, is_page=True),
        Route(GET, "/login", to.pages.login_page, PUBLIC, "pages", "The page that asks for the token", media=HTML),
        Route(POST, "/login", to.pages.login, PUBLIC, "pages", "Open a session for a browser", request=s.LoginBody, response=s.Session),
        Route(DELETE, "/login", to.pages.logout, PUBLIC, "pages", "Close the session", status=204),
        Route(GET, "/static/{path:.+}", to.pages.static, PUBLIC, "pages", "A file of the dashboard", media=ANY, is_frequent=True),
    )  # fmt: skip


def _sender_routes(to: Handlers) -> tuple[Route, ...]:
    """Doors for programs that send samples in forms of their own."""
    tag = "ingest"
    statement = "Answer CREATE DATABASE, which InfluxDB's clients ask for first"
    return (
        Route(POST, "/prometheus/api/v1/write", to.remote_write.write, OPERATOR, tag, "Store samples of Prometheus remote write 1.0, snappy", body=(PROTOBUF,), status=204, is_frequent=True),
        Route(POST, "/otlp/v1/metrics", to.otlp.metrics, OPERATOR, tag, "Store metrics of OTLP/HTTP", body=(PROTOBUF, JSON), media=PROTOBUF, also=JSON, is_frequent=True),
        Route(POST, "/influx/write", to.influx.write, OPERATOR, tag, "Store lines of InfluxDB 1.x", query=i.InfluxWriteQuery, body=(TEXT,), status=204, is_frequent=True),
        Route(POST, "/influx/api/v2/write", to.influx.write, OPERATOR, tag, "Store lines of InfluxDB 2.x", query=i.InfluxWriteQuery, body=(TEXT,), status=204, is_frequent=True),
        Route(GET, "/influx/ping", to.influx.ping, VIEWER, tag, "Whether somebody is here, for InfluxDB's clients", status=204, is_frequent=True),
        Route(GET, "/influx/query", to.influx.query, VIEWER, tag, statement, query=i.InfluxQuery, is_frequent=True),
        Route(POST, "/influx/query", to.influx.query, OPERATOR, tag, statement, query=i.InfluxQuery, form=i.InfluxQuery, is_frequent=True),
    )  # fmt: skip


def _prometheus_routes(prefix: str, to: PrometheusHandlers, state: PrometheusStateHandlers) -> tuple[Route, ...]:
    """The read API of Prometheus: each of the first four by GET, and by POST for expressions too long for a URL."""
    both = (
        ("query", to.query, "Evaluate a PromQL expression at one instant", m.InstantParameters),
        ("query_range", to.query_range, "Evaluate a PromQL expression over a range", m.RangeParameters),
        ("series", to.series, "Series that match selectors", m.SeriesParameters),
        ("labels", to.labels, "Names of labels", m.SeriesParameters),
    )
    answer, tag = m.PrometheusAnswer, "prometheus"
    routes = []
    for name, handler, summary, kind in both:
        path = f"{prefix}/{name}"
        routes.append(Route(GET, path, handler, VIEWER, tag, summary, query=kind, response=answer, is_frequent=True))
        routes.append(Route(POST, path, handler, VIEWER, tag, summary, query=kind, form=kind, response=answer, is_frequent=True))
    path = f"{prefix}/label/{{name}}/values"
    values = Route(
        GET, path, to.label_values, VIEWER, tag, "Values of one label", query=m.SeriesParameters, response=answer, is_frequent=True
    )
    others = (
        ("metadata", state.metadata, "What metrics are, as far as their names tell", m.MetadataParameters),
        ("rules", state.rules, "Rules with their active alerts, as Prometheus has them", m.RulesParameters),
        ("alerts", state.alerts, "Active alerts, as Prometheus has them", None),
        ("status/buildinfo", state.buildinfo, "The version of Prometheus that is followed", None),
    )
    for name, handler, summary, query in others:
        routes.append(Route(GET, f"{prefix}/{name}", handler, VIEWER, tag, summary, query=query, response=answer, is_frequent=True))
    return (*routes, values)
