"""What faults look like in the figures of the fleet."""

from functools import cache

import numpy as np
import pytest

from services.server_gen.domain.catalogue import CATALOGUE, ROW
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.plan import Plan, reached_servers
from services.server_gen.domain.faults.reach import Graph
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import Simulation

SEED = 20
SERVERS = roster(20)
GRAPH = Graph(SERVERS)
DAY = 86_400.0
START = 1_795_000_000.0
LENGTH = 3600.0
WHILE = START + np.arange(0.0, LENGTH, 30.0)
BUSIEST_HOUR = 5.1 * 3600.0
"""Before START, which is eight in the evening in Seoul."""
GAUGES = [row for row, metric in enumerate(CATALOGUE) if not metric.counter]
COUNTERS = [row for row, metric in enumerate(CATALOGUE) if metric.counter]
RESTARTED = ("memory", "memory_available", "memory_cached", "start_time", "swap", "swap_free", "files_open")
"""What a restart changes for long: caches fill again over days."""


def place(hostname: str) -> int:
    return GRAPH.place[hostname]


def usual_host(kind: str) -> str:
    return next(server.hostname for role in KINDS[kind].roles for server in SERVERS if server.role.name == role)


def fault(kind: str, severity: float = 1.0, server: str | None = None, start: float = START, seconds: float = LENGTH) -> Fault:
    return Fault(f"a-{kind}", kind, server or usual_host(kind), severity, start, start + seconds, "injected")


def world(times: Floats, *faults: Fault) -> Floats:
    return Simulation(SEED, SERVERS, Plan(SEED, SERVERS, faults)).over(times)


@cache
def _healthy(first: float, step: float, count: int) -> Floats:
    return Simulation(SEED, SERVERS).over(first + step * np.arange(count, dtype=np.float64))


def healthy(times: Floats) -> Floats:
    return _healthy(float(times[0]), float(times[1] - times[0]), len(times))


def series(values: Floats, key: str, hostname: str) -> Floats:
    return values[ROW[key], :, place(hostname)]


def rate(values: Floats, key: str, hostname: str) -> float:
    """Increase of a counter over all times, restarts included."""
    increases = np.diff(series(values, key, hostname))
    return float(np.where(increases < 0, 0.0, increases).sum())


RISES = {
    "memory_leak": ("memory", "swap", "latency"),
    "cpu_runaway": ("cpu", "load1", "procs_running", "cpu_user"),
    "disk_fill": ("disk", "disk_written", "errors"),
    "disk_slow": ("latency", "procs_blocked", "disk_io_time", "cpu_iowait"),
    "network_loss": ("latency", "retransmits", "receive_drops", "errors"),
    "noisy_neighbour": ("cpu_steal", "cpu"),
    "slow_query": ("latency", "disk_read", "queue_depth", "cpu_iowait"),
    "cache_stampede": ("latency", "requests", "queue_depth"),
    "deploy_regression": ("latency", "errors", "start_time"),
    "restart_loop": ("latency", "start_time"),
    "clock_skew": ("clock_offset", "time"),
    "flapping": ("latency", "errors"),
    "traffic_flood": ("requests", "cpu", "connections", "received"),
    "gradual_degradation": ("latency", "queue_depth", "connections"),
    "backup_window": ("disk_read", "disk_io_time"),
    "holiday_peak": ("requests", "transmitted"),
    "deploy_ok": ("start_time",),
}
CALLERS_RISE: dict[str, dict[str, tuple[str, ...]]] = {
    "slow_query": {"app-01": ("latency",), "api-01": ("latency",), "lb-01": ("errors",)},
    "dependency_outage": {"app-01": ("latency", "errors", "queue_depth"), "web-01": ("errors",), "lb-01": ("errors",)},
    "cache_stampede": {"app-01": ("latency",), "db-primary-seoul-1": ("requests", "disk_read", "latency")},
    "traffic_flood": {"web-01": ("requests", "cpu"), "api-01": ("requests", "cpu"), "db-primary-seoul-1": ("requests",)},
    "network_loss": {"web-01": ("latency", "retransmits")},
    "noisy_neighbour": {"lb-01": ("cpu_steal",), "api-01": ("cpu_steal",)},
    "holiday_peak": {"web-01": ("requests", "cpu"), "web-02": ("requests",)},
    "restart_loop": {"api-01": ("errors",)},
    "gradual_degradation": {"api-01": ("latency",)},
    "deploy_regression": {"api-01": ("errors",)},
}


