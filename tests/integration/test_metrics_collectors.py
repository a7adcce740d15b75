"""This host and the virtual fleet on their way into the store."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1.metrics_pb2_grpc import MetricsServiceStub
from openmanager.server_gen.v1 import server_gen_pb2
from openmanager.server_gen.v1.server_gen_pb2_grpc import ServerGenServiceStub
from services.common.clock import Clock, ManualClock, SystemClock
from services.metrics.app import build as build_metrics
from services.metrics.settings import MetricsSettings
from services.server_gen.app import build as build_server_gen
from services.server_gen.settings import ServerGenSettings
from tests.support.services import InProcess, in_process
from tests.support.waiting import until


@pytest.fixture
async def services() -> AsyncIterator[InProcess]:
    async with in_process() as running:
        yield running


async def start_metrics(services: InProcess, folder: Path, clock: Clock, *, host: bool = False, fleet: bool = False) -> None:
    settings = MetricsSettings(data_dir=folder, host_enabled=host, fleet_enabled=fleet, fleet_history_days=0.02)
    await services.start("metrics", lambda connect, telemetry: build_metrics(settings, connect, telemetry, clock))


async def start_fleet(services: InProcess, folder: Path, clock: Clock) -> None:
    settings = ServerGenSettings(data_dir=folder, demo=True)
    await services.start("server_gen", lambda connect, telemetry: build_server_gen(settings, connect, telemetry, clock))


async def listed(services: InProcess) -> dict[str, pb.Server]:
    response = await MetricsServiceStub(services.channel("metrics")).ListServers(pb.ListServersRequest())
    return {server.name: server for server in response.servers}


async def test_this_host_is_listed_within_seconds(services: InProcess, tmp_path: Path) -> None:
    await start_metrics(services, tmp_path, SystemClock(), host=True)

    async def with_cpu() -> pb.Server | None:
        server = (await listed(services)).get(socket.gethostname())
        return server if server is not None and "cpu" in server.metrics else None

    host = await until(with_cpu, seconds=10.0)
    assert host.role == "host"
    assert {"cpu", "memory", "disk", "load"} <= set(host.metrics)
    for name in ("cpu", "memory", "disk"):
        assert 0.0 <= host.metrics[name] <= 100.0


async def test_the_fleet_is_collected_with_its_past_and_forgotten_when_it_is_emptied(services: InProcess, tmp_path: Path) -> None:
    clock = ManualClock(1_795_000_004.0)
    await start_fleet(services, tmp_path, clock)
    await start_metrics(services, tmp_path, clock, fleet=True)

    async def complete() -> dict[str, pb.Server] | None:
        servers = await listed(services)
        return servers if len(servers) == 20 else None

    servers = await until(complete)
    assert {label.name: label.value for label in servers["web-01"].labels} == {"fleet": "demo", "role": "web", "site": "seoul-1"}
    status = await ServerGenServiceStub(services.channel("server_gen")).GetFleetStatus(server_gen_pb2.GetFleetStatusRequest())
    for server in status.servers:
        for name in ("cpu", "memory", "disk"):
            assert servers[server.hostname].metrics[name] == server.metrics[name]

    query = pb.QueryRequest(expr='count_over_time(cpu{server="web-01"}[30m])')
    past = (await MetricsServiceStub(services.channel("metrics")).Query(query)).vector
    assert np.frombuffer(past.values, "<f8")[0] >= 28

    reset = await ServerGenServiceStub(services.channel("server_gen")).ResetFleet(server_gen_pb2.ResetFleetRequest())
    await MetricsServiceStub(services.channel("metrics")).ForgetFleet(pb.ForgetFleetRequest(generation=reset.generation))
    assert await listed(services) == {}
    for _ in range(3):
        await clock.advance(10)
    assert await listed(services) == {}


async def test_the_fleet_is_found_again_after_it_was_away(services: InProcess, tmp_path: Path) -> None:
    clock = ManualClock(1_795_000_004.0)
    await start_metrics(services, tmp_path, clock, fleet=True)

    async def connected() -> bool:
        await clock.advance(1)
        return "openmanager_metrics_fleet_connected 1.0" in services.telemetry["metrics"].exposition().decode()

    async def disconnected() -> bool:
        return not await connected()

    assert not await connected()
    await start_fleet(services, tmp_path, clock)
    await until(connected, every=0.01)
    await services.stop("server_gen")
    await until(disconnected, every=0.01)
    await start_fleet(services, tmp_path, clock)
    await until(connected, every=0.01)
    text = services.telemetry["metrics"].exposition().decode()
    assert 'openmanager_metrics_samples_total{outcome="rejected",source="fleet"}' not in text
