"""Faults of the virtual fleet and the truth about them, through its RPCs."""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from openmanager.server_gen.v1 import server_gen_pb2 as pb
from services.common.clock import ManualClock
from services.common.errors import InvalidArgumentError, NotFoundError, RefusedError
from services.common.paging import write_token
from services.server_gen.domain.faults.kinds import KINDS
from tests.support.fleet_rpc import FleetService, at, lasting, refused
from tests.support.services import in_process

NOW = 1_795_000_004.0
DAY = 86_400.0


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[FleetService]:
    async with in_process() as services:
        service = FleetService(services, ManualClock(NOW), tmp_path)
        await service.start(demo=True)
        yield service


async def test_a_fault_comes_with_its_truth(fleet: FleetService) -> None:
    fault = await fleet.inject("slow_query", seconds=1800.0, start=at(NOW + 60), severity=0.9)
    assert (fault.kind, fault.server, fault.severity, fault.source) == ("slow_query", "db-primary-seoul-1", 0.9, "injected")
    assert (fault.start.seconds, fault.end.seconds) == (NOW + 60, NOW + 1860)
    assert fault.state == pb.FAULT_STATE_SCHEDULED
    assert not fault.harmless
    assert "db-primary-seoul-1" in fault.root_cause
    assert fault.ramp.seconds > 0
    assert fault.servers[0] == "db-primary-seoul-1"
    assert len(fault.servers) > 1
    onsets = [symptom.onset.seconds for symptom in fault.symptoms]
    assert onsets == sorted(onsets)
    assert onsets[0] >= NOW + 60
    assert {(symptom.server, symptom.metric, symptom.direction) for symptom in fault.symptoms} >= {
        ("db-primary-seoul-1", "latency", 1),
        ("api-01", "latency", 1),
    }
    assert await fleet.faults() == [fault]


async def test_the_life_of_a_fault(fleet: FleetService) -> None:
    fault = await fleet.inject(start=at(NOW + 100), seconds=200.0)
    states = []
    for _ in range(4):
        states.append((await fleet.faults())[0].state)
        await fleet.clock.advance(100)
    assert states == [pb.FAULT_STATE_SCHEDULED, pb.FAULT_STATE_ACTIVE, pb.FAULT_STATE_ACTIVE, pb.FAULT_STATE_ENDED]
    assert (await refused(fleet.cancel(fault.id))).reason == "FAULT_OVER"


async def test_a_withdrawn_fault_is_shown_to_those_who_ask(fleet: FleetService) -> None:
    running = await fleet.inject(seconds=600.0)
    planned = await fleet.inject("cpu_runaway", start=at(NOW + 300))
    await fleet.clock.advance(100)
    cancelled = await fleet.cancel(running.id)
    never = await fleet.cancel(planned.id)
    assert (cancelled.state, cancelled.end.seconds) == (pb.FAULT_STATE_CANCELLED, NOW + 100)
    assert len(cancelled.symptoms) > 0
    assert (never.state, never.start, never.end, len(never.symptoms)) == (pb.FAULT_STATE_CANCELLED, planned.start, planned.start, 0)
    assert never.servers == ["batch-01"]
    assert await fleet.faults() == []
    assert await fleet.faults(cancelled=True) == [never, cancelled]
    await fleet.restart(demo=True)
    assert await fleet.faults(cancelled=True) == [never, cancelled]


async def test_every_kind_on_one_server_at_once(fleet: FleetService) -> None:
    made = [await fleet.inject(kind, "lb-01", seconds=60.0, severity=0.5) for kind in KINDS]
    assert {fault.kind for fault in await fleet.faults()} == set(KINDS)
    for fault in made:
        await fleet.cancel(fault.id)
    assert await fleet.faults() == []


async def test_a_reset_leaves_no_fault(fleet: FleetService) -> None:
    fault = await fleet.inject()
    await fleet.reset()
    assert await fleet.faults(cancelled=True) == []
    assert isinstance(await refused(fleet.cancel(fault.id)), NotFoundError)
    assert (await refused(fleet.inject("slow_query"))).reason == "NO_FITTING_SERVER"
    assert (await refused(fleet.inject("slow_query", "db-primary-seoul-1"))).reason == "UNKNOWN_SERVER"


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("UNKNOWN_KIND", {"kind": "nonsense"}),
        ("UNKNOWN_KIND", {"kind": ""}),
        ("UNKNOWN_SERVER", {"server": "web-99"}),
        ("UNKNOWN_SERVER", {"server": "../../etc/passwd\x00'; DROP TABLE faults; --" * 100}),
        ("INVALID_FAULT", {"duration": lasting(0)}),
        ("INVALID_FAULT", {"duration": lasting(-60)}),
        ("INVALID_FAULT", {"duration": Duration(seconds=2**62)}),
        ("INVALID_FAULT", {"duration": Duration(seconds=-(2**63))}),
        ("INVALID_FAULT", {"duration": lasting(31 * DAY)}),
        ("INVALID_FAULT", {"severity": 0.0}),
        ("INVALID_FAULT", {"severity": -1.0}),
        ("INVALID_FAULT", {"severity": 1.5}),
        ("INVALID_FAULT", {"severity": math.nan}),
        ("INVALID_FAULT", {"severity": math.inf}),
        ("INVALID_FAULT", {"start": at(NOW - 61)}),
        ("INVALID_FAULT", {"start": at(NOW + 31 * DAY)}),
        ("INVALID_FAULT", {"start": Timestamp(seconds=2**62, nanos=-5)}),
        ("INVALID_FAULT", {"start": Timestamp(seconds=-(2**63))}),
    ],
)
async def test_what_cannot_be_meant(fleet: FleetService, reason: str, fields: dict[str, object]) -> None:
    request = pb.InjectFaultRequest(**{"kind": "disk_slow", "duration": lasting(60), "severity": 0.5, **fields})  # type: ignore[arg-type]
    error = await refused(fleet.stub.InjectFault(request))
    assert error.reason == reason
    assert isinstance(error, RefusedError if reason == "UNKNOWN_SERVER" else InvalidArgumentError)
    assert len(error.message) < 1000
    assert await fleet.faults(cancelled=True) == []


