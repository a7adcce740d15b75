"""The same question has the same answer to the bit: in any process, in any pieces, beside any others."""

import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from services.server_gen.domain.catalogue import ROW
from services.server_gen.domain.roles import DAY
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import Simulation
from tests.support.fleet_hash import fleet_hash
from tests.support.fleet_levers import Held, Pulled

START = 1_795_000_000.0
SERVERS = roster(40)
WORLD = Pulled(
    Held(2, START + 3_000.0, START + 9_999.0, {"cpu": 0.6, "memory": 0.2}),
    Held(2, START + 12_345.0, START + 12_745.0, {"down": 1.0}, (START + 12_745.0 - 90.0,)),
    Held(7, START + 1.0, START + 20_000.0, {"disk_busy": 0.7, "disk_written": 3.0}),
    Held(30, START + 5_000.0, START + 5_600.0, {"silent": 1.0}),
)


@pytest.mark.parametrize("step", [1.0, 7.3, 60.0, 3600.0])
def test_pieces_are_those_of_the_whole(step: float) -> None:
    times = START + step * np.arange(400.0)
    whole = Simulation(7, SERVERS, WORLD).over(times)
    simulation = Simulation(7, SERVERS, WORLD)
    backwards = [simulation.over(times[first : first + 37]) for first in reversed(range(0, len(times), 37))]
    assert np.concatenate(backwards[::-1], axis=1).tobytes() == whole.tobytes()
    assert simulation.at(times[123]).tobytes() == np.ascontiguousarray(whole[:, 123]).tobytes()


def test_a_server_is_the_same_in_any_fleet_and_any_order() -> None:
    times = START + 60.0 * np.arange(300.0)
    whole = Simulation(7, SERVERS, WORLD).over(times)
    order = [30, 2, 7, 0, 39]
    part = Simulation(7, [SERVERS[at] for at in order], WORLD).over(times)
    assert part.tobytes() == np.ascontiguousarray(whole[:, :, order]).tobytes()
    for at in (2, 5):
        alone = Simulation(7, SERVERS[at : at + 1], WORLD).over(times)
        assert alone[:, :, 0].tobytes() == np.ascontiguousarray(whole[:, :, at]).tobytes()


def test_pieces_hold_over_a_restart_and_a_rotation() -> None:
    times = START + np.arange(0.0, 100 * DAY, 7200.0)
    whole = Simulation(7, SERVERS).over(times)
    simulation = Simulation(7, SERVERS[:9])
    for at in range(0, len(times), 100):
        assert simulation.at(times[at]).tobytes() == np.ascontiguousarray(whole[:, at, :9]).tobytes()


def test_another_seed_is_another_fleet() -> None:
    times = START + 600.0 * np.arange(500.0)
    one, other = (Simulation(seed, SERVERS).over(times)[ROW["cpu"]] for seed in (1, 2))
    assert (one != other).mean() > 0.95


def test_a_holiday_of_the_house_changes_that_day_alone() -> None:
    day = date(2026, 11, 25)
    times = 1_795_564_800.0 + 3600.0 * np.arange(-48.0, 72.0)  # 25 November, 09:00 in Korea
    plain, free = (Simulation(7, SERVERS[:2], holidays=dates).over(times)[ROW["cpu"]] for dates in ((), (day,)))
    assert (plain[:24] == free[:24]).all()
    assert (free[48:57] < 0.75 * plain[48:57]).all()


def test_processes_agree_on_a_thousand_servers_over_a_day() -> None:
    def printed(seed: int) -> str:
        command = [sys.executable, "-m", "tests.support.fleet_hash", str(seed)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout.strip()

    one = printed(20)
    assert len(one) == 64
    assert printed(20) == one


def test_another_seed_has_another_hash() -> None:
    assert fleet_hash(20, 50) == fleet_hash(20, 50) != fleet_hash(21, 50)
