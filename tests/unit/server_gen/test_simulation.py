import subprocess
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.server_gen.domain.load import DAY, NIGHT, OFFICE, STEADY, Load, Profile, Wave
from services.server_gen.domain.noise import Floats, mix
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import COUNTERS, GAUGES, METRICS, Simulation

START = 1_795_000_000.0
SERVERS = roster(20)
TWO_WEEKS = START + np.arange(0.0, 14 * DAY, 600.0)


def figures(seed: int, times: Floats) -> dict[str, Floats]:
    return dict(zip(METRICS, Simulation(seed, SERVERS).over(times), strict=True))


def column(hostname: str) -> int:
    return [server.hostname for server in SERVERS].index(hostname)


def test_another_process_computes_the_same_figures() -> None:
    program = (
        "from services.server_gen.domain.roster import roster\n"
        "from services.server_gen.domain.simulation import Simulation\n"
        f"print(Simulation(7, roster(20)).at({START + 12_345.0}).tobytes().hex())"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60).stdout
    assert bytes.fromhex(printed.strip()) == Simulation(7, SERVERS).at(START + 12_345.0).tobytes()


def test_a_server_has_the_same_figures_in_any_fleet_and_any_range() -> None:
    times = START + np.arange(0.0, 600.0, 10.0)
    whole = Simulation(7, SERVERS).over(times)
    alone = Simulation(7, SERVERS[4:5])
    np.testing.assert_array_equal(alone.over(times)[:, :, 0], whole[:, :, 4])
    np.testing.assert_array_equal(alone.at(times[30])[:, 0], whole[:, 30, 4])


def test_another_seed_is_another_fleet() -> None:
    one, other = figures(1, TWO_WEEKS)["cpu"], figures(2, TWO_WEEKS)["cpu"]
    assert (one != other).mean() > 0.9


def test_an_empty_fleet_has_no_figures() -> None:
    assert Simulation(1, []).at(START).shape == (len(METRICS), 0)


@pytest.mark.parametrize("seed", [0, 1, 20, 2**63 - 1])
def test_figures_stay_within_what_is_possible(seed: int) -> None:
    now = figures(seed, TWO_WEEKS)
    for name in ("cpu", "memory", "disk", "swap"):
        assert now[name].min() >= 0.0
        assert now[name].max() <= 100.0
    assert now["load"].min() > 0.0
    assert np.nanmin(now["latency"]) > 0.0
    assert now["uptime_seconds"].min() >= 0.0
    finite = np.isfinite(np.stack([now[name] for name in METRICS if name not in ("latency", "requests_total")]))
    assert finite.all()


@pytest.mark.parametrize("seed", [0, 1, 20, 2**63 - 1])
def test_the_fleet_is_healthy(seed: int) -> None:
    now = figures(seed, TWO_WEEKS)
    warm = (now["cpu"] >= 80) | (now["memory"] >= 85) | (now["disk"] >= 85)
    critical = (now["cpu"] >= 95) | (now["memory"] >= 95) | (now["disk"] >= 95)
    assert warm.sum(axis=1).max() <= 2
    assert not critical.any()


def test_cpu_is_correlated_from_one_minute_to_the_next() -> None:
    cpu = figures(20, START + np.arange(0.0, 6 * 3600.0, 60.0))["cpu"]
    for server in cpu.T:
        assert np.corrcoef(server[:-1], server[1:])[0, 1] > 0.8


def test_counters_only_grow_until_a_restart() -> None:
    now = figures(20, START + np.arange(0.0, 100 * DAY, 3 * 3600.0))
    restarted = np.diff(now["uptime_seconds"], axis=0) < 0
    assert 20 <= restarted.sum() <= 40  # each server once or twice in a hundred days
    for name in COUNTERS:
        growth = np.diff(now[name], axis=0)
        known = np.isfinite(growth)
        assert (growth[known & ~restarted] > 0).all()
        assert (growth[known & restarted] < 0).all()


def test_counters_grow_every_second() -> None:
    now = figures(20, START + np.arange(0.0, 300.0, 1.0))
    for name in COUNTERS:
        assert (np.diff(now[name], axis=0)[:, np.isfinite(now[name][0])] >= 0).all()


@pytest.mark.parametrize("profile", [OFFICE, NIGHT, STEADY])
def test_work_is_the_integral_of_the_level(profile: Profile) -> None:
    seeds = mix(np.arange(5, dtype=np.uint64))
    load = Load(profile, mix(np.array([1], dtype=np.uint64)), seeds, np.zeros(5))
    times = (START + np.arange(0.0, DAY, 5.0))[:, None]
    level = load.level(times)
    assert level.min() > 0.0
    integral = ((level[1:] + level[:-1]) / 2 * 5.0).sum(axis=0)
    np.testing.assert_allclose((load.work(times[-1:]) - load.work(times[:1]))[0], integral, rtol=1e-5)


def test_a_profile_that_could_stand_still_is_refused() -> None:
    with pytest.raises(ValueError, match="reach 0"):
        Profile(9, (Wave(DAY, 0.9, 0.0),))


def test_offices_are_busy_by_day_and_in_the_week_and_batch_by_night() -> None:
    times = START - START % (7 * DAY) + np.arange(0.0, 28 * DAY, 1800.0)
    local = [datetime.fromtimestamp(time, ZoneInfo("Asia/Seoul")) for time in times]
    hours, weekend = np.array([t.hour for t in local]), np.array([t.weekday() >= 5 for t in local])
    cpu = figures(20, times)["cpu"]
    web, batch = cpu[:, column("web-01")], cpu[:, column("batch-01")]
    afternoon, night = (hours >= 13) & (hours < 17), (hours >= 2) & (hours < 5)
    assert web[afternoon].mean() > 2.0 * web[night].mean()
    assert web[afternoon & ~weekend].mean() > 1.1 * web[afternoon & weekend].mean()
    assert batch[night].mean() > 1.5 * batch[afternoon].mean()


def test_latency_rises_with_utilisation_and_faster_when_busy() -> None:
    now = figures(20, TWO_WEEKS)
    cpu, latency = now["cpu"][:, column("api-01")], now["latency"][:, column("api-01")]
    low, middle, high = (latency[(cpu >= edge) & (cpu < edge + 5)].mean() for edge in (15.0, 35.0, 55.0))
    assert middle - low > 0.0
    assert high - middle > middle - low


def test_disks_fill_slowly_and_are_emptied_in_turn() -> None:
    disk = figures(20, START + np.arange(0.0, 30 * DAY, 600.0))["disk"]
    steps = np.diff(disk, axis=0)
    assert (steps < 0).any(axis=0).all()
    assert steps[steps > 0].max() <= 0.2
    assert len({tuple(np.flatnonzero(server < 0)) for server in steps.T}) == 20


def test_network_follows_the_requests() -> None:
    now = figures(20, START + np.arange(0.0, 2 * DAY, 600.0))
    web = column("web-01")
    received, requests = np.diff(now["network_receive_bytes_total"][:, web]), np.diff(now["requests_total"][:, web])
    assert np.corrcoef(received, requests)[0, 1] > 0.999


def test_every_figure_is_a_gauge_or_a_counter() -> None:
    assert METRICS == GAUGES + COUNTERS
    assert len(set(METRICS)) == len(METRICS)