@pytest.mark.parametrize("kind", RISES)
def test_each_kind_raises_the_series_that_it_should(kind: str) -> None:
    before, after = healthy(WHILE), world(WHILE, fault(kind))
    wanted: dict[str, tuple[str, ...]] = {usual_host(kind): RISES[kind], **CALLERS_RISE.get(kind, {})}
    for hostname, keys in wanted.items():
        for key in keys:
            if CATALOGUE[ROW[key]].counter:
                assert rate(after, key, hostname) > 1.08 * rate(before, key, hostname), (hostname, key)
            else:
                old, new = np.nanmax(series(before, key, hostname)), np.nanmax(series(after, key, hostname))
                assert new > old + max(0.05 * abs(old) if old < 1e9 else 0.0, 0.1), (hostname, key, old, new)


def test_a_dead_service_answers_nobody_and_its_machine_goes_quiet() -> None:
    outage = fault("dependency_outage")
    before, after = healthy(WHILE), world(WHILE, outage)
    assert np.isnan(series(after, "latency", outage.server)).all()
    assert rate(after, "requests", outage.server) < 0.1 * rate(before, "requests", outage.server)
    assert series(after, "cpu", outage.server).mean() < series(before, "cpu", outage.server).mean()
    for hostname, keys in CALLERS_RISE["dependency_outage"].items():
        for key in keys:
            if key == "errors":
                assert rate(after, key, hostname) > 5 * rate(before, key, hostname)
            else:
                assert np.nanmax(series(after, key, hostname)) > 1.3 * np.nanmax(series(before, key, hostname))


def test_an_agent_gap_silences_the_machine_and_changes_nothing_else() -> None:
    gap = fault("agent_gap")
    times = START + np.arange(-300.0, LENGTH + 300.0, 30.0)
    values, usual = world(times, gap), healthy(times)
    silent = np.isnan(values[:, :, place(gap.server)]).all(axis=0)
    np.testing.assert_array_equal(silent, (times >= gap.start) & (times < gap.end))
    values[:, silent, place(gap.server)] = usual[:, silent, place(gap.server)]
    np.testing.assert_array_equal(values, usual)
    share = [np.isnan(world(WHILE, fault("agent_gap", severity))[ROW["cpu"]]).sum() for severity in (0.1, 0.3, 0.5, 0.7)]
    assert share == sorted(set(share))


def test_flapping_goes_from_good_to_bad_and_back() -> None:
    flapping = fault("flapping")
    bad = series(world(WHILE, flapping), "latency", flapping.server) > 2.0 * series(healthy(WHILE), "latency", flapping.server)
    assert np.abs(np.diff(bad.astype(int))).sum() >= 10
    assert 0.3 < bad.mean() < 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changes_before_the_start_nor_on_servers_out_of_reach(kind: str) -> None:
    planned = fault(kind)
    before: Floats = START - np.arange(4000.0, 1.0, -97.0)
    np.testing.assert_array_equal(world(before, planned), Simulation(SEED, SERVERS).over(before))
    untouched = sorted(set(range(len(SERVERS))) - set(reached_servers(planned, SEED, GRAPH)))
    np.testing.assert_array_equal(world(WHILE, planned)[:, :, untouched], healthy(WHILE)[:, :, untouched])


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_as_usual_again_afterwards(kind: str) -> None:
    # Load averages need an hour to forget.
    times = START + LENGTH + np.arange(7200.0, 10_800.0, 60.0)
    after, usual = world(times, fault(kind)), healthy(times)
    kept = [row for row in GAUGES if CATALOGUE[row].key not in RESTARTED or usual_starts(kind)]
    np.testing.assert_allclose(after[kept], usual[kept], rtol=1e-6, atol=0.02)
    increase, usual_increase = np.diff(after[COUNTERS], axis=1), np.diff(usual[COUNTERS], axis=1)
    np.testing.assert_allclose(increase, usual_increase, rtol=1e-6, atol=2.0)


def usual_starts(kind: str) -> bool:
    return KINDS[kind].restarts.name == "NEVER"


def test_faults_travel_up_the_tree_hop_by_hop() -> None:
    times = START + np.arange(0.0, 600.0, 1.0)
    outage = fault("dependency_outage", server="queue-01")
    after, before = world(times, outage), healthy(times)

    def onset(hostname: str) -> int:
        off = np.nan_to_num(series(after, "latency", hostname), nan=np.inf) > 1.05 * series(before, "latency", hostname)
        assert off.any(), hostname
        return int(off.argmax())

    assert onset("queue-01") < onset("app-01") < onset("web-01")
    assert onset("queue-01") < onset("api-01") < onset("web-01") < onset("lb-01") < 300


