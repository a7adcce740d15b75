import numpy as np
import pytest

from services.server_gen.domain.catalogue import CATALOGUE, ROW
from services.server_gen.domain.machines import Machines
from services.server_gen.domain.moments import Moments
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.physics import REST, flow, healthy_rates
from services.server_gen.domain.roles import DAY
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import Simulation

START = 1_795_000_000.0
SERVERS = roster(60)
NAMES = [server.hostname for server in SERVERS]
TWO_WEEKS = START + np.arange(0.0, 14 * DAY, 900.0)
PERCENTS = ("cpu", "memory", "disk", "swap")
COUNTERS = [metric.key for metric in CATALOGUE if metric.counter]
MODES = ("cpu_idle", "cpu_user", "cpu_system", "cpu_iowait", "cpu_steal")


def figures(seed: int, times: Floats) -> dict[str, Floats]:
    values = Simulation(seed, SERVERS).over(times)
    return {metric.key: values[ROW[metric.key]] for metric in CATALOGUE}


def test_an_empty_fleet_has_no_figures() -> None:
    assert Simulation(1, []).at(START).shape == (len(CATALOGUE), 0)


def test_no_times_give_no_figures() -> None:
    assert Simulation(1, SERVERS).over(np.array([])).shape == (len(CATALOGUE), 0, len(SERVERS))


@pytest.mark.parametrize("seed", [0, 20, 2**63 - 1])
def test_figures_stay_within_what_is_possible(seed: int) -> None:
    now = figures(seed, TWO_WEEKS)
    for name in PERCENTS:
        assert now[name].min() >= 0.0
        assert now[name].max() <= 100.0
    serving = ("latency", "connections", "queue_depth", "requests", "errors")
    assert all(np.isfinite(now[metric.key]).all() for metric in CATALOGUE if metric.key not in serving)
    assert (np.isnan(now["latency"]).all(axis=0) == [server.role.requests == 0 for server in SERVERS]).all()
    assert np.nanmin(now["latency"]) > 0.0
    assert (now["memory_available"] <= now["memory_total"]).all()
    assert (now["memory_cached"] <= now["memory_available"]).all()
    assert (now["disk_available"] <= now["disk_size"]).all()
    assert abs(now["clock_offset"]).max() < 0.001
    for name in ("load1", "load5", "load15"):
        assert now[name].min() > 0.0


@pytest.mark.parametrize("seed", [0, 20, 2**63 - 1])
def test_the_fleet_is_healthy(seed: int) -> None:
    now = figures(seed, TWO_WEEKS)
    warm = (now["cpu"] >= 80) | (now["memory"] >= 85) | (now["disk"] >= 85)
    critical = (now["cpu"] >= 95) | (now["memory"] >= 95) | (now["disk"] >= 95)
    assert warm.sum(axis=1).max() <= 3
    assert warm.mean() < 0.001
    assert not critical.any()
    assert np.nanmax(now["errors"] / np.maximum(now["requests"], 1.0)) < 0.01


def test_counters_only_grow_until_a_restart() -> None:
    now = figures(20, START + np.arange(0.0, 100 * DAY, 3 * 3600.0))
    restarted = np.diff(now["boot_time"], axis=0) > 0
    assert len(SERVERS) <= restarted.sum() <= 2 * len(SERVERS)
    for name in COUNTERS:
        growth = np.diff(now[name], axis=0)
        known = np.isfinite(growth)
        assert (growth[known & ~restarted] >= 0).all(), name
        if name != "errors":
            assert (growth[known & restarted] < 0).all(), name


def test_counters_grow_every_second() -> None:
    now = figures(20, START + np.arange(0.0, 300.0, 1.0))
    for name in COUNTERS:
        assert (np.diff(now[name], axis=0)[:, np.isfinite(now[name][0])] >= 0).all()


def test_counters_are_whole_numbers_but_those_of_seconds() -> None:
    now = figures(20, START + np.arange(0.0, 300.0, 10.0))
    for metric in CATALOGUE:
        if metric.counter and metric.unit != "seconds":
            known = now[metric.key][np.isfinite(now[metric.key])]
            assert (known == np.floor(known)).all()


def test_processor_modes_fill_every_second() -> None:
    now = figures(20, TWO_WEEKS[:500])
    running = (np.diff(now["boot_time"], axis=0) == 0).all(axis=0)
    total = sum((now[mode] for mode in MODES), np.zeros(()))
    np.testing.assert_allclose(np.diff(total, axis=0)[:, running], 900.0, atol=0.1)


