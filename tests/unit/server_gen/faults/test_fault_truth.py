"""The truth about faults: what is told can be seen, and what can be seen is told."""

import time

import numpy as np
import pytest

from services.server_gen.domain.catalogue import CATALOGUE
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.plan import Plan
from services.server_gen.domain.faults.reach import Graph
from services.server_gen.domain.faults.truth import ALL_SERIES, Truth, truth_of
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import Simulation

SEED = 20
SERVERS = roster(20)
GRAPH = Graph(SERVERS)
START = 1_795_000_000.0
FAULTS = {
    kind.name: next(server.hostname for role in kind.roles for server in SERVERS if server.role.name == role)
    for kind in KINDS.values()
}


def fault(kind: str, severity: float = 0.9, server: str | None = None, seconds: float = 3600.0) -> Fault:
    return Fault(f"a-{kind}", kind, server or FAULTS[kind], severity, START, START + seconds, "injected")


def truth(kind: str, severity: float = 0.9, server: str | None = None, seconds: float = 3600.0) -> Truth:
    return truth_of(fault(kind, severity, server, seconds), SEED, SERVERS, GRAPH)


def metrics(told: Truth, server: str) -> set[str]:
    return {symptom.metric for symptom in told.symptoms if symptom.server == server}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [60.0, 3600.0, 86_400.0])
def test_symptoms_come_in_order_and_within_the_fault_and_what_follows_it(kind: str, seconds: float) -> None:
    told = truth(kind, 1.0, seconds=seconds)
    onsets = [symptom.onset for symptom in told.symptoms]
    assert told.symptoms
    assert onsets == sorted(onsets)
    assert START <= onsets[0] <= START + 0.7 * seconds + 120.0
    assert onsets[-1] <= START + seconds + 900.0
    assert told.servers[0] == FAULTS[kind]
    assert set(told.servers) == {symptom.server for symptom in told.symptoms} | {FAULTS[kind]}
    assert 0.0 < told.ramp_seconds <= seconds
    assert FAULTS[kind] in told.root_cause
    assert len({(symptom.server, symptom.metric) for symptom in told.symptoms}) == len(told.symptoms)
    assert {symptom.direction for symptom in told.symptoms} <= {-1, 0, 1}


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"holiday_peak"}))
def test_the_root_cause_shows_first(kind: str) -> None:
    told = truth(kind)
    assert told.symptoms[0].server == FAULTS[kind]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"agent_gap"}))
def test_the_gauges_that_are_told_are_those_that_a_plain_comparison_finds(kind: str) -> None:
    planned = fault(kind)
    told = {(symptom.server, symptom.metric): symptom for symptom in truth(kind).symptoms}
    times = START + np.arange(0.0, 4500.0, 10.0)
    usual = Simulation(SEED, SERVERS).over(times)
    values = Simulation(SEED, SERVERS, Plan(SEED, SERVERS, [planned])).over(times)
    for key in ("cpu", "memory", "disk", "swap", "latency", "connections", "node_load1", "node_procs_blocked"):
        row = next(row for row, metric in enumerate(CATALOGUE) if metric.name == key)
        for place, server in enumerate(SERVERS):
            with_it, without = values[row, :, place], usual[row, :, place]
            off = np.nan_to_num(with_it - without)
            symptom = told.get((server.hostname, key))
            if np.abs(off).max() > 0.5 * np.nanmax(np.abs(without), initial=0.0) + 5.0:
                assert symptom is not None, (server.hostname, key)
            if symptom is None:
                continue
            first = round((symptom.onset - START) / 10.0)
            if symptom.direction == 0:
                assert np.isnan(with_it[first])
                assert not np.isnan(without[first])
            else:
                assert np.sign(off[first]) == symptom.direction
                assert abs(off[first]) >= 0.03 * abs(without[first]) * 0.5


