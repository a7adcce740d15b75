"""What pulled levers do to a server, and what they must not do."""

import numpy as np
import pytest

from services.server_gen.domain.catalogue import CATALOGUE, ROW
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roles import DAY
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import Simulation
from tests.support.fleet_levers import Held, Pulled

START = 1_794_978_000.0  # a working afternoon in Seoul
SERVERS = roster(20)
API = 2
TIMES = START + 10.0 * np.arange(-360.0, 1080.0)
FROM, TO = START + 605.0, START + 4205.0
DURING = (TIMES >= FROM + 1200.0) & (TIMES < TO)
AFTER = TIMES >= TO + 60.0
HEALTHY = Simulation(20, SERVERS).over(TIMES)
COUNTERS = [metric.key for metric in CATALOGUE if metric.counter]


def disturbed(*held: Held, times: Floats = TIMES) -> Floats:
    return Simulation(20, SERVERS, Pulled(*held)).over(times)


def held(**levers: float) -> Floats:
    return disturbed(Held(API, FROM, TO, levers))


def mean(figures: Floats, key: str, when: Floats | np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = DURING) -> float:
    return float(np.nanmean(figures[ROW[key]][when, API]))


def rate(figures: Floats, key: str) -> float:
    values = figures[ROW[key]][DURING, API]
    return float((values[-1] - values[0]) / (TIMES[DURING][-1] - TIMES[DURING][0]))


def times_healthy(figures: Floats, key: str) -> float:
    return rate(figures, key) / rate(HEALTHY, key)


LEVERS = [
    {"traffic": 3.0},
    {"cpu": 0.7},
    {"steal": 0.6},
    {"service": 3.0},
    {"errors": 0.3},
    {"memory": 0.3},
    {"disk": 0.2},
    {"disk_read": 10.0},
    {"disk_written": 10.0},
    {"disk_busy": 0.9},
    {"loss": 0.1},
    {"clock": 5.0},
    {"down": 1.0},
    {"silent": 1.0},
    {
        "traffic": 8.0,
        "cpu": 1.0,
        "steal": 1.0,
        "service": 50.0,
        "errors": 1.0,
        "memory": 1.0,
        "disk": 1.0,
        "disk_busy": 1.0,
        "loss": 1.0,
    },
    {"traffic": 0.0, "service": 0.1, "disk_read": 0.0, "disk_written": 0.0},
]


@pytest.mark.parametrize("levers", LEVERS, ids="+".join)
def test_whatever_is_pulled_physics_holds(levers: dict[str, float]) -> None:
    now = held(**levers)
    changed = ~((now == HEALTHY) | (np.isnan(now) & np.isnan(HEALTHY)))
    assert not changed[:, TIMES < FROM].any(), "what has not begun changes nothing"
    assert changed[:, DURING, API].any()
    assert not np.delete(changed, API, axis=2).any(), "other servers are as they were"
    mine = now[:, :, API]
    for key in ("cpu", "memory", "disk", "swap"):
        known = mine[ROW[key]][np.isfinite(mine[ROW[key]])]
        assert known.min() >= 0.0
        assert known.max() <= 100.0
    for key in COUNTERS:
        known = mine[ROW[key]][np.isfinite(mine[ROW[key]])]
        assert (np.diff(known) >= 0.0).all(), f"{key} falls"
    if not {"silent", "down"} & levers.keys():
        assert np.isfinite(mine).all()
    grown = np.diff(mine[[ROW[key] for key in COUNTERS if key.startswith("cpu_")]].sum(axis=0))
    assert (grown[np.isfinite(grown)] < 11.5).all(), "no more than a second a second"


@pytest.mark.parametrize("levers", LEVERS[:-1], ids="+".join)
def test_afterwards_all_but_counters_is_as_if_nothing_had_been(levers: dict[str, float]) -> None:
    now = held(**levers)
    late = TIMES >= TO + 3500.0
    assert late.any()
    for metric in CATALOGUE:
        if metric.key not in ("load1", "load5", "load15", "memory", "memory_available", "memory_cached", "swap", "swap_free"):
            mine, usual = now[ROW[metric.key]][:, API], HEALTHY[ROW[metric.key]][:, API]
            if metric.counter:
                mine, usual = np.diff(mine), np.diff(usual)
                np.testing.assert_allclose(mine[late[1:]], usual[late[1:]], atol=1.01, err_msg=metric.key)
            else:
                np.testing.assert_array_equal(mine[late], usual[late], err_msg=metric.key)
    np.testing.assert_allclose(now[ROW["memory"]][late, API], HEALTHY[ROW["memory"]][late, API], atol=1.0)


