"""The plan alone: when and where levers are pulled."""

from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.plan import Plan, reached_servers
from services.server_gen.domain.faults.reach import Graph
from services.server_gen.domain.levers import Levers, Span
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import roster

SERVERS = roster(20)
EVERYONE = range(20)
START = 1_795_000_000.0
LEVERS = tuple(field.name for field in fields(Levers))
SHARES = ("cpu", "steal", "errors", "memory", "disk", "disk_busy", "loss")


def fault(kind: str, server: str = "api-01", severity: float = 1.0, seconds: float = 3600.0, start: float = START) -> Fault:
    return Fault(f"{kind}-{server}", kind, server, severity, start, start + seconds, "injected")


def index(hostname: str) -> int:
    return next(server.index for server in SERVERS if server.hostname == hostname)


def away(plan: Plan, times: Floats) -> NDArray[np.bool_]:
    """Whether any lever but `started` is away from rest: bool[m, n]."""
    levers, rest = plan.levers(times, EVERYONE), Levers.at_rest(len(times), len(SERVERS))
    moved = [getattr(levers, name) != getattr(rest, name) for name in LEVERS if name != "started"]
    return np.asarray(np.any(moved, axis=0), dtype=np.bool_)


def equal(one: Levers, other: Levers) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in LEVERS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [1.0, 60.0, 3600.0, 30 * 86_400.0])
def test_levers_move_within_the_spans_and_nowhere_else(kind: str, seconds: float) -> None:
    plan = Plan(7, SERVERS, [fault(kind, seconds=seconds)])
    spans = plan.spans()
    times = np.unique(START + np.concatenate([np.linspace(-100.0, seconds + 3600.0, 2000), np.linspace(-1.0, 700.0, 702)]))
    moved = away(plan, times)
    assert moved.any()
    for server in EVERYONE:
        inside = np.zeros(len(times), dtype=bool)
        for span in spans.get(server, ()):
            inside |= (times >= span.start) & (times < span.end)
        assert not moved[~inside, server].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("severity", [0.01, 0.3, 1.0])
def test_levers_stay_within_what_they_mean(kind: str, severity: float) -> None:
    times = START + np.arange(-60.0, 5400.0, 7.0)
    levers = Plan(7, SERVERS, [fault(kind, severity=severity)]).levers(times, EVERYONE)
    for share in (*SHARES, "down", "silent"):
        assert getattr(levers, share).min() >= 0.0
        assert getattr(levers, share).max() <= 1.0
    assert levers.service.min() > 0.0
    for factor in (levers.traffic, levers.disk_read, levers.disk_written):
        assert factor.min() >= 0.0


def test_all_kinds_at_once_on_one_server_for_a_minute() -> None:
    plan = Plan(7, SERVERS, [fault(kind, "lb-01", 0.5, 60.0) for kind in KINDS])
    times = START + np.arange(-30.0, 400.0, 1.0)
    levers = plan.levers(times, EVERYONE)
    for share in SHARES:
        assert getattr(levers, share).max() <= 1.0
    assert not away(plan, START - np.arange(1.0, 100.0)).any()
    assert not away(plan, START + np.array([300.0, 3600.0])).any()


