"""Composition root of the gateway."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from grpc.aio import Server

from openmanager.ai_agent.v1.ai_agent_pb2_grpc import AiAgentServiceStub
from openmanager.metrics.v1.metrics_pb2_grpc import MetricsServiceStub
from openmanager.metrics.v1.scrape_pb2_grpc import ScrapeServiceStub
from openmanager.notifier.v1.notifier_pb2_grpc import NotifierServiceStub
from openmanager.server_gen.v1.server_gen_pb2_grpc import ServerGenServiceStub
from services.common.clock import Clock
from services.common.ids import IdSource, new_id
from services.common.lifecycle import Lifecycle
from services.common.runner import announce_ready
from services.common.service import Connect, Service
from services.common.telemetry import Telemetry
from services.gateway.adapters.alerting import AlertingClient
from services.gateway.adapters.assistant import AssistantClient
from services.gateway.adapters.feeds import Feeds, LiveState
from services.gateway.adapters.fleet import FleetClient
from services.gateway.adapters.metrics_reader import MetricsReader
from services.gateway.adapters.metrics_writer import MetricsWriter
from services.gateway.adapters.otlp_messages import OtlpMessages
from services.gateway.adapters.suite import SuiteClient
from services.gateway.adapters.targets import TargetsClient
from services.gateway.adapters.token_file import load_or_create_token
from services.gateway.domain.access import Authenticator
from services.gateway.domain.hub import Hub
from services.gateway.domain.limits import TokenBuckets
from services.gateway.settings import GatewaySettings
from services.gateway.web.alerting import AlertingHandlers
from services.gateway.web.ask import AskHandlers
from services.gateway.web.fleet import FleetHandlers
from services.gateway.web.ingest import IngestHandlers
from services.gateway.web.ingest_influx import InfluxHandlers
from services.gateway.web.ingest_otlp import OtlpHandlers
from services.gateway.web.ingest_remote_write import RemoteWriteHandlers
from services.gateway.web.intake import Intake
from services.gateway.web.openapi import openapi_document
from services.gateway.web.pages import PageHandlers
from services.gateway.web.prometheus import PrometheusHandlers
from services.gateway.web.prometheus_state import PrometheusStateHandlers
from services.gateway.web.routes import Handlers, route_table
from services.gateway.web.server import HttpServer, Surroundings, web_application
from services.gateway.web.servers import ServerHandlers
from services.gateway.web.stream import StreamHandlers
from services.gateway.web.system import SystemHandlers, version
from services.gateway.web.targets import TargetHandlers

PEERS = ("server_gen", "metrics", "ai_agent", "notifier")
STATIC_FOLDER = Path(__file__).parent / "static"
FAILED_LOGINS_AT_ONCE = 5
FAILED_LOGINS_PER_SECOND = 0.1


@dataclass
class Gateway:
    """The gateway, built but not started.

    Attributes:
        service: what a supervisor starts.
        url: where the HTTP API is, once it has started.
        new_admin_token: the admin token, when it was made at this start and nobody knows it yet.
    """

    service: Service
    url: str = ""
    new_admin_token: str | None = None


def build(settings: GatewaySettings, connect: Connect, telemetry: Telemetry, clock: Clock, ids: IdSource = new_id) -> Gateway:
    """The gateway of these settings; it has no RPCs of its own."""

    async def start(lifecycle: Lifecycle) -> None:
        token = await _admin_token(settings, gateway)
        channels = {name: connect(name) for name in PEERS}
        metrics, notifier = MetricsServiceStub(channels["metrics"]), NotifierServiceStub(channels["notifier"])
        reader, alerting = MetricsReader(metrics), AlertingClient(notifier)
        suite = SuiteClient(channels, telemetry)
        authenticator = Authenticator(token, clock, settings.session_hours * 3600)

        state = LiveState(clock)
        hub = Hub(ids(), state.snapshot, max_readers=settings.max_stream_clients)
        telemetry.gauge("stream_readers", "Live streams that are open.").set_function(lambda: hub.readers)
        feeds = Feeds(metrics, notifier, state, hub, clock)

        system = SystemHandlers(suite, clock)
        failures = TokenBuckets(clock, FAILED_LOGINS_PER_SECOND, FAILED_LOGINS_AT_ONCE)
        intake = Intake(MetricsWriter(metrics), clock, telemetry, settings.max_ingest_bytes)
        routes = route_table(
            Handlers(
                ingest=IngestHandlers(intake),
                remote_write=RemoteWriteHandlers(intake),
                otlp=OtlpHandlers(intake, OtlpMessages()),
                influx=InfluxHandlers(intake),
                prometheus=PrometheusHandlers(reader),
                prometheus_state=PrometheusStateHandlers(reader, alerting, version()),
                servers=ServerHandlers(reader),
                stream=StreamHandlers(hub),
                fleet=FleetHandlers(FleetClient(ServerGenServiceStub(channels["server_gen"]), metrics, feeds.forget_fleet)),
                ask=AskHandlers(AssistantClient(AiAgentServiceStub(channels["ai_agent"])), settings.max_analyze_rows),
                alerting=AlertingHandlers(alerting),
                targets=TargetHandlers(TargetsClient(ScrapeServiceStub(channels["metrics"]))),
                system=system,
                pages=PageHandlers(STATIC_FOLDER, authenticator, failures, secure_cookies=settings.secure_cookies),
            )
        )
        system.describe(openapi_document(routes, version()))
        around = Surroundings(
            authenticator=authenticator,
            buckets=TokenBuckets(clock, settings.rate_limit_per_second, settings.rate_limit_burst),
            telemetry=telemetry,
            new_id=ids,
            max_body_bytes=settings.max_body_bytes,
            body_timeout_seconds=settings.body_timeout_seconds,
        )

        lifecycle.spawn("feed of samples", feeds.watch_samples())
        lifecycle.spawn("feed of alerts", feeds.watch_alerts())
        lifecycle.spawn("figures", feeds.publish_figures())
        lifecycle.spawn("heartbeat", feeds.beat())
        server = HttpServer(web_application(routes, around), settings.listen)
        await server.start()
        lifecycle.on_stop("http server", server.stop, timeout_seconds=8.0)
        lifecycle.on_stop("live streams", hub.close)  # before the server, which would wait for them
        gateway.url = server.url

    gateway = Gateway(Service(name="gateway", register=_register_nothing, start=start))
    return gateway


def announce(gateway: Gateway) -> None:
    """Tell whoever started the gateway where it is, with the address that logs in while nobody knows the token yet."""
    if gateway.new_admin_token:
        print(f"dashboard {gateway.url}/#token={gateway.new_admin_token}", file=sys.stderr, flush=True)  # noqa: T201
    announce_ready(gateway.url)


async def _admin_token(settings: GatewaySettings, gateway: Gateway) -> str:
    if settings.admin_token is not None and settings.admin_token.get_secret_value():
        return settings.admin_token.get_secret_value()
    token = await asyncio.to_thread(load_or_create_token, settings.data_dir / "gateway")
    gateway.new_admin_token = token.value if token.is_new else None
    return token.value


def _register_nothing(_server: Server) -> None:
    """The gateway serves HTTP alone."""
