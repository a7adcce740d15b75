"""The virtual fleet's past and present on their way into the store, and out of it again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import grpc
import numpy as np
import pytest

from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1.metrics_pb2_grpc import MetricsServiceStub
from openmanager.server_gen.v1 import server_gen_pb2
from services.common.clock import ManualClock
from services.common.errors import OpenManagerError, from_rpc_error
from services.metrics.adapters import fleet_history
from services.metrics.app import build
from services.metrics.domain.history import missing_ranges
from services.metrics.settings import MetricsSettings
from tests.support.services import InProcess, in_process
from tests.support.virtual_fleet import METRICS, STEP_MS, FakeFleet, ms_of, value_of
from tests.support.waiting import until

NOW = 1_795_000_004.0
HISTORY_DAYS = 0.1
HISTORY_MS = 8_640_000

Rows = dict[tuple[str, str], dict[int, float]]
"""Samples by time (ms) of each (server, metric)."""


class World:
    """A metrics service and a fleet, on one clock."""

    def __init__(self, services: InProcess, folder: Path) -> None:
        self.services = services
        self.folder = folder
        self.clock = ManualClock(NOW)
        self.fleet = FakeFleet.of(self.clock, generation=1_000, servers=3)
        self.stub = MetricsServiceStub(services.channel("metrics"))

    async def start_fleet(self) -> None:
        await self.services.start("server_gen", self.fleet.service)

    async def start_metrics(self, *, days: float = HISTORY_DAYS, fleet: bool = True) -> None:
        settings = MetricsSettings(data_dir=self.folder, host_enabled=False, fleet_enabled=fleet, fleet_history_days=days)
        await self.services.start("metrics", lambda connect, telemetry: build(settings, connect, telemetry, self.clock))

    async def stored(self) -> Rows:
        """Everything that has the fleet's label, the series of the generation apart."""
        response = await self.stub.Query(pb.QueryRequest(expr='{fleet="demo",server!=""}[3d]'))
        rows: Rows = {}
        for row in response.matrix.rows:
            labels = {label.name: label.value for label in row.labels.labels}
            times, values = np.frombuffer(row.timestamps_ms, "<i8"), np.frombuffer(row.values, "<f8")
            rows[labels["server"], labels["__name__"]] = dict(zip(times.tolist(), values.tolist(), strict=True))
            assert len(set(times.tolist())) == len(times), "a time came twice"
        return rows

    async def live(self, steps: int) -> None:
        """Let this many live steps pass, each stored before the next."""
        for _ in range(steps):
            await self.clock.advance(10)
            await until(self._has_step, every=0.002)

    async def _has_step(self) -> bool:
        response = await self.stub.Query(pb.QueryRequest(expr='timestamp(fleet_generation{fleet="demo"})'))
        newest = np.frombuffer(response.vector.values, "<f8").tolist()
        return bool(newest == [self.clock.now() // 10 * 10])

    async def generation(self) -> float | None:
        response = await self.stub.Query(pb.QueryRequest(expr='last_over_time(fleet_generation{fleet="demo"}[3d])'))
        values = np.frombuffer(response.vector.values, "<f8").tolist()
        return values[0] if values else None

    async def complete(self, since_ms: int | None = None) -> Rows | None:
        """What is stored, once that leaves out no step of any server since a time, and has nothing of any other fleet."""
        rows = await self.stored()
        now_ms = round(self.clock.now() * 1000)
        start_ms = now_ms - HISTORY_MS if since_ms is None else since_ms
        expected = {(server, metric) for server in self.fleet.servers for metric in METRICS}
        if set(rows) != expected or any(
            missing_ranges(np.array(list(times)), start_ms, now_ms, STEP_MS) for times in rows.values()
        ):
            return None
        self.check_values(rows)
        return rows

    def check_values(self, rows: Rows) -> None:
        for (server, metric), samples in rows.items():
            times = np.array(list(samples))
            wanted = value_of(self.fleet.generation, self.fleet.servers.index(server), METRICS.index(metric), times)
            np.testing.assert_array_equal(list(samples.values()), wanted)

    async def soon_complete(self) -> None:
        """Let the clock run until nothing is missing."""
        start_ms = round(self.clock.now() * 1000) - HISTORY_MS

        async def complete() -> Rows | None:
            await self.clock.advance(1)
            return await self.complete(start_ms)

        await until(complete, every=0.01)

    async def forget(self, generation: int) -> int:
        return (await self.stub.ForgetFleet(pb.ForgetFleetRequest(generation=generation))).deleted


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with in_process() as services:
        yield World(services, tmp_path)


class Gate:
    """Holds readers of history until it is opened, and says when one has come."""

    def __init__(self, passes: int = 0) -> None:
        self._passes = passes
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, _request: server_gen_pb2.ReadFleetHistoryRequest) -> None:
        if self._passes:
            self._passes -= 1
            return
        self.reached.set()
        await self.opened.wait()


async def refused(call: Awaitable[object]) -> OpenManagerError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_the_past_is_there_when_the_service_is_ready(world: World) -> None:
    await world.start_fleet()
    await world.start_metrics()
    rows = await world.complete()
    assert rows is not None
    assert min(min(times) for times in rows.values()) >= NOW * 1000 - HISTORY_MS
    assert await world.generation() == 1_000


async def test_no_past_is_asked_for_when_none_is_wanted(world: World) -> None:
    await world.start_fleet()
    await world.start_metrics(days=0)
    assert {len(times) for times in (await world.stored()).values()} == {1}
    assert not world.fleet.history_requests


async def test_live_samples_come_while_the_past_is_filled_and_readiness_does_not_wait_for_ever(world: World) -> None:
    gate = world.fleet.before_history = Gate()
    await world.start_fleet()
    starting = asyncio.create_task(world.start_metrics())
    await gate.reached.wait()
    for _ in range(3):
        await world.clock.advance(10)
    assert not gate.opened.is_set()
    await asyncio.wait_for(starting, 10.0)

    async def four_live_steps() -> bool:
        return {len(times) for times in (await world.stored()).values()} == {4}

    await until(four_live_steps, every=0.01)
    gate.opened.set()
    await until(world.complete, every=0.01)


async def test_readiness_does_not_wait_for_a_fleet_that_is_away(world: World) -> None:
    await world.start_metrics()
    assert await world.stored() == {}
    await world.start_fleet()
    await world.clock.advance(1)
    await until(world.complete, every=0.01)


async def test_a_server_that_joins_gets_its_past_and_the_others_are_not_asked_about_again(world: World) -> None:
    await world.start_fleet()
    await world.start_metrics()
    await world.live(5)
    world.fleet.history_requests.clear()
    world.fleet.become(1_000, servers=5)
    await until(world.complete, every=0.01)
    assert {name for request in world.fleet.history_requests for name in request.servers} == {"s-003", "s-004"}


@pytest.mark.parametrize("gone", ["fleet", "metrics"])
async def test_a_gap_is_filled_when_the_samples_come_again(world: World, gone: str) -> None:
    await world.start_fleet()
    await world.start_metrics()
    await world.live(30)
    since_ms = round(world.clock.now() * 1000)
    world.fleet.history_requests.clear()
    await world.services.stop("server_gen" if gone == "fleet" else "metrics")
    await world.clock.advance(3_600)
    gap_ends_ms = round(world.clock.now() * 1000)
    await (world.start_fleet() if gone == "fleet" else world.start_metrics())
    await world.soon_complete()
    asked = [(ms_of(request.start), ms_of(request.end)) for request in world.fleet.history_requests]
    assert min(start for start, _ in asked) >= since_ms - STEP_MS, "what was there has been asked for again"
    assert max(end for _, end in asked) <= gap_ends_ms


async def test_a_gap_in_one_stream_is_filled(world: World) -> None:
    """A machine that slept goes on with the same stream."""
    await world.start_fleet()
    await world.start_metrics()
    world.clock._now += 7_200  # the clock of a machine that slept: nobody was woken meanwhile
    await world.clock.advance(0)
    await until(lambda: world.complete(round(NOW * 1000) - HISTORY_MS), every=0.01)


async def test_a_reset_forgets_everything_and_readers_learn_it(world: World) -> None:
    await world.start_fleet()
    await world.start_metrics()
    watch = aiter(world.stub.WatchSamples(pb.WatchSamplesRequest(selectors=['{fleet="demo",server!=""}'])))
    first = await anext(watch)
    world.fleet.become(2_000, servers=0)
    await world.forget(2_000)
    assert await world.stored() == {}
    assert await world.generation() == 2_000
    assert (await world.stub.ListServers(pb.ListServersRequest())).servers == []
    message = await anext(watch)
    assert sorted(np.frombuffer(message.removed, "<u8")) == sorted(series.id for series in first.series)
    assert message.samples.values == b""
    # One that comes back with its old cursor starts over.
    again = await anext(aiter(world.stub.WatchSamples(pb.WatchSamplesRequest(cursor=first.cursor))))
    assert again.snapshot
    assert {label.value for series in again.series for label in series.labels} == {"fleet_generation", "demo"}


async def test_the_next_fleet_comes_at_once_and_whole(world: World) -> None:
    await world.start_fleet()
    await world.start_metrics()
    world.fleet.become(2_000, servers=4)
    await world.forget(2_000)
    await until(world.complete, every=0.01)
    world.fleet.become(3_000, servers=2)
    await world.forget(3_000)
    await until(world.complete, every=0.01)
    assert await world.generation() == 3_000


@pytest.mark.parametrize("passes", [0, 1, 2, 3])
async def test_a_reset_in_the_middle_of_a_fill_leaves_nothing_of_the_old_fleet(
    world: World, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_history, "BATCH_SAMPLES", 60_000)  # ten servers
    world.fleet.become(1_000, servers=30)
    gate = world.fleet.before_history = Gate(passes)
    await world.start_fleet()
    starting = asyncio.create_task(world.start_metrics())
    await gate.reached.wait()
    await world.clock.advance(30)
    await starting
    world.fleet.become(2_000, servers=2)
    await world.forget(2_000)
    world.check_values(await world.stored())
    gate.opened.set()
    await until(world.complete, every=0.01)
    for _ in range(3):
        await world.clock.advance(10)
    assert await world.complete() is not None


async def test_forgetting_works_while_the_fleet_is_away_and_nothing_comes_back(world: World) -> None:
    await world.start_fleet()
    await world.start_metrics()
    await world.services.stop("server_gen")
    world.fleet.become(2_000, servers=1)
    assert await world.forget(2_000) == 3 * len(METRICS) + 1
    assert await world.stored() == {}
    assert await world.forget(2_000) == 0
    await world.clock.advance(30)
    assert await world.stored() == {}
    await world.start_fleet()
    await world.clock.advance(15)
    await until(world.complete, every=0.01)


async def test_an_earlier_generation_cannot_be_the_one_to_stay(world: World) -> None:
    await world.start_fleet()
    await world.start_metrics()
    error = await refused(world.forget(999))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LATER_GENERATION")
    assert (await refused(world.forget(0))).reason == "INVALID_GENERATION"
    assert await world.complete() is not None


@pytest.mark.parametrize("generation", [500, 5_000])
async def test_a_fleet_that_lost_its_state_replaces_the_one_in_the_store(world: World, generation: int) -> None:
    await world.start_fleet()
    await world.start_metrics()
    await world.services.stop("server_gen")
    await world.services.stop("metrics")
    world.fleet.become(generation, servers=2)
    await world.start_fleet()
    await world.start_metrics()
    assert await world.complete() is not None
    assert await world.generation() == generation


async def test_samples_of_a_fleet_of_unknown_generation_are_replaced(world: World) -> None:
    await world.start_fleet()
    await world.start_metrics()
    await world.stub.DeleteSeries(pb.DeleteSeriesRequest(selectors=["fleet_generation"]))
    await world.services.stop("metrics")
    world.fleet.become(1_000, servers=1)
    await world.start_metrics()
    assert await world.complete() is not None


async def test_the_generation_outlives_the_first_sample_of_it(world: World) -> None:
    """Else what is older than the retention would take the store's memory of its fleet along."""
    await world.start_fleet()
    await world.start_metrics()
    await world.live(6)


async def test_two_resets_while_one_is_under_way(world: World) -> None:
    await world.start_fleet()
    await world.start_metrics()
    world.fleet.become(2_000, servers=3)
    first = asyncio.create_task(world.forget(2_000))
    world.fleet.become(3_000, servers=3)
    second = asyncio.create_task(world.forget(3_000))
    await asyncio.gather(first, second)
    world.check_values(await world.stored())
    await world.soon_complete()


async def test_a_fill_that_fails_is_tried_again(world: World) -> None:
    failures = 2

    async def fail(_request: server_gen_pb2.ReadFleetHistoryRequest) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise OpenManagerError("not now")

    world.fleet.before_history = fail
    await world.start_fleet()
    await world.start_metrics()
    await world.soon_complete()
    assert failures == 0
