"""What was deleted is over; what fell silent is not."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.clock import ManualClock
from services.notifier.domain.deletion import deleted
from services.notifier.domain.expressions import parse_expression
from services.notifier.domain.rules import NoDataPolicy, Rule
from tests.support.notifier import FakeMetrics, FakeReceiver, Notifier, running_notifier

SILENT_SECONDS = 400.0
FIRED_AND_OVER = [("firing", "web-01"), ("resolved", "web-01")]


@pytest.fixture
def metrics() -> FakeMetrics:
    return FakeMetrics(ManualClock())


@pytest.fixture
async def notifier(tmp_path: Path, metrics: FakeMetrics) -> AsyncIterator[Notifier]:
    async with running_notifier(tmp_path, metrics.clock, metrics, FakeReceiver()) as running:
        await running.channels.create("ops", "fake", {})
        yield running


async def make_rule(notifier: Notifier, **changes: object) -> None:
    fields: dict[str, object] = {"name": "High CPU", "expr": "cpu > 90", "channels": ("ops",), **changes}
    await notifier.rules.create(Rule(id="", **fields))  # type: ignore[arg-type]
    await notifier.pass_time(2)


async def fire(notifier: Notifier, server: str = "web-01") -> None:
    notifier.metrics.push("cpu", 95, server=server)
    await notifier.pass_time(2)


@pytest.mark.parametrize("policy", NoDataPolicy)
async def test_an_alert_of_a_deleted_server_is_over_whatever_the_rule_says_of_missing_data(
    notifier: Notifier, policy: NoDataPolicy
) -> None:
    await make_rule(notifier, no_data=policy, keep_firing_for_seconds=3600.0, recovery_expr="cpu < 70")
    await fire(notifier)
    notifier.metrics.delete("web-01")
    await notifier.pass_time(2)
    assert notifier.states() == {}
    (alert,) = await notifier.alerts.list_alerts([], 10, None)
    assert alert.ends_at is not None
    assert notifier.clock.now() - alert.ends_at <= 2
    await notifier.pass_time(2 * SILENT_SECONDS, step=10.0)
    assert notifier.told() == FIRED_AND_OVER


async def test_an_alert_that_was_unknown_for_long_is_over_once_its_server_is_deleted(notifier: Notifier) -> None:
    await make_rule(notifier)
    await fire(notifier, "web-01")
    await fire(notifier, "web-02")
    await notifier.pass_time(SILENT_SECONDS, step=10.0)
    assert notifier.states() == {"web-01": "unknown", "web-02": "unknown"}
    notifier.metrics.delete("web-01")
    await notifier.pass_time(SILENT_SECONDS, step=10.0)
    assert notifier.states() == {"web-02": "unknown"}
    assert notifier.told() == [("firing", "web-01"), ("firing", "web-02"), ("resolved", "web-01")]


async def test_a_pending_alert_of_a_deleted_server_leaves_no_trace(notifier: Notifier) -> None:
    await make_rule(notifier, no_data=NoDataPolicy.ALERT, for_seconds=60.0)
    await fire(notifier)
    notifier.metrics.delete("web-01")
    await notifier.pass_time(SILENT_SECONDS, step=10.0)
    assert (notifier.states(), notifier.told()) == ({}, [])


@pytest.mark.parametrize("told", [True, False])
async def test_no_alert_begins_for_a_calm_server_that_was_deleted(notifier: Notifier, told: bool) -> None:
    await make_rule(notifier, no_data=NoDataPolicy.ALERT)
    notifier.metrics.push("cpu", 5, server="web-01")
    await notifier.pass_time(2)
    notifier.metrics.delete("web-01", told=told)
    await notifier.pass_time(SILENT_SECONDS, step=10.0)
    assert (notifier.states(), notifier.told()) == ({}, [])
    assert [entry.watched for entry in notifier.book.entries()] == [{}]
    assert (await notifier.alerts.load()).watched == []


async def test_what_is_deleted_while_the_stream_is_broken_is_noticed_when_it_is_back(notifier: Notifier) -> None:
    await make_rule(notifier)
    await fire(notifier)
    notifier.metrics.disconnect()
    notifier.metrics.delete("web-01", told=False)
    await notifier.pass_time(5)
    assert notifier.told() == FIRED_AND_OVER


async def test_what_is_deleted_while_the_notifier_is_off_is_noticed_at_its_start(tmp_path: Path, metrics: FakeMetrics) -> None:
    receiver, ids = FakeReceiver(), itertools.count(1)
    async with running_notifier(tmp_path, metrics.clock, metrics, receiver, ids=ids) as first:
        await first.channels.create("ops", "fake", {})
        await make_rule(first)
        await fire(first)
    metrics.delete("web-01")
    async with running_notifier(tmp_path, metrics.clock, metrics, receiver, ids=ids) as second:
        await second.pass_time(2)
        assert second.told() == FIRED_AND_OVER


async def test_a_question_that_failed_is_asked_again(notifier: Notifier) -> None:
    await make_rule(notifier)
    await fire(notifier)
    notifier.metrics.is_away = True
    notifier.metrics.delete("web-01")
    await notifier.pass_time(30)
    assert notifier.states() == {"web-01": "firing"}
    notifier.metrics.is_away = False
    await notifier.pass_time(20)
    assert notifier.told() == FIRED_AND_OVER


async def test_silence_is_asked_about_once_and_not_at_each_evaluation(notifier: Notifier) -> None:
    await make_rule(notifier)
    await make_rule(notifier, name="Heard from", expr="cpu > 99", no_data=NoDataPolicy.ALERT, channels=())
    await fire(notifier)
    notifier.metrics.held_asked.clear()
    await notifier.pass_time(2 * SILENT_SECONDS, step=10.0)
    assert len(notifier.metrics.held_asked) == 1, "only the alert that begins for missing data asks"
    notifier.metrics.delete("web-02")
    await notifier.pass_time(SILENT_SECONDS, step=10.0)
    assert len(notifier.metrics.held_asked) == 3
    assert sorted(alert.state for alert in notifier.book.open_alerts()) == ["firing", "unknown"]


@pytest.mark.parametrize(
    ("expr", "labels", "is_over"),
    [
        ("disk > 90", {"server": "web-01", "device": "sda"}, False),
        ("disk > 90", {"server": "web-01", "device": "gone"}, True),
        ("disk > 90", {"server": "gone", "device": "sda"}, True),
        ("avg by (device) (disk) > 90", {"device": "gone"}, False),
        ("max by (server) (disk) > 90", {"server": "web-01"}, False),
        ("max by (server) (disk) > 90", {"server": "gone"}, True),
        ('{__name__=~"d.*"} > 90', {"server": "web-01"}, False),
        ('{__name__=~"d.*"} > 90', {"server": "gone"}, True),
        ("memory > 90", {"server": "web-01"}, True),
        # Labels that the expression or the rule puts on: nothing that is stored need bear them.
        ('label_replace(disk, "server", "$1", "device", "(.*)") > 90', {"server": "sda"}, False),
        ('label_replace(disk, ("room"), "a", "", "") > 90', {"server": "web-01", "room": "a"}, False),
        ('label_join(disk, "place", "/", "server") > 90', {"server": "gone", "place": "gone"}, True),
        ("disk * on (server) group_left (owner) info > 90", {"server": "web-01", "device": "sda", "owner": "ops"}, False),
        ("disk * on (site) group_left (server) info > 90", {"server": "gone", "device": "sda"}, False),
        ("disk > 90", {"server": "web-01", "team": "ops"}, False),
    ],
)
async def test_only_labels_of_stored_series_tell_that_one_was_deleted(
    metrics: FakeMetrics, expr: str, labels: dict[str, str], is_over: bool
) -> None:
    metrics.push("disk", 95, server="web-01", device="sda", site="seoul")
    rule = Rule(id="r", name="r", expr=expr, labels={"team": "ops"})
    missing = {"key": {**labels, "alertname": "r"}}
    assert await deleted(rule, parse_expression(expr), missing, metrics) == (frozenset({"key"}) if is_over else frozenset())


async def test_a_rule_that_names_the_server_itself_says_nothing_about_what_is_stored(metrics: FakeMetrics) -> None:
    rule = Rule(id="r", name="r", expr="cpu > 90", labels={"server": "all"})
    assert await deleted(rule, parse_expression(rule.expr), {"key": {"server": "all"}}, metrics) == frozenset()
    assert metrics.held_asked == []
