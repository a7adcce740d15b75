"""Faults that cannot be meant are refused with a reason, and nothing of them is kept."""

import math
from dataclasses import replace

import pytest

from services.common.clock import ManualClock
from services.common.errors import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    OpenManagerError,
    RefusedError,
    ResourceExhaustedError,
)
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.scenario_file import load_scenario
from services.server_gen.domain.fleet import Fleet
from services.server_gen.domain.injection import MAX_FAULTS, MAX_OPEN_FAULTS, FaultWish, check_room
from tests.support.fleet_state import MemoryState, a_fault, an_open_fleet

NOW = 1_795_000_000.0
DAY = 86_400.0
WISH = FaultWish("cpu_runaway", "app-01", None, 600.0, 0.7)


async def refusal(fleet: Fleet, **changes: object) -> OpenManagerError:
    before = fleet.snapshot
    with pytest.raises(OpenManagerError) as caught:
        await fleet.inject(replace(WISH, **changes))  # type: ignore[arg-type]
    assert fleet.snapshot is before
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_finds_its_place(kind: str) -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=20) as fleet:
        fault = (await fleet.inject(replace(WISH, kind=kind, server=""))).fault
        roles = {server.hostname: server.role.name for server in fleet.snapshot.servers}
        assert fault.server == next(name for name, role in roles.items() if role == KINDS[kind].roles[0])
        assert (fault.start, fault.end, fault.source) == (NOW, NOW + 600, "injected")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("duration_seconds", value) for value in (0.0, 0.99, -1.0, 30 * DAY + 1, math.nan, math.inf, -math.inf)),
        *(("severity", value) for value in (0.0, -0.1, 1.0001, math.nan, math.inf, -math.inf)),
        *(("start", value) for value in (NOW - 61, NOW + 30 * DAY + 1, 0.0, -1e300, math.nan, math.inf)),
    ],
)
async def test_numbers_out_of_range(field: str, value: float) -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=20) as fleet:
        error = await refusal(fleet, **{field: value})
    assert isinstance(error, InvalidArgumentError)
    assert error.reason == "INVALID_FAULT"
    assert [wrong.field for wrong in error.fields] == [field.removesuffix("_seconds")]


@pytest.mark.parametrize("changes", [{"start": NOW - 60}, {"start": NOW + 30 * DAY}, {"duration_seconds": 1.0}, {"severity": 1.0}])
async def test_numbers_at_the_edge(changes: dict[str, float]) -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=20) as fleet:
        wish = replace(WISH, duration_seconds=30 * DAY)
        await fleet.inject(replace(wish, **changes))  # type: ignore[arg-type]


async def test_all_that_is_wrong_is_told_at_once() -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=20) as fleet:
        error = await refusal(fleet, kind="nonsense", duration_seconds=-1.0, severity=9.0)
    assert error.reason == "UNKNOWN_KIND"
    assert [wrong.field for wrong in error.fields] == ["kind", "duration", "severity"]


@pytest.mark.parametrize(
    "name", ["web-99", "LB-01", " lb-01", "../../etc/passwd", "lb-01\x00", "'; DROP TABLE faults; --", "웹", "x" * 9_999]
)
async def test_unknown_servers(name: str) -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=20) as fleet:
        error = await refusal(fleet, server=name)
    assert isinstance(error, RefusedError)
    assert error.reason == "UNKNOWN_SERVER"
    assert len(error.message) < 400


@pytest.mark.parametrize("kind", ["", "CPU_RUNAWAY", "x" * 9_999, "\x00"])
async def test_unknown_kinds(kind: str) -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=20) as fleet:
        error = await refusal(fleet, kind=kind)
    assert error.reason == "UNKNOWN_KIND"
    assert "cpu_runaway" in error.message
    assert len(error.message) < 1_000


async def test_a_fleet_without_a_fitting_server() -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=2) as fleet:
        assert (await refusal(fleet, kind="slow_query", server="")).reason == "NO_FITTING_SERVER"
        assert (await refusal(fleet, server="app-01")).reason == "UNKNOWN_SERVER"