def test_processor_seconds_agree_with_the_percentage() -> None:
    times = START + np.arange(0.0, 6 * 3600.0, 10.0)
    now = figures(20, times)
    busy = sum((now[mode] for mode in ("cpu_user", "cpu_system", "cpu_steal")), np.zeros(()))
    average = 100.0 * (busy[-1] - busy[0]) / (times[-1] - times[0])
    np.testing.assert_allclose(now["cpu"].mean(axis=0), average, atol=0.3)


def test_resting_levers_give_the_rates_that_counters_are_made_of() -> None:
    machines = Machines(3, SERVERS)
    rate = Moments(machines).at(TWO_WEEKS[:200]).rate
    happening, linear = flow(machines, rate, REST).rates, healthy_rates(machines, rate)
    for key, values in linear.items():
        np.testing.assert_allclose(np.broadcast_to(happening[key], (60, 200)), np.broadcast_to(values, (60, 200)), rtol=1e-9)


def test_latency_rises_with_utilisation_and_faster_when_busy() -> None:
    now = figures(20, TWO_WEEKS)
    cpu, latency = now["cpu"][:, NAMES.index("api-01")], now["latency"][:, NAMES.index("api-01")]
    low, middle, high = (np.median(latency[(cpu >= edge) & (cpu < edge + 10)]) for edge in (8.0, 30.0, 52.0))
    assert middle - low > 0.0
    assert high - middle > middle - low


def test_connections_and_queues_follow_the_requests() -> None:
    now = figures(20, TWO_WEEKS)
    web = NAMES.index("web-01")
    requests = np.diff(now["requests"][:, web])
    steady = requests > 0
    for name in ("connections", "queue_depth", "established", "load5"):
        assert np.corrcoef(requests[steady], now[name][1:, web][steady])[0, 1] > 0.8, name


def test_disks_fill_slowly_and_are_emptied_in_turn() -> None:
    disk = figures(20, START + np.arange(0.0, 30 * DAY, 600.0))["disk"]
    steps = np.diff(disk, axis=0)
    assert steps[steps > 0].max() <= 0.2
    assert ((steps < 0).sum(axis=0) >= 1).all()
    assert ((steps < 0).sum(axis=0) <= 11).all()
    assert len({tuple(np.flatnonzero(server < 0)) for server in steps.T}) > 40


def test_load_averages_follow_one_another() -> None:
    now = figures(20, START + np.arange(0.0, 3 * DAY, 60.0))
    swings = [np.abs(np.diff(now[name], axis=0)).mean() for name in ("load1", "load5", "load15")]
    assert swings[0] > swings[1] > swings[2]
    np.testing.assert_allclose(now["load1"].mean(axis=0), now["load15"].mean(axis=0), rtol=0.1)


def test_caches_fill_after_a_start_and_garbage_is_collected() -> None:
    times = START + np.arange(0.0, 100 * DAY, 1800.0)
    now = figures(20, times)
    cache, app = NAMES.index("cache-01"), NAMES.index("app-01")
    restart = int(np.flatnonzero(np.diff(now["start_time"][:, cache]) > 0)[0])
    memory = now["memory"][:, cache]
    assert memory[restart + 2] < memory[restart] - 20.0
    week = int(7 * DAY / 1800.0)
    if restart + week < len(memory):
        assert memory[restart + week] > memory[restart + 2] + 15.0
    minutes = Simulation(20, SERVERS[app : app + 1]).over(START + 60.0 * np.arange(2880.0))[ROW["memory"], :, 0]
    assert (np.diff(minutes) < -3.0).sum() >= 10


def test_backups_run_at_night() -> None:
    times = START + np.arange(0.0, 7 * DAY, 600.0)
    read = np.diff(figures(20, times)["disk_read"][:, NAMES.index("db-primary-seoul-1")])
    hour = ((times[1:] + 9 * 3600.0) % DAY) // 3600.0
    assert np.percentile(read[(hour >= 2) & (hour < 5)], 80) > 3.0 * np.percentile(read[(hour >= 9) & (hour < 18)], 80)


def test_the_far_past_and_future_can_be_asked() -> None:
    simulation = Simulation(20, SERVERS[:3])
    for time in (0.0, 4_000_000_000.0):
        assert np.isfinite(simulation.at(time)[ROW["cpu"]]).all()
