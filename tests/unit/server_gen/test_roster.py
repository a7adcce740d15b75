from services.server_gen.domain.roster import roster


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


def test_twenty_have_names_that_people_expect() -> None:
    names = [server.hostname for server in roster(20)]
    assert {"web-01", "web-02", "web-03", "api-01", "api-02", "db-primary-seoul-1", "db-replica-busan-1"} <= set(names)
    assert len(set(names)) == 20
    assert {server.site.name for server in roster(20)} == {"seoul-1", "busan-1", "tokyo-1"}


def test_a_larger_fleet_begins_with_the_smaller_one() -> None:
    large = roster(500)
    assert large[:20] == roster(20)
    assert len({server.hostname for server in large}) == len({server.id for server in large}) == 500
