"""The samples of the virtual fleet, as they come and as they were, through its RPCs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from openmanager.server_gen.v1 import server_gen_pb2 as pb
from services.common.clock import ManualClock
from services.common.errors import ConflictError, InvalidArgumentError, RefusedError
from services.server_gen.domain.catalogue import CATALOGUE
from services.server_gen.domain.watching import Watch
from tests.support.fleet_rpc import FleetService, at, columns, lasting, names, refused
from tests.support.fleet_state import MemoryState, an_open_fleet
from tests.support.services import in_process

NOW = 1_795_000_004.0
STEP = 1_795_000_000.0
DAY = 86_400.0

Samples = dict[tuple[tuple[tuple[str, str], ...], int], float]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[FleetService]:
    async with in_process() as services:
        yield FleetService(services, ManualClock(NOW), tmp_path)


def samples(*messages: pb.WatchFleetSamplesResponse | pb.ReadFleetHistoryResponse) -> Samples:
    """Every sample by labels and time."""
    labels = names(*messages)
    found: Samples = {}
    for message in messages:
        for series, time_ms, value in zip(*(column.tolist() for column in columns(message.samples)), strict=True):
            assert (labels[series], time_ms) not in found
            found[labels[series], time_ms] = value
    return found


def times(message: pb.WatchFleetSamplesResponse) -> list[float]:
    """The moments of a message, in seconds after STEP."""
    return sorted({float(time_ms / 1000 - STEP) for time_ms in columns(message.samples)[1]})


async def test_a_stream_follows_the_fleet(fleet: FleetService) -> None:
    await fleet.start()
    await fleet.generate()
    stream = fleet.stub.WatchFleetSamples(pb.WatchFleetSamplesRequest(interval=lasting(5)))
    steps = aiter(stream)

    async def next_step() -> tuple[list[float], set[str], set[int], int]:
        step = await anext(steps)
        new = {dict(labels)["server"] for labels in names(step).values()}
        assert step.generation == (await fleet.fleet()).generation
        return times(step), new, set(columns(step.samples)[0].tolist()), step.server_count

    moments, new, first_ids, count = await next_step()
    assert (moments, new, count) == ([0], {"lb-01"}, 1)
    await fleet.clock.advance(5)
    assert await next_step() == ([5], set(), first_ids, 1)
    # Who joins, and a fleet that begins, is seen at once and not only with the next step.
    await fleet.generate()
    moments, new, both_ids, count = await next_step()
    assert (moments, new, count) == ([5], {"web-01"}, 2)
    assert first_ids < both_ids
    await fleet.clock.advance(5)
    assert await next_step() == ([10], set(), both_ids, 2)
    await fleet.reset()
    assert await next_step() == ([], set(), set(), 0)
    await fleet.generate()
    # Nothing that was told of the fleet before is valid any more.
    assert await next_step() == ([10], {"lb-01"}, first_ids, 1)
    stream.cancel()


async def test_series_carry_the_labels_of_their_server(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    stream = fleet.stub.WatchFleetSamples(pb.WatchFleetSamplesRequest())
    step = await anext(aiter(stream))
    stream.cancel()
    labels = names(step)
    server = {"fleet": "demo", "role": "load_balancer", "server": "lb-01", "site": "seoul-1"}
    assert labels[1] == tuple(sorted({"__name__": "cpu", **server}.items()))
    assert all(pairs == tuple(sorted(pairs)) and len(dict(pairs)) == len(pairs) for pairs in labels.values())
    assert len(set(labels.values())) == len(labels)
    of_lb = [dict(pairs) for pairs in labels.values() if dict(pairs)["server"] == "lb-01"]
    assert len(of_lb) == len(CATALOGUE)
    assert {"__name__": "node_cpu_seconds_total", "cpu": "total", "mode": "steal", **server} in of_lb
    assert len({dict(pairs)["server"] for pairs in labels.values()}) == 20
    assert min(sum(dict(pairs)["server"] == name for pairs in labels.values()) for name in ("batch-01", "web-01")) >= 25


async def test_a_reader_that_was_held_up_gets_the_newest_step_and_not_all() -> None:
    clock = ManualClock(NOW)
    async with an_open_fleet(MemoryState(), clock, first_size=20) as domain:
        steps = Watch(domain, domain._pool, clock, 10_000).steps()
        offsets = []
        for seconds in (35, 5, 0):
            offsets.append((await anext(steps)).time_ms / 1000 - STEP)
            await clock.advance(seconds)
        assert offsets == [0.0, 30.0, 40.0]


async def test_the_past_comes_whole_and_then_the_present(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    await fleet.inject("slow_query", seconds=60.0)
    await fleet.clock.advance(600)
    stream = fleet.stub.WatchFleetSamples(pb.WatchFleetSamplesRequest(start=at(NOW - 3000)))
    steps = aiter(stream)
    past = [await anext(steps) for _ in range(360)]
    assert [times(step) for step in past] == [[10.0 * number] for number in range(-299, 61)]
    live = asyncio.ensure_future(anext(steps))
    await fleet.clock.advance(5)
    assert not live.done()
    await fleet.clock.advance(5)
    assert times(await live) == [610.0]
    stream.cancel()
    whole = await fleet.history(start=at(NOW - 3000), end=at(NOW + 600), step=lasting(10))
    assert samples(*past) == samples(*whole)


async def test_the_past_at_a_speed(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    request = pb.WatchFleetSamplesRequest(start=at(STEP - 3600), interval=lasting(60), speed=60.0)
    stream = fleet.stub.WatchFleetSamples(request)
    steps = aiter(stream)
    assert times(await anext(steps)) == [-3600 + 20]
    for number in range(1, 4):
        following = asyncio.ensure_future(anext(steps))
        await fleet.clock.advance(0.5)
        assert not following.done()
        await fleet.clock.advance(0.5)
        assert times(await following) == [-3600 + 20 + 60 * number]
    stream.cancel()


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("INVALID_START", {"start": at(NOW + 1)}),
        ("INVALID_START", {"start": at(NOW - 30 * DAY - 1)}),
        ("INVALID_START", {"start": Timestamp(seconds=-(2**63))}),
        ("INVALID_SPEED", {"start": at(NOW - 60), "speed": 0.5}),
        ("INVALID_SPEED", {"start": at(NOW - 60), "speed": -1.0}),
        ("INVALID_SPEED", {"speed": float("nan")}),
        ("INVALID_SPEED", {"speed": float("inf")}),
    ],
)
async def test_streams_that_cannot_be_meant(fleet: FleetService, reason: str, fields: dict[str, Any]) -> None:
    await fleet.start(demo=True)
    error = await refused(fleet.stub.WatchFleetSamples(pb.WatchFleetSamplesRequest(**fields)).read())
    assert isinstance(error, InvalidArgumentError)
    assert error.reason == reason


async def test_a_reset_in_the_middle_leaves_no_half_fleet(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    before = (await fleet.fleet()).generation
    stream = fleet.stub.WatchFleetSamples(pb.WatchFleetSamplesRequest(start=at(NOW - DAY)))
    found = []
    async for step in stream:
        found.append(step)
        if len(found) == 50:
            after = (await fleet.reset()).generation
        if len(found) == 150:
            await fleet.generate()
        if len(found) == 250:
            break
    stream.cancel()
    for step in found:
        ids = columns(step.samples)[0]
        assert len(np.unique((ids - 1) // len(CATALOGUE))) == step.server_count
        assert step.server_count == 20 if step.generation == before else step.server_count in (0, 1)
    assert {step.generation for step in found} == {before, after}
    moments = [columns(step.samples)[1][0] for step in found if step.server_count]
    assert moments == sorted(set(moments))
    anew = [step for step in found if step.generation == after and step.server_count]
    assert set(columns(anew[0].samples)[0].tolist()) == set(names(anew[0]))


async def test_history_is_each_series_in_one_piece(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    parts = await fleet.history(start=at(NOW - 14 * DAY), end=at(NOW), step=lasting(600))
    labels = names(*parts)
    assert {part.generation for part in parts} == {round(NOW * 1000)}
    assert sum(len(part.series) for part in parts) == len(labels)
    for part in parts:
        ids, moments, values = columns(part.samples)
        assert part.ByteSize() < 8_000_000
        assert len(ids) == len(moments) == len(values)
        assert not np.isnan(values).any()
        borders = np.flatnonzero(np.diff(ids.astype(np.int64)))
        assert len(borders) + 1 == len(set(ids.tolist()))
        rising = np.diff(moments) > 0
        rising[borders] = True
        assert rising.all()
        assert set(ids.tolist()) <= set(labels)
    found = samples(*parts)
    cpu = sorted(time_ms for (pairs, time_ms) in found if dict(pairs)["__name__"] == "cpu" and dict(pairs)["server"] == "lb-01")
    first = -(-round((NOW - 14 * DAY) * 1000) // 600_000) * 600_000
    assert cpu == list(range(first, round(NOW * 1000), 600_000))


async def test_history_of_some_servers_is_that_of_all(fleet: FleetService) -> None:
    await fleet.start(demo=True, scenario="demo")
    span = {"start": at(NOW - 12 * 3600), "end": at(NOW)}
    whole = samples(*await fleet.history(**span))
    some = samples(*await fleet.history(**span, servers=["web-02", "lb-01", "web-02"]))
    assert some == {key: value for key, value in whole.items() if dict(key[0])["server"] in ("lb-01", "web-02")}
    assert len(some) > 50 * 720


async def test_an_empty_fleet_has_no_history(fleet: FleetService) -> None:
    await fleet.start()
    assert await fleet.history(start=at(NOW - 3600), end=at(NOW)) == []


async def test_a_range_between_two_steps_is_empty(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    assert await fleet.history(start=at(STEP + 1), end=at(STEP + 4)) == []


async def test_history_ends_when_the_fleet_is_reset(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    request = pb.ReadFleetHistoryRequest(start=at(NOW - 14 * DAY), end=at(NOW))
    stream = fleet.stub.ReadFleetHistory(request)
    first = await stream.read()
    assert isinstance(first, pb.ReadFleetHistoryResponse)
    generation = (await fleet.reset()).generation

    async def rest() -> None:
        async for part in stream:
            assert part.generation == first.generation

    error = await refused(rest())
    assert isinstance(error, ConflictError)
    assert error.reason == "FLEET_CHANGED"
    request.generation = first.generation
    assert (await refused(fleet.stub.ReadFleetHistory(request).read())).reason == "FLEET_CHANGED"
    request.generation = generation
    assert [part async for part in fleet.stub.ReadFleetHistory(request)] == []


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("INVALID_TIME_RANGE", {"end": at(NOW + 1)}),
        ("INVALID_TIME_RANGE", {"start": at(NOW)}),
        ("INVALID_TIME_RANGE", {"start": at(NOW - 32 * DAY)}),
        ("INVALID_TIME_RANGE", {"start": at(-5)}),
        ("INVALID_TIME_RANGE", {"start": Timestamp(seconds=-(2**63)), "end": Timestamp(seconds=2**62)}),
        ("INVALID_INTERVAL", {"step": lasting(0)}),
        ("INVALID_INTERVAL", {"step": lasting(-60)}),
        ("INVALID_INTERVAL", {"step": lasting(3601)}),
    ],
)
async def test_history_that_cannot_be_meant(fleet: FleetService, reason: str, fields: dict[str, Any]) -> None:
    await fleet.start(demo=True)
    error = await refused(fleet.history(**{"start": at(NOW - 60), "end": at(NOW), **fields}))
    assert isinstance(error, InvalidArgumentError)
    assert error.reason == reason


async def test_history_of_a_server_that_there_is_not(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    error = await refused(fleet.history(start=at(NOW - 60), end=at(NOW), servers=["lb-01", "x" * 9999]))
    assert isinstance(error, RefusedError)
    assert error.reason == "UNKNOWN_SERVER"