def test_runaway_processors() -> None:
    now = held(cpu=0.7)
    assert mean(now, "cpu") > 98.0
    assert mean(now, "latency") > 2.0 * mean(HEALTHY, "latency")
    assert mean(now, "load1") > 2.0 * 8
    assert times_healthy(now, "cpu_idle") < 0.1
    assert times_healthy(now, "requests") == pytest.approx(1.0, abs=0.01)


def test_load_averages_rise_in_turn() -> None:
    now = held(cpu=0.7)
    soon = int(np.flatnonzero(TIMES >= FROM + 120.0)[0])
    rises = [now[ROW[key]][soon, API] - HEALTHY[ROW[key]][soon, API] for key in ("load1", "load5", "load15")]
    assert rises[0] > rises[1] > rises[2] > 0.0


def test_a_flood_of_requests_saturates() -> None:
    now = held(traffic=5.0)
    assert times_healthy(now, "requests") == pytest.approx(5.0, rel=0.01)
    served = rate(now, "requests") - rate(now, "errors")
    assert served < 3.5 * rate(HEALTHY, "requests")
    assert mean(now, "latency") > 20.0 * mean(HEALTHY, "latency")
    assert mean(now, "queue_depth") > 100.0
    assert times_healthy(now, "received") > 4.5


def test_latency_grows_without_bound_in_sight_but_stays_finite() -> None:
    latencies = [mean(held(traffic=traffic), "latency") for traffic in (1.0, 1.3, 1.6, 2.0, 10.0)]
    assert latencies == sorted(latencies)
    assert latencies[3] > 5.0 * latencies[0]
    assert latencies[-1] < 60_000.0


def test_a_neighbour_takes_time() -> None:
    now = held(steal=0.5)
    assert times_healthy(now, "cpu_steal") > 50.0
    assert mean(now, "cpu") > mean(HEALTHY, "cpu") + 40.0
    assert mean(now, "latency") > 1.3 * mean(HEALTHY, "latency")


def test_slow_requests_fill_the_pool_but_not_the_processors() -> None:
    now = held(service=2.0)
    assert mean(now, "latency") > 3.0 * mean(HEALTHY, "latency")
    assert mean(now, "queue_depth") > 3.0 * mean(HEALTHY, "queue_depth")
    assert mean(now, "cpu") < mean(HEALTHY, "cpu") + 5.0


def test_errors_are_a_share_of_the_requests() -> None:
    assert rate(held(errors=0.2), "errors") == pytest.approx(0.2 * rate(HEALTHY, "requests"), rel=0.02)


def test_memory_and_disk_fill() -> None:
    assert mean(held(memory=0.3), "memory") == pytest.approx(mean(HEALTHY, "memory") + 30.0, abs=0.1)
    assert mean(held(memory=0.6), "swap") > 10.0
    assert mean(held(disk=0.3), "disk") == pytest.approx(mean(HEALTHY, "disk") + 30.0, abs=0.1)
    assert mean(held(disk=1.0), "disk_available") == 0.0


def test_a_busy_disk_makes_processes_wait() -> None:
    now = held(disk_busy=0.9)
    assert rate(now, "disk_io_time") > 0.85
    assert mean(now, "procs_blocked") >= 1.0
    assert times_healthy(now, "cpu_iowait") > 20.0
    assert mean(now, "latency") > 1.3 * mean(HEALTHY, "latency")
    assert times_healthy(held(disk_written=8.0), "disk_written") == pytest.approx(8.0, rel=0.01)


def test_lost_packets_are_sent_again() -> None:
    now = held(loss=0.05)
    assert times_healthy(now, "retransmits") > 100.0
    assert times_healthy(now, "receive_drops") > 100.0
    assert mean(now, "latency") > mean(HEALTHY, "latency") + 20.0