def test_what_each_kind_is_known_by() -> None:
    assert {"memory", "swap", "latency", "process_start_time_seconds"} <= metrics(truth("memory_leak"), FAULTS["memory_leak"])
    assert {"cpu", "node_load1", 'node_cpu_seconds_total{mode="user"}'} <= metrics(truth("cpu_runaway"), FAULTS["cpu_runaway"])
    assert {"disk", "node_disk_written_bytes_total"} <= metrics(truth("disk_fill"), FAULTS["disk_fill"])
    assert {"latency", "node_disk_io_time_seconds_total"} <= metrics(truth("disk_slow"), FAULTS["disk_slow"])
    assert {"node_netstat_Tcp_RetransSegs", "latency"} <= metrics(truth("network_loss"), FAULTS["network_loss"])
    assert 'node_cpu_seconds_total{mode="steal"}' in metrics(truth("noisy_neighbour"), FAULTS["noisy_neighbour"])
    assert {"node_timex_offset_seconds", "node_time_seconds"} == metrics(truth("clock_skew"), FAULTS["clock_skew"])
    assert {"requests_total", "cpu"} <= metrics(truth("traffic_flood"), FAULTS["traffic_flood"])
    assert "process_start_time_seconds" in metrics(truth("deploy_ok"), FAULTS["deploy_ok"])
    assert "node_disk_read_bytes_total" in metrics(truth("backup_window"), FAULTS["backup_window"])


def test_a_fault_of_a_month_shows_what_one_of_an_hour_shows_and_nothing_that_is_not_there() -> None:
    month = 30 * 86_400.0
    short, long = truth("slow_query"), truth("slow_query", seconds=month)
    soon = START + 600.0
    assert [s for s in long.symptoms if s.onset < soon] == [s for s in short.symptoms if s.onset < soon]
    assert metrics(truth("clock_skew", seconds=month), FAULTS["clock_skew"]) == {"node_timex_offset_seconds", "node_time_seconds"}


def test_a_silent_machine_is_one_symptom() -> None:
    (symptom,) = truth("agent_gap").symptoms
    assert (symptom.metric, symptom.direction, symptom.onset) == (ALL_SERIES, 0, START)


def test_a_dead_service_has_no_latency() -> None:
    (symptom,) = (
        s for s in truth("dependency_outage", server="queue-01").symptoms if (s.server, s.metric) == ("queue-01", "latency")
    )
    assert symptom.direction == 0


def test_a_cascade_reaches_the_load_balancers_last() -> None:
    servers = truth("dependency_outage", server="db-primary-seoul-1").servers
    roles = [SERVERS[GRAPH.place[name]].role.name for name in servers]
    assert roles[0] == "database"
    assert roles[-1] == "load_balancer"
    assert max(rank for rank, role in enumerate(roles) if role in ("app", "api")) < roles.index("load_balancer")


def test_a_withdrawn_fault_shows_what_came_of_it() -> None:
    planned = fault("memory_leak")
    withdrawn = Fault(**{**vars(planned), "cancelled_at": START + 600.0})
    told = truth_of(withdrawn, SEED, SERVERS, GRAPH)
    assert {"memory", "process_start_time_seconds"} <= metrics(told, planned.server)
    assert "swap" not in metrics(told, planned.server)
    assert truth_of(Fault(**{**vars(planned), "cancelled_at": START - 1.0}), SEED, SERVERS, GRAPH).symptoms == ()


def test_nothing_can_be_seen_on_a_server_that_the_fleet_lacks() -> None:
    told = truth_of(fault("slow_query"), SEED, SERVERS[:1])
    assert told.symptoms == ()
    assert told.servers == ("db-primary-seoul-1",)


def test_the_truth_is_the_same_every_time() -> None:
    assert truth("slow_query") == truth("slow_query")


def test_the_truth_about_a_large_fleet_is_told_soon() -> None:
    large = roster(5000)
    graph = Graph(large)
    truth_of(fault("agent_gap"), SEED, large, graph)
    begun = time.process_time()
    told = truth_of(fault("traffic_flood"), SEED, large, graph)
    # Some ten times what it takes, for machines that are busy with other things.
    assert time.process_time() - begun < 3.0
    assert 2 <= len(told.servers) <= 50
