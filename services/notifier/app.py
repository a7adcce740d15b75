"""Puts the notifier together."""

import asyncio

import grpc.aio

from openmanager.notifier.v1 import notifier_pb2_grpc
from services.common.clock import Clock
from services.common.ids import new_id
from services.common.lifecycle import Lifecycle
from services.common.service import Connect, Service
from services.common.telemetry import Telemetry
from services.notifier.adapters.alert_store import SqlAlertStore
from services.notifier.adapters.channel_store import SqlChannelStore
from services.notifier.adapters.channels.registry import channel_kinds
from services.notifier.adapters.database import Database
from services.notifier.adapters.metrics_client import MetricsClient
from services.notifier.adapters.outbox_store import SqlOutboxStore
from services.notifier.domain.book import AlertBook
from services.notifier.domain.catalogue import ChannelCatalogue, RuleCatalogue
from services.notifier.domain.composing import Composer
from services.notifier.domain.evaluator import Evaluator, EvaluatorTelemetry
from services.notifier.domain.feed import AlertFeed
from services.notifier.domain.history import keep_pruning
from services.notifier.domain.outbox import Outbox
from services.notifier.domain.retry import RetryPolicy
from services.notifier.domain.templates import AnnotationTemplates
from services.notifier.domain.trial import ChannelTrial
from services.notifier.domain.wording import Wording
from services.notifier.servicer import NotifierServicer
from services.notifier.settings import NotifierSettings


def build(settings: NotifierSettings, connect: Connect, telemetry: Telemetry, clock: Clock) -> Service:
    """The service: metrics → evaluator → book (state machine, pipeline, outbox rows) → outbox → channels."""
    folder = settings.data_dir / "notifier"
    url = settings.database_url.get_secret_value() if settings.database_url else None
    database = Database(url, folder)
    alerts, channels, outbox_rows = SqlAlertStore(database), SqlChannelStore(database), SqlOutboxStore(database)
    metrics = MetricsClient(connect("metrics"), settings.query_timeout_seconds)
    kinds = channel_kinds(settings.external_url.rstrip("/"), clock)
    policy = RetryPolicy(
        settings.delivery_backoff_seconds, settings.delivery_backoff_max_seconds, settings.delivery_max_age_seconds
    )
    attempts = telemetry.counter("notifier_delivery_attempts", "Attempts to deliver notifications.", ("outcome",))
    outbox = Outbox(outbox_rows, channels, kinds, policy, clock, attempts)
    feed = AlertFeed(clock)
    templates = AnnotationTemplates()
    composer = Composer(Wording(settings.lang, settings.tz), new_id)
    book = AlertBook(alerts, feed, composer, templates, new_id, outbox.wake)
    evaluator = Evaluator(
        book,
        metrics,
        clock,
        EvaluatorTelemetry(
            telemetry.counter("notifier_evaluations", "Evaluations of rules.", ("outcome",)),
            telemetry.gauge("notifier_metrics_connected", "1 while arriving samples are followed, else 0."),
        ),
        interval_seconds=settings.evaluation_interval_seconds,
        min_interval_seconds=settings.evaluation_min_interval_seconds,
    )
    open_alerts = telemetry.gauge("notifier_open_alerts", "Alerts that are pending, firing or unknown.")
    open_alerts.set_function(lambda: len(book.open_alerts()))
    references = asyncio.Lock()
    rule_catalogue = RuleCatalogue(book, channels, metrics, templates, clock, new_id, references, evaluator.rule_changed)
    channel_catalogue = ChannelCatalogue(channels, kinds, book, clock, references, lambda name: outbox.wake([name]))
    trial = ChannelTrial(channel_catalogue, outbox, outbox_rows, composer, clock)
    servicer = NotifierServicer(rule_catalogue, channel_catalogue, trial, book, alerts, outbox_rows, feed)

    def register(server: grpc.aio.Server) -> None:
        notifier_pb2_grpc.add_NotifierServiceServicer_to_server(servicer, server)

    async def start(lifecycle: Lifecycle) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await database.open()
        lifecycle.on_stop("database", database.close)
        await book.load()
        lifecycle.spawn("outbox", outbox.run())
        lifecycle.spawn("history", keep_pruning(alerts, clock, settings.history_seconds))
        lifecycle.spawn("evaluator", evaluator.run())

    return Service("notifier", register, start)