async def test_the_same_kind_twice_at_a_time_on_a_server() -> None:
    clock = ManualClock(NOW)
    async with an_open_fleet(MemoryState(), clock, first_size=20) as fleet:
        first = (await fleet.inject(replace(WISH, start=NOW + 100))).fault
        for start, length in ((NOW + 100, 600.0), (NOW, 101.0), (NOW + 699, 5.0), (NOW, 2000.0), (NOW + 300, 1.0)):
            error = await refusal(fleet, start=start, duration_seconds=length)
            assert isinstance(error, ConflictError)
            assert error.reason == "FAULT_OVERLAPS"
            assert first.id in error.message
        # Right before, right after, elsewhere, and of another kind.
        await fleet.inject(replace(WISH, start=NOW, duration_seconds=100.0))
        await fleet.inject(replace(WISH, start=NOW + 700))
        await fleet.inject(replace(WISH, start=NOW + 100, server="app-02"))
        await fleet.inject(replace(WISH, start=NOW + 100, kind="disk_slow"))
        # In the place of one that was withdrawn.
        await fleet.cancel(first.id)
        await fleet.inject(replace(WISH, start=NOW + 100))


async def test_the_same_kind_as_in_the_scenario() -> None:
    async with an_open_fleet(MemoryState(), ManualClock(NOW), first_size=20, scenario=load_scenario("demo")) as fleet:
        planned = next(fault for fault in fleet.snapshot.plan.faults if fault.start > NOW)
        error = await refusal(fleet, kind=planned.kind, server=planned.server, start=planned.start + 5)
        assert error.reason == "FAULT_OVERLAPS"
        assert "scenario demo" in error.message
        far = fleet.world.scenario_faults(fleet.snapshot.record, fleet.snapshot.servers, NOW + 20 * DAY, NOW + 25 * DAY)[-1]
        assert (await refusal(fleet, kind=far.kind, server=far.server, start=far.start)).reason == "FAULT_OVERLAPS"


def test_too_many() -> None:
    def faults(count: int, end: float) -> list[object]:
        return [a_fault(number, start=NOW - 500, end=end, kind="clock_skew") for number in range(count)]

    new = a_fault(0, start=NOW, end=NOW + 60)
    check_room(new, faults(MAX_OPEN_FAULTS - 1, NOW + 1), [], NOW)  # type: ignore[arg-type]
    check_room(new, faults(MAX_FAULTS - 1, NOW), [], NOW)  # type: ignore[arg-type]
    for many in (faults(MAX_OPEN_FAULTS, NOW + 1), faults(MAX_FAULTS, NOW)):
        with pytest.raises(ResourceExhaustedError) as caught:
            check_room(new, many, [], NOW)  # type: ignore[arg-type]
        assert caught.value.reason == "TOO_MANY_FAULTS"


async def test_what_cannot_be_withdrawn() -> None:
    clock = ManualClock(NOW)
    async with an_open_fleet(MemoryState(), clock, first_size=20, scenario=load_scenario("demo")) as fleet:
        over = (await fleet.inject(replace(WISH, duration_seconds=60.0))).fault
        withdrawn = (await fleet.inject(replace(WISH, server="app-02"))).fault
        await fleet.cancel(withdrawn.id)
        await clock.advance(60)
        of_scenario = fleet.snapshot.plan.faults[-1].id
        expected: list[tuple[str, type[OpenManagerError], str]] = [
            (over.id, RefusedError, "FAULT_OVER"),
            (withdrawn.id, RefusedError, "FAULT_OVER"),
            (of_scenario, RefusedError, "SCENARIO_FAULT"),
            ("fault-99", NotFoundError, "FAULT_NOT_FOUND"),
            ("", NotFoundError, "FAULT_NOT_FOUND"),
            ("' OR 1=1 --" * 999, NotFoundError, "FAULT_NOT_FOUND"),
        ]
        for fault_id, kind, reason in expected:
            with pytest.raises(kind) as caught:
                await fleet.cancel(fault_id)
            assert caught.value.reason == reason
            assert len(caught.value.message) < 300
