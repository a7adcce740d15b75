"""What a snapshot keeps of the one before changes no figure."""

from dataclasses import replace

import numpy as np
import pytest

from services.server_gen.domain.faults.scenario_file import load_scenario
from services.server_gen.domain.ports import FleetRecord
from services.server_gen.domain.snapshot import Snapshot, World
from tests.support.fleet_state import a_fault

NOW = 1_795_000_000.0
DAY = 86_400.0
TIMES = np.concatenate([NOW - 10 * DAY + 3600.0 * np.arange(48.0), NOW + 45.0 * np.arange(-60.0, 200.0)])
RUNNING = a_fault(1, kind="cpu_runaway", server="app-01", start=NOW - 3600.0, end=NOW + 3600.0)
NEW = a_fault(2, kind="slow_query", start=NOW - 30.0, end=NOW + 1800.0)


@pytest.fixture(scope="module")
def world() -> World:
    return World(20, load_scenario("demo"))


def of(size: int) -> FleetRecord:
    return FleetRecord(size, 1, NOW - DAY, "")


def same(one: Snapshot, other: Snapshot) -> bool:
    return np.array_equal(one.figures(TIMES), other.figures(TIMES), equal_nan=True)


def test_a_new_fault_a_withdrawn_one_and_a_server_that_joins(world: World) -> None:
    earlier = world.snapshot(of(18), [RUNNING], NOW)
    earlier.figures(TIMES)
    withdrawn = replace(RUNNING, cancelled_at=NOW)
    for size, faults in (
        (18, [RUNNING, NEW]),
        (18, [withdrawn]),
        (19, [RUNNING]),
        (20, [withdrawn, NEW]),
        (12, []),
        (18, [RUNNING]),
    ):
        assert same(world.snapshot(of(size), faults, NOW, earlier), world.snapshot(of(size), faults, NOW))


def test_one_change_after_the_other(world: World) -> None:
    snapshot = world.snapshot(of(20), [], NOW)
    for faults in ([RUNNING], [RUNNING, NEW], [replace(RUNNING, cancelled_at=NOW), NEW], [replace(RUNNING, cancelled_at=NOW)]):
        snapshot.figures(TIMES)
        snapshot = world.snapshot(of(20), faults, NOW, snapshot)
        assert same(snapshot, world.snapshot(of(20), faults, NOW))


def test_a_part_has_the_figures_of_the_whole(world: World) -> None:
    snapshot = world.snapshot(of(20), [RUNNING, NEW], NOW)
    whole = snapshot.figures(TIMES)
    for places in ([3], [4, 0, 13]):
        part = snapshot.part([snapshot.servers[place] for place in places])
        assert np.array_equal(part.over(TIMES), whole[:, :, places], equal_nan=True)