async def test_pages_from_the_latest_to_the_first(fleet: FleetService) -> None:
    made = [await fleet.inject("disk_slow", start=at(NOW + 100 * number), seconds=50.0) for number in range(7)]
    made += [await fleet.inject("cpu_runaway", start=at(NOW + 300), seconds=50.0)]
    found: list[pb.Fault] = []
    token, pages = "", 0
    while pages == 0 or token:
        page = await fleet.stub.ListFaults(pb.ListFaultsRequest(page_size=3, page_token=token))
        found += page.faults
        token, pages = page.next_page_token, pages + 1
        # What is planned meanwhile is later than all that was told, and spoils no page.
        await fleet.inject("clock_skew", start=at(NOW + 5000 + 100 * pages), seconds=50.0)
    assert pages == 3
    assert [fault.id for fault in found] == [
        fault.id for fault in sorted(made, key=lambda one: (one.start.seconds, one.id), reverse=True)
    ]
    assert len((await fleet.stub.ListFaults(pb.ListFaultsRequest(page_size=2**31 - 1))).faults) == 11


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("INVALID_PAGE_SIZE", {"page_size": -1}),
        ("INVALID_PAGE_TOKEN", {"page_token": "garbage"}),
        ("INVALID_PAGE_TOKEN", {"page_token": "🙂"}),
        ("INVALID_PAGE_TOKEN", {"page_token": "A" * 100_000}),
        ("INVALID_PAGE_TOKEN", {"page_token": write_token("rules", "a")}),
        ("INVALID_PAGE_TOKEN", {"page_token": write_token("faults", "a", "b")}),
        ("INVALID_TIME_RANGE", {"start": at(NOW), "end": at(NOW)}),
        ("INVALID_TIME_RANGE", {"end": at(NOW + 32 * DAY)}),
        ("INVALID_TIME_RANGE", {"end": Timestamp(seconds=2**62)}),
    ],
)
async def test_lists_that_cannot_be_meant(fleet: FleetService, reason: str, fields: dict[str, object]) -> None:
    error = await refused(fleet.stub.ListFaults(pb.ListFaultsRequest(**fields)))  # type: ignore[arg-type]
    assert isinstance(error, InvalidArgumentError)
    assert error.reason == reason


async def test_only_what_is_under_way_in_the_range(fleet: FleetService) -> None:
    early = await fleet.inject("disk_slow", seconds=100.0)
    late = await fleet.inject("disk_slow", start=at(NOW + 3600), seconds=100.0)
    far = await fleet.inject("disk_slow", start=at(NOW + 20 * DAY), seconds=100.0)

    async def listed(start: float | None, end: float | None) -> list[str]:
        fields = {key: at(value) for key, value in (("start", start), ("end", end)) if value is not None}
        return [fault.id for fault in await fleet.faults(**fields)]

    assert await listed(None, None) == [late.id, early.id]
    assert await listed(NOW + 100, None) == [late.id]
    assert await listed(NOW + 99, NOW + 3600) == [early.id]
    assert await listed(None, NOW + 30 * DAY) == [far.id, late.id, early.id]
    assert await listed(-1e9, NOW) == []


async def test_faults_of_the_scenario_stand_beside_those_that_were_injected(fleet: FleetService) -> None:
    await fleet.restart(demo=True, scenario="demo")
    injected = await fleet.inject("network_loss")
    found = await fleet.faults()
    assert {fault.source for fault in found} == {"demo", "injected"}
    assert [fault.start.seconds for fault in found] == sorted((fault.start.seconds for fault in found), reverse=True)
    assert injected in found
    # They reach back into the fleet's past, and ahead for a day.
    assert min(fault.start.seconds for fault in found) < NOW - 10 * DAY
    assert NOW < max(fault.start.seconds for fault in found) < NOW + DAY
    error = await refused(fleet.cancel(next(fault.id for fault in found if fault.source == "demo")))
    assert isinstance(error, RefusedError)
    assert error.reason == "SCENARIO_FAULT"
    assert {fault.id for fault in found} == {fault.id for fault in await fleet.faults(cancelled=True)}