def test_floods_travel_down_the_tree() -> None:
    times = START + np.arange(0.0, 900.0, 1.0)
    after, before = world(times, fault("traffic_flood", server="lb-01")), healthy(times)
    onsets = []
    for hostname in ("lb-01", "web-01", "api-01", "db-primary-seoul-1"):
        off = series(after, "cpu", hostname) > series(before, "cpu", hostname) + 2.0
        assert off.any(), hostname
        onsets.append(int(off.argmax()))
    assert onsets == sorted(set(onsets))


MAIN = {
    "memory_leak": "memory",
    "cpu_runaway": "cpu",
    "disk_fill": "disk",
    "disk_slow": "latency",
    "network_loss": "latency",
    "noisy_neighbour": "cpu",
    "slow_query": "latency",
    "cache_stampede": "queue_depth",
    "deploy_regression": "latency",
    "clock_skew": "clock_offset",
    "flapping": "latency",
    "traffic_flood": "cpu",
    "gradual_degradation": "latency",
    "backup_window": "load1",
    "holiday_peak": "cpu",
}


@pytest.mark.parametrize("kind", MAIN)
def test_the_severer_the_further_off(kind: str) -> None:
    usual = series(healthy(WHILE), MAIN[kind], usual_host(kind))
    off = [
        float(np.nanmean(series(world(WHILE, fault(kind, severity)), MAIN[kind], usual_host(kind)) - usual))
        for severity in (0.1, 0.3, 0.6, 1.0)
    ]
    assert off == sorted(off)
    assert 0.0 <= off[0] < 0.5 * off[-1]


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.harmless])
@pytest.mark.parametrize("hour", [0, 3, 9, 12, 15, 18, 21])  # at 6 the databases are at their own backups
def test_harmless_kinds_stay_far_from_trouble_at_any_hour(kind: str, hour: int) -> None:
    start = START + hour * 3600.0
    times = start + np.arange(0.0, LENGTH, 60.0)
    after, usual = world(times, fault(kind, start=start)), Simulation(SEED, SERVERS).over(times)
    # A healthy server has moments above, too; what counts is whether it stays there.
    for key, limit in (("cpu", 80.0), ("memory", 85.0), ("disk", 85.0)):
        assert after[ROW[key]].mean(axis=0).max() < limit, key
    for server in SERVERS:
        if server.role.requests:
            requests, errors = rate(after, "requests", server.hostname), rate(after, "errors", server.hostname)
            assert errors < 0.01 * requests
            usual_share = rate(usual, "errors", server.hostname) / rate(usual, "requests", server.hostname)
            assert errors / requests < 1.5 * usual_share + 1e-4
            latency, usual_latency = series(after, "latency", server.hostname), series(usual, "latency", server.hostname)
            assert np.median(latency) < 2.0 * max(np.median(usual_latency), 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mild_fault_at_the_busiest_hour_is_no_collapse(kind: str) -> None:
    start = START - BUSIEST_HOUR
    times = start + np.arange(0.0, LENGTH, 60.0)
    mild = fault(kind, 0.3, start=start)
    after, usual = world(times, mild), Simulation(SEED, SERVERS).over(times)
    if not np.isnan(series(usual, "latency", mild.server)).all():
        ratio = np.nanmax(series(after, "latency", mild.server)) / np.nanmax(series(usual, "latency", mild.server))
        assert ratio < 5.0


def test_all_kinds_at_once_on_one_server_stay_physical() -> None:
    faults = [fault(kind, 0.5, "lb-01", seconds=60.0) for kind in KINDS]
    values = world(START + np.arange(-60.0, 600.0, 1.0), *faults)
    for key in ("cpu", "memory", "disk", "swap"):
        assert np.nanmin(values[ROW[key]]) >= 0.0
        assert np.nanmax(values[ROW[key]]) <= 100.0
    assert not np.isinf(values).any()
    for row in COUNTERS:
        falls = np.diff(values[row], axis=0) < 0.0
        # Only what the service itself counts starts again with it.
        assert not falls.any() or CATALOGUE[row].key in ("requests", "errors")
    assert not np.isnan(values[ROW["cpu"], -1]).any()


def test_any_kind_on_any_server_stays_physical() -> None:
    times = START + np.arange(0.0, LENGTH + 600.0, 60.0)
    for number, kind in enumerate(KINDS):
        server = SERVERS[(7 * number) % len(SERVERS)].hostname
        values = world(times, fault(kind, server=server))
        assert not np.isinf(values).any(), kind
        assert np.nanmin(values[GAUGES]) > -1e4
        for key in ("cpu", "memory", "disk", "swap"):
            assert np.nanmin(values[ROW[key]]) >= 0.0
            assert np.nanmax(values[ROW[key]]) <= 100.0