def test_a_clock_that_is_ahead() -> None:
    now = held(clock=30.0)
    assert mean(now, "clock_offset") == pytest.approx(30.0, abs=0.01)
    np.testing.assert_allclose(now[ROW["time"]][DURING, API] - TIMES[DURING], 30.0)


def test_a_service_that_is_down_answers_nobody_while_its_machine_runs() -> None:
    now = held(down=1.0)
    assert rate(now, "requests") == 0.0
    assert rate(now, "errors") == 0.0
    assert np.isnan(now[ROW["latency"]][DURING, API]).all()
    assert mean(now, "connections") == 0.0
    assert mean(now, "cpu") < 10.0
    assert rate(now, "cpu_idle") > 0.9


def test_a_silent_machine_sends_nothing_and_goes_on() -> None:
    now = held(silent=1.0)
    assert np.isnan(now[:, DURING, API]).all()
    np.testing.assert_allclose(now[ROW["requests"]][AFTER, API], HEALTHY[ROW["requests"]][AFTER, API], atol=1.0)


def test_a_restarted_service_counts_anew_and_its_memory_is_fresh() -> None:
    restart = START + 1800.0
    now = disturbed(Held(API, FROM, TO, {}, (restart,)))
    requests = now[ROW["requests"]][:, API]
    falls = np.flatnonzero(np.diff(requests) < 0.0)
    assert len(falls) == 1
    assert TIMES[falls[0] + 1] == restart
    assert requests[-1] < rate(HEALTHY, "requests") * (TIMES[-1] - restart) * 1.2
    assert (now[ROW["start_time"]][restart <= TIMES, API] == restart).all()
    assert (now[ROW["boot_time"]][:, API] == HEALTHY[ROW["boot_time"]][:, API]).all()
    assert mean(now, "memory", AFTER) < mean(HEALTHY, "memory", AFTER) - 2.0
    assert (np.diff(now[ROW["received"]][:, API]) > 0.0).all(), "the machine's counters go on"


def test_several_restarts_one_after_the_other() -> None:
    restarts = tuple(START + 1000.0 + 150.0 * k for k in range(10))
    now = disturbed(Held(API, FROM, TO, {"errors": 0.5}, restarts))
    falls = np.flatnonzero(np.diff(now[ROW["requests"]][:, API]) < 0.0)
    assert TIMES[falls + 1].tolist() == list(restarts)
    assert (now[ROW["requests"]][:, API] >= now[ROW["errors"]][:, API]).all()


def test_counters_keep_what_they_counted_besides_until_the_machine_restarts() -> None:
    boots = HEALTHY[ROW["boot_time"]][-1]
    restart = float(boots[API]) + 90 * DAY
    flood = Held(API, FROM, TO, {"traffic": 4.0})
    times = np.array([TO + 3600.0, restart - 3600.0, restart + 3600.0])
    more = disturbed(flood, times=times)[ROW["received"]][:, API] - Simulation(20, SERVERS).over(times)[ROW["received"]][:, API]
    assert more[0] > 0.0
    assert more[1] == more[0]
    assert more[2] == 0.0


def test_a_machine_may_restart_in_the_middle() -> None:
    restart = float(HEALTHY[ROW["boot_time"]][-1, API]) + 90 * DAY
    times = restart + 10.0 * np.arange(-360.0, 360.0)
    now = disturbed(Held(API, restart - 1800.0, restart + 1800.0, {"traffic": 3.0, "cpu": 0.2}), times=times)
    for key in COUNTERS:
        falls = np.flatnonzero(np.diff(now[ROW[key]][:, API]) < 0.0)
        assert times[falls + 1].tolist() == [restart], key


def test_a_fault_that_is_cut_short_leaves_the_past_alone() -> None:
    """As when someone cancels it: what was told before stays true."""
    cancelled = START + 2222.0
    long, short = disturbed(Held(API, FROM, TO, {"traffic": 4.0})), disturbed(Held(API, FROM, cancelled, {"traffic": 4.0}))
    before = cancelled > TIMES
    np.testing.assert_array_equal(short[:, before], long[:, before])
    assert (np.diff(short[ROW["received"]][:, API]) >= 0.0).all()