@pytest.mark.parametrize("kind", KINDS)
def test_levers_do_not_depend_on_who_asks_for_what(kind: str) -> None:
    plan = Plan(7, SERVERS, [fault(kind), fault("slow_query", "db-primary-seoul-1", start=START + 600.0)])
    times = START + np.arange(-60.0, 5400.0, 13.0)
    whole = plan.levers(times, EVERYONE)
    for chunk in np.array_split(np.arange(len(times)), 9):
        part = plan.levers(times[chunk], [4, 2, 0])
        for name in LEVERS:
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[chunk][:, [4, 2, 0]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after_seconds", [5.0, 1000.0])
def test_a_withdrawal_ends_the_fault_and_changes_nothing_before(kind: str, after_seconds: float) -> None:
    planned = fault(kind)
    withdrawn = Plan(7, SERVERS, [replace(planned, cancelled_at=START + after_seconds)])
    before = START + np.arange(-10.0, after_seconds, 1.0)
    assert equal(withdrawn.levers(before, EVERYONE), Plan(7, SERVERS, [planned]).levers(before, EVERYONE))
    assert not away(withdrawn, START + after_seconds + np.array([700.0, 3000.0])).any()


def test_a_fault_withdrawn_before_its_start_never_comes() -> None:
    plan = Plan(7, SERVERS, [replace(fault("deploy_regression"), cancelled_at=START - 10.0)])
    assert plan.spans() == {}
    times = START + np.arange(-60.0, 5400.0, 30.0)
    assert equal(plan.levers(times, EVERYONE), Levers.at_rest(len(times), len(SERVERS)))


def test_faults_at_the_same_time_add_up() -> None:
    one, other = fault("traffic_flood", "lb-01", 0.5), replace(fault("traffic_flood", "lb-01", 0.5), id="other")
    times = START + np.array([1800.0])
    alone = Plan(7, SERVERS, [one]).levers(times, [0])
    both = Plan(7, SERVERS, [one, other]).levers(times, [0])
    assert both.traffic[0, 0] == pytest.approx(alone.traffic[0, 0] ** 2)
    assert both.loss[0, 0] == pytest.approx(2 * alone.loss[0, 0])
    runaways = [replace(fault("cpu_runaway"), id=str(number)) for number in range(3)]
    assert Plan(7, SERVERS, runaways).levers(times, [index("api-01")]).cpu[0, 0] == 1.0


def test_a_start_of_the_service_stays_known_and_the_latest_counts() -> None:
    later = fault("deploy_ok", seconds=300.0, start=START + 7200.0)
    plan = Plan(7, SERVERS, [fault("deploy_ok", seconds=300.0), replace(later, id="later")])
    times = START + np.array([0.0, 60.0, 7000.0, 7260.0, 1e7])
    started = plan.levers(times, [index("api-01")]).started[:, 0]
    np.testing.assert_array_equal(started, [-np.inf, START + 20.0, START + 20.0, START + 7220.0, START + 7220.0])


def test_a_restart_loop_restarts_the_service_every_few_minutes() -> None:
    times = START + np.arange(0.0, 3600.0, 5.0)
    levers = Plan(7, SERVERS, [fault("restart_loop")]).levers(times, [index("api-01")])
    starts = np.unique(levers.started[np.isfinite(levers.started)])
    assert 15 <= len(starts) <= 30
    np.testing.assert_array_less(np.diff(starts), 200.0)
    down = levers.down[:, 0] > 0
    assert 0.05 < down.mean() < 0.25


def test_the_further_a_server_is_the_later_and_weaker_it_suffers() -> None:
    plan = Plan(7, SERVERS, [fault("slow_query", "db-primary-seoul-1")])
    times = START + np.arange(0.0, 1800.0, 1.0)
    service = plan.levers(times, EVERYONE).service
    path = [index(name) for name in ("db-primary-seoul-1", "app-01", "api-01", "web-01", "lb-01")]
    touched = [place for place in path if service[:, place].max() > 1.0]
    assert len(touched) >= 4
    graph = Graph(SERVERS)
    ranks = [reached_servers(fault("slow_query", "db-primary-seoul-1"), 7, graph).index(place) for place in touched]
    begun = [int(np.argmax(service[:, place] > 1.0)) for place in touched]
    assert ranks[0] == 0
    assert begun[0] == min(begun)
    assert service[:, touched[0]].max() - 1.0 > 2.0 * (max(service[:, place].max() for place in touched[1:]) - 1.0)


def test_callers_are_reached_after_the_servers_that_they_call() -> None:
    graph = Graph(SERVERS)
    reached = reached_servers(fault("dependency_outage", "db-primary-seoul-1"), 7, graph)
    assert SERVERS[reached[0]].hostname == "db-primary-seoul-1"
    for rank, place in enumerate(reached[1:], 1):
        assert any(callee in reached[:rank] for callee in graph.callees[place])
    assert {SERVERS[place].role.name for place in reached} >= {"database", "app", "api", "web", "load_balancer"}


def test_a_fault_on_a_server_that_the_fleet_lacks_does_nothing() -> None:
    assert Plan(7, SERVERS[:2], [fault("slow_query", "db-primary-seoul-1")]).spans() == {}


def test_every_kind_finds_something_to_do_on_the_only_server_of_a_fleet() -> None:
    for kind in KINDS:
        assert list(Plan(7, SERVERS[:1], [fault(kind, "lb-01")]).spans()) == [0]


def test_spans_that_meet_are_one() -> None:
    first, second = fault("cpu_runaway", "batch-01"), fault("disk_fill", "batch-01", start=START + 1800.0)
    far = fault("clock_skew", "batch-01", start=START + 1e6)
    spans = Plan(7, SERVERS, [far, second, first]).spans()[index("batch-01")]
    assert len(spans) == 2
    assert spans[0].start == START
    assert spans[0].end < spans[1].start
    assert isinstance(spans[0], Span)


def test_another_seed_or_id_has_its_own_chance_and_the_same_has_the_same() -> None:
    times = START + np.arange(0.0, 3600.0, 5.0)
    planned = fault("noisy_neighbour")
    steal = Plan(7, SERVERS, [planned]).levers(times, EVERYONE).steal
    np.testing.assert_array_equal(steal, Plan(7, SERVERS, [planned]).levers(times, EVERYONE).steal)
    assert (steal != Plan(8, SERVERS, [planned]).levers(times, EVERYONE).steal).any()
    assert (steal != Plan(7, SERVERS, [replace(planned, id="other")]).levers(times, EVERYONE).steal).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_worse_fault_pulls_harder(kind: str) -> None:
    times = START + np.arange(0.0, 3600.0, 10.0)

    def pulled(severity: float) -> float:
        levers, rest = Plan(7, SERVERS, [fault(kind, severity=severity)]).levers(times, EVERYONE), Levers.at_rest(1, 1)
        return sum(float(np.abs(getattr(levers, name) - getattr(rest, name)).sum()) for name in LEVERS if name != "started")

    assert 0.0 < pulled(0.3) < pulled(0.6) < pulled(1.0)
