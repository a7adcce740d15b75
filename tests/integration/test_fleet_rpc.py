"""The virtual fleet through its RPCs."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf import duration_pb2

from openmanager.server_gen.v1 import server_gen_pb2 as pb
from openmanager.server_gen.v1.server_gen_pb2_grpc import ServerGenServiceStub
from services.common.clock import ManualClock
from services.common.errors import ConflictError, InvalidArgumentError, from_rpc_error
from services.server_gen.adapters.state_file import StateFile
from services.server_gen.app import build
from services.server_gen.domain.fleet import Fleet as DomainFleet
from services.server_gen.servicer import ServerGenServicer
from services.server_gen.settings import ServerGenSettings
from tests.support.services import InProcess, in_process

NOW = 1_795_000_004.0
STEP = 1_795_000_000.0


class Fleet:
    def __init__(self, services: InProcess, clock: ManualClock, folder: Path) -> None:
        self.services = services
        self.clock = clock
        self.folder = folder
        self.stub = ServerGenServiceStub(services.channel("server_gen"))

    async def start(self, *, demo: bool = False) -> None:
        settings = ServerGenSettings(data_dir=self.folder, demo=demo)
        await self.services.start("server_gen", lambda connect, telemetry: build(settings, connect, telemetry, self.clock))

    async def generate(self, current_count: int | None = None, *, reset: bool = False) -> pb.GenerateServerResponse:
        return await self.stub.GenerateServer(pb.GenerateServerRequest(current_count=current_count, reset=reset))

    async def status(self) -> pb.GetFleetStatusResponse:
        return await self.stub.GetFleetStatus(pb.GetFleetStatusRequest())


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with in_process() as services:
        yield Fleet(services, ManualClock(NOW), tmp_path)


async def test_servers_are_added_until_the_fleet_is_complete(fleet: Fleet) -> None:
    await fleet.start()
    count = 0
    names = []
    for expected in range(1, 21):
        response = await fleet.generate(count)
        count = response.current_count
        assert (count, response.target_count) == (expected, 20)
        names.append(response.server.hostname)
        assert {"cpu", "memory", "disk"} <= set(response.server.metrics)
    assert len(set(names)) == 20
    after = await fleet.generate(count)
    assert not after.HasField("server")
    status = await fleet.status()
    assert [server.hostname for server in status.servers] == names
    assert (status.current_count, status.target_count) == (20, 20)


async def test_a_caller_that_is_behind_is_refused_unless_it_resets(fleet: Fleet) -> None:
    await fleet.start()
    await fleet.generate()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await fleet.generate(5)
    error = from_rpc_error(caught.value)
    assert isinstance(error, ConflictError)
    assert error.reason == "FLEET_CHANGED"
    assert (await fleet.generate(5, reset=True)).current_count == 1


async def test_a_demo_starts_complete_and_stays_as_it_was_left(fleet: Fleet) -> None:
    await fleet.start(demo=True)
    assert (await fleet.status()).current_count == 20
    assert (await fleet.stub.ResetFleet(pb.ResetFleetRequest())).removed == 20
    await fleet.generate()
    await fleet.services.stop("server_gen")
    await fleet.start(demo=True)
    assert [server.hostname for server in (await fleet.status()).servers] == ["lb-01"]


async def test_status_and_samples_agree(fleet: Fleet) -> None:
    await fleet.start(demo=True)
    stream = fleet.stub.WatchFleetSamples(pb.WatchFleetSamplesRequest())
    step = await anext(aiter(stream))
    stream.cancel()
    labels = {series.id: {label.name: label.value for label in series.labels} for series in step.series}
    ids = np.frombuffer(step.samples.series_ids, "<u8").tolist()
    values = np.frombuffer(step.samples.values, "<f8").tolist()
    told = {(labels[i]["server"], labels[i]["__name__"]): value for i, value in zip(ids, values, strict=True)}
    assert set(np.frombuffer(step.samples.timestamps_ms, "<i8").tolist()) == {round(STEP * 1000)}
    for server in (await fleet.status()).servers:
        assert server.time.seconds == STEP
        for name, value in server.metrics.items():
            assert told[server.hostname, name] == value
    assert labels[ids[0]] == {"__name__": "cpu", "fleet": "demo", "role": "load_balancer", "server": "lb-01", "site": "seoul-1"}


async def test_a_stream_follows_the_fleet(fleet: Fleet) -> None:
    await fleet.start()
    await fleet.generate()
    request = pb.WatchFleetSamplesRequest(interval=duration_pb2.Duration(seconds=5))
    stream = fleet.stub.WatchFleetSamples(request)
    steps = aiter(stream)

    async def next_step() -> tuple[list[int], set[str], set[int]]:
        step = await anext(steps)
        times = np.frombuffer(step.samples.timestamps_ms, "<i8") // 1000 - int(STEP)
        servers = {label.value for series in step.series for label in series.labels if label.name == "server"}
        return sorted(set(times.tolist())), servers, set(np.frombuffer(step.samples.series_ids, "<u8").tolist())

    times, new, first_ids = await next_step()
    assert (times, new) == ([0], {"lb-01"})
    await fleet.clock.advance(5)
    assert await next_step() == ([5], set(), first_ids)
    await fleet.generate()
    await fleet.clock.advance(5)
    times, new, both_ids = await next_step()
    assert (times, new) == ([10], {"web-01"})
    assert first_ids < both_ids
    await fleet.stub.ResetFleet(pb.ResetFleetRequest())
    await fleet.clock.advance(5)
    assert await next_step() == ([], set(), set())
    await fleet.generate()
    await fleet.clock.advance(5)
    # The same server is the same series again, and the stream has had its definition.
    assert await next_step() == ([20], set(), first_ids)
    stream.cancel()


async def test_a_reader_that_was_held_up_gets_the_newest_step_and_not_all(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    domain = DomainFleet(20, 20, StateFile(tmp_path / "fleet.json"), complete_at_first=True)
    await domain.open()
    steps = ServerGenServicer(domain, clock, 10.0).WatchFleetSamples(pb.WatchFleetSamplesRequest(), None)
    offsets = []
    for seconds in (35, 5, 0):
        step = await anext(steps)
        offsets.append(int(np.frombuffer(step.samples.timestamps_ms, "<i8")[0]) / 1000 - STEP)
        await clock.advance(seconds)
    assert offsets == [0.0, 30.0, 40.0]


@pytest.mark.parametrize("seconds", [0, -5, 7200])
async def test_an_impossible_interval_is_refused(fleet: Fleet, seconds: int) -> None:
    await fleet.start()
    request = pb.WatchFleetSamplesRequest(interval=duration_pb2.Duration(seconds=seconds))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await fleet.stub.WatchFleetSamples(request).read()
    error = from_rpc_error(caught.value)
    assert isinstance(error, InvalidArgumentError)
    assert error.reason == "INVALID_INTERVAL"
