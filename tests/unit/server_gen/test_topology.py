import pytest

from services.server_gen.domain.roster import roster
from services.server_gen.domain.topology import dependencies


@pytest.mark.parametrize("size", [0, 1, 3, 20, 60, 1000])
def test_the_graph_has_no_cycle(size: int) -> None:
    calls = dependencies(roster(size))
    assert len(calls) == size
    waiting = {position: set(callees) for position, callees in enumerate(calls)}
    while waiting:
        done = {position for position, callees in waiting.items() if not callees & waiting.keys()}
        assert done, "the servers that are left wait for one another"
        for position in done:
            del waiting[position]


def test_requests_travel_from_balancers_to_databases() -> None:
    servers = roster(20)
    names = [server.hostname for server in servers]
    calls = {names[at]: [names[to] for to in callees] for at, callees in enumerate(dependencies(servers))}
    assert calls["lb-01"] == ["web-01", "web-02"]
    assert calls["web-01"] == ["api-01", "cache-01", "api-02"]
    assert {"app-01", "db-primary-seoul-1", "cache-01", "queue-01"} <= set(calls["api-01"])
    assert calls["db-replica-tokyo-1"] == ["db-primary-seoul-1"]
    assert calls["db-primary-seoul-1"] == []


def test_a_server_calls_its_own_site_and_the_nearest_where_that_has_none() -> None:
    servers = roster(20)
    names = [server.hostname for server in servers]
    called = dependencies(servers)[names.index("web-03")]
    assert [names[to] for to in called] == ["api-01", "api-02", "cache-02"]  # Busan has a cache, and Seoul is nearer than Tokyo.


def test_every_server_that_can_be_called_is_called() -> None:
    servers = roster(1000)
    called = {to for callees in dependencies(servers) for to in callees}
    idle = {server.role.name for at, server in enumerate(servers) if at not in called}
    assert idle == {"load_balancer", "batch", "monitoring", "mail"}


def test_positions_are_those_of_the_sequence() -> None:
    servers = roster(20)
    part = [servers[17], servers[4]]
    assert dependencies(part) == ((1,), ())
