"""Puts the metrics service together."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import grpc.aio

from openmanager.metrics.v1 import metrics_pb2_grpc, scrape_pb2_grpc
from services.common.clock import Clock
from services.common.host import HostReader
from services.common.lifecycle import Lifecycle
from services.common.service import Connect, Service
from services.common.telemetry import Telemetry
from services.metrics.adapters.embedded import EmbeddedStore
from services.metrics.adapters.fleet import FleetCollector
from services.metrics.adapters.host import HostCollector
from services.metrics.adapters.influxdb.address import InfluxAddress
from services.metrics.adapters.influxdb.store import InfluxStore
from services.metrics.adapters.remote_write_out.forwarder import RemoteWriteForwarder
from services.metrics.adapters.remote_write_out.options import RemoteWriteOptions
from services.metrics.domain.collect import CollectedSeries
from services.metrics.domain.feed import Feed
from services.metrics.domain.inventory import Inventory
from services.metrics.domain.ports import SampleStore, StoreLimits
from services.metrics.domain.promql import QueryLimits
from services.metrics.domain.retention import keep_retention
from services.metrics.domain.stored_fleet import StoredFleet
from services.metrics.domain.write import SampleWriter, Source
from services.metrics.instruments import Instruments
from services.metrics.scrape_servicer import ScrapeServicer
from services.metrics.scraping import start_scraping
from services.metrics.servicer import MetricsServicer
from services.metrics.settings import MetricsSettings

STORE_STOP_SECONDS = 10.0
FIRST_HISTORY_SECONDS = 30.0
"""The service is ready after this long at the latest, whatever the fleet's past still takes."""
_DAY_MS = 86_400_000


def build(settings: MetricsSettings, connect: Connect, telemetry: Telemetry, clock: Clock) -> Service:
    """The service: sources → writer → store and feed → servicer."""
    instruments = Instruments(telemetry)
    fleet_channel = connect("server_gen")
    servicer: MetricsServicer | None = None
    scrape_servicer: ScrapeServicer | None = None

    async def start(lifecycle: Lifecycle) -> None:
        nonlocal servicer, scrape_servicer
        store = await _open_store(settings, telemetry)
        lifecycle.on_stop("store", store.close, STORE_STOP_SECONDS)
        instruments.show_store(store)
        feed = Feed(round(clock.now() * 1000), settings.feed_samples)
        forwarder = await _start_forwarding(settings, lifecycle, store, telemetry, clock)
        writer = SampleWriter(store, feed, clock, instruments.count_receipt, forwarder)
        query_limits = QueryLimits(max_samples=settings.query_max_samples)
        stored_fleet = StoredFleet(store, writer, clock)
        servicer = MetricsServicer(store, writer, feed, Inventory(store), stored_fleet, clock, instruments, query_limits)
        lifecycle.spawn("retention", keep_retention(writer, clock, store.limits.retention_ms))
        if settings.host_enabled:
            host = HostCollector(
                HostReader(clock, (Path("/"), settings.data_dir)).read,
                CollectedSeries(store, writer, Source.HOST),
                clock,
                settings.host_name,
                settings.host_interval_seconds,
                instruments.refused_series.labels(Source.HOST).set,
            )
            lifecycle.spawn("host", host.run())
        scrape_servicer = ScrapeServicer(await start_scraping(settings, lifecycle, store, writer, telemetry, clock))
        if settings.fleet_enabled:
            fleet = FleetCollector(
                fleet_channel,
                store,
                stored_fleet,
                lambda: CollectedSeries(store, writer, Source.FLEET),
                clock,
                round(settings.fleet_history_days * _DAY_MS),
                instruments.fleet_connected.set,
                instruments.refused_series.labels(Source.FLEET).set,
            )
            lifecycle.spawn("fleet", fleet.run())
            await _at_most(clock, FIRST_HISTORY_SECONDS, fleet.settled())

    def register(server: grpc.aio.Server) -> None:
        if servicer is None or scrape_servicer is None:
            raise RuntimeError("the service has not been started")
        metrics_pb2_grpc.add_MetricsServiceServicer_to_server(servicer, server)
        scrape_pb2_grpc.add_ScrapeServiceServicer_to_server(scrape_servicer, server)

    return Service("metrics", register, start)


async def _open_store(settings: MetricsSettings, telemetry: Telemetry) -> SampleStore:
    folder, limits = settings.data_dir / "metrics", _limits(settings)
    if settings.influx_url is None:
        return await EmbeddedStore.open(folder, limits=limits)
    address = InfluxAddress.parse(settings.influx_url.get_secret_value())
    return await InfluxStore.open(folder, address, telemetry=telemetry, limits=limits)


async def _start_forwarding(
    settings: MetricsSettings, lifecycle: Lifecycle, store: SampleStore, telemetry: Telemetry, clock: Clock
) -> RemoteWriteForwarder | None:
    if settings.remote_write_url is None:
        return None
    token = settings.remote_write_bearer_token
    options = RemoteWriteOptions.of(
        settings.remote_write_url.get_secret_value(),
        bearer_token=token.get_secret_value() if token else "",
        ca_file=settings.remote_write_ca_file,
        queue_bytes=settings.remote_write_queue_bytes,
    )
    forwarder = await RemoteWriteForwarder.open(settings.data_dir / "metrics", options, store, clock, telemetry)
    lifecycle.on_stop("remote_write_queue", forwarder.close, STORE_STOP_SECONDS)
    lifecycle.spawn("remote_write", forwarder.run())
    return forwarder


async def _at_most(clock: Clock, seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Wait for something, but no longer than this."""
    tasks = [asyncio.create_task(work), asyncio.create_task(clock.sleep(seconds))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _limits(settings: MetricsSettings) -> StoreLimits:
    return StoreLimits(
        retention_ms=round(settings.retention_days * _DAY_MS),
        late_ms=round(settings.late_hours * 3_600_000),
        future_ms=round(settings.future_seconds * 1000),
        max_series=settings.max_series,
        max_series_per_server=settings.max_series_per_server,
    )
