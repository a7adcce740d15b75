import time
from collections import Counter

from services.server_gen.domain.roles import ROLES
from services.server_gen.domain.roster import roster
from services.server_gen.domain.sites import SITES


def test_core_roles_come_first() -> None:
    assert [server.role.name for server in roster(10)] == [
        "load_balancer",
        "web",
        "api",
        "app",
        "database",
        "cache",
        "queue",
        "storage",
        "batch",
        "monitoring",
    ]


def test_twenty_keep_the_names_they_always_had() -> None:
    assert " ".join(server.hostname for server in roster(20)) == (
        "lb-01 web-01 api-01 app-01 db-primary-seoul-1 cache-01 queue-01 storage-01 batch-01 monitoring-01 "
        "web-02 api-02 app-02 db-replica-busan-1 lb-02 web-03 cache-02 db-replica-tokyo-1 api-03 web-04"
    )
    assert {server.site.name for server in roster(20)} == {"seoul-1", "busan-1", "tokyo-1"}


def test_a_larger_fleet_begins_with_the_smaller_one() -> None:
    large = roster(500)
    assert large[:20] == roster(20)
    assert len({server.hostname for server in large}) == len({server.id for server in large}) == 500


def test_the_largest_fleet_has_every_role_at_every_site_and_is_made_at_once() -> None:
    started = time.process_time()
    servers = roster(10_000)
    assert time.process_time() - started < 0.5
    assert len({server.hostname for server in servers}) == 10_000
    places = Counter((server.role, server.site) for server in servers)
    assert set(places) == {(role, site) for role in ROLES for site in SITES}


def test_machines_come_in_the_sizes_of_their_role() -> None:
    for server in roster(300):
        sizes = {(h.cores, h.memory_gib * 2**30, h.disk_gib * 2**30) for h in server.role.hardware}
        assert (server.spec.cores, server.spec.memory_bytes, server.spec.disk_bytes) in sizes
    assert len({server.spec for server in roster(300) if server.role.name == "web"}) == 3


def test_database_names_tell_their_site() -> None:
    databases = [server for server in roster(300) if server.role.name == "database"]
    assert all(server.site.city in server.hostname for server in databases)
