"""Alerts as a timeline: at a time samples come in, in between notifications are expected or not."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.common.clock import ManualClock
from services.notifier.domain.rules import NoDataPolicy, Rule, Severity
from tests.support.notifier import FakeMetrics, FakeReceiver, Notifier, running_notifier


class Timeline:
    """`at(t)` goes to t seconds after the start; `push` sends samples; `expect` says what the receiver has got by now."""

    def __init__(self, notifier: Notifier) -> None:
        self.notifier = notifier
        self.start = notifier.clock.now()

    async def at(self, seconds: float) -> None:
        await self.notifier.pass_time(self.start + seconds - self.notifier.clock.now(), step=5.0)

    async def push(self, value: float, server: str = "web-01") -> None:
        self.notifier.metrics.push("cpu", value, server=server)
        await self.notifier.settle()

    def expect(self, *told: tuple[str, str]) -> None:
        assert self.notifier.told() == list(told)

    def expect_states(self, **states: str) -> None:
        assert {name.replace("-", "_"): state for name, state in self.notifier.states().items()} == states


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def timeline(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Timeline]:
    async with running_notifier(tmp_path, clock, FakeMetrics(clock), FakeReceiver()) as notifier:
        await notifier.channels.create("ops", "fake", {})
        yield Timeline(notifier)


async def make_rule(timeline: Timeline, **changes: object) -> Rule:
    rule = Rule(id="", name="High CPU", expr="cpu > 90", channels=("ops",))
    entry = await timeline.notifier.rules.create(replace(rule, **changes))  # type: ignore[arg-type]
    await timeline.notifier.pass_time(2)  # past its first evaluation and the least interval after that
    return entry.rule


async def test_an_alert_fires_as_the_batch_arrives_and_resolves_with_the_next(timeline: Timeline) -> None:
    await make_rule(timeline)
    await timeline.at(20)
    await timeline.push(50)
    timeline.expect()
    await timeline.at(22)
    await timeline.push(97.25)
    timeline.expect(("firing", "web-01"))
    await timeline.at(24)
    await timeline.push(96)
    timeline.expect(("firing", "web-01"))
    await timeline.at(26)
    await timeline.push(12)
    timeline.expect(("firing", "web-01"), ("resolved", "web-01"))
    timeline.expect_states()


async def test_each_series_is_an_alert_of_its_own(timeline: Timeline) -> None:
    await make_rule(timeline)
    await timeline.at(20)
    await timeline.push(95, "web-01")
    await timeline.at(22)
    await timeline.push(96, "db-01")
    await timeline.at(24)
    await timeline.push(10, "web-01")
    timeline.expect(("firing", "web-01"), ("firing", "db-01"), ("resolved", "web-01"))
    timeline.expect_states(db_01="firing")


async def test_for_is_waited_out_to_the_second_and_not_to_the_next_timer(timeline: Timeline) -> None:
    await make_rule(timeline, for_seconds=37.0)
    await timeline.at(20)
    await timeline.push(95)
    timeline.expect_states(web_01="pending")
    began = timeline.notifier.clock.now()
    await timeline.notifier.pass_time(36.5, step=0.5)
    timeline.expect()
    await timeline.notifier.pass_time(0.5)
    timeline.expect(("firing", "web-01"))
    alert = timeline.notifier.alert("web-01")
    assert (alert.started_at, alert.fired_at) == (began, began + 37.0)


async def test_a_condition_that_ends_within_for_tells_nobody(timeline: Timeline) -> None:
    await make_rule(timeline, for_seconds=60.0)
    await timeline.push(95)
    await timeline.at(30)
    await timeline.push(10)
    timeline.expect_states()
    await timeline.at(32)
    await timeline.push(95)
    await timeline.at(80)
    timeline.expect()
    await timeline.at(93)
    timeline.expect(("firing", "web-01"))


async def test_keep_firing_for_bridges_a_dip(timeline: Timeline) -> None:
    await make_rule(timeline, keep_firing_for_seconds=60.0)
    await timeline.push(95)
    await timeline.at(20)
    await timeline.push(10)
    await timeline.at(40)
    await timeline.push(95)
    await timeline.at(45)
    await timeline.push(10)
    await timeline.at(100)
    timeline.expect(("firing", "web-01"))
    await timeline.at(106)
    timeline.expect(("firing", "web-01"), ("resolved", "web-01"))


async def test_a_recovery_threshold_keeps_an_alert_between_the_two(timeline: Timeline) -> None:
    await make_rule(timeline, recovery_expr="cpu < 70")
    await timeline.push(95)
    await timeline.at(20)
    await timeline.push(80)
    await timeline.at(120)
    timeline.expect(("firing", "web-01"))
    await timeline.push(69)
    timeline.expect(("firing", "web-01"), ("resolved", "web-01"))


async def test_missing_data_is_unknown_and_not_resolved(timeline: Timeline) -> None:
    await make_rule(timeline)
    await timeline.push(95)
    await timeline.at(400)
    timeline.expect_states(web_01="unknown")
    timeline.expect(("firing", "web-01"))
    await timeline.push(96)
    timeline.expect_states(web_01="firing")
    timeline.expect(("firing", "web-01"))
    await timeline.at(800)
    timeline.expect_states(web_01="unknown")
    await timeline.push(10)
    timeline.expect(("firing", "web-01"), ("resolved", "web-01"))


async def test_missing_data_may_resolve(timeline: Timeline) -> None:
    await make_rule(timeline, no_data=NoDataPolicy.OK)
    await timeline.push(95)
    await timeline.at(320)
    timeline.expect(("firing", "web-01"), ("resolved", "web-01"))


async def test_missing_data_may_fire_for_a_series_that_was_calm(timeline: Timeline) -> None:
    await make_rule(timeline, no_data=NoDataPolicy.ALERT, for_seconds=30.0)
    await timeline.push(20)
    await timeline.at(290)
    timeline.expect()
    await timeline.at(350)
    timeline.expect(("firing", "web-01"))
    assert "no data" in timeline.notifier.receiver.sent[0].message
    assert timeline.notifier.receiver.sent[0].confidence == 0.5
    await timeline.push(20)
    timeline.expect(("firing", "web-01"), ("resolved", "web-01"))


async def test_a_pending_alert_starts_over_after_a_gap(timeline: Timeline) -> None:
    await make_rule(timeline, for_seconds=400.0)
    await timeline.push(95)
    await timeline.at(350)
    timeline.expect_states()
    await timeline.push(95)
    await timeline.at(500)
    timeline.expect()
    timeline.expect_states(web_01="pending")


async def test_an_evaluation_that_fails_changes_no_alert_and_says_why(timeline: Timeline) -> None:
    rule = await make_rule(timeline)
    await timeline.push(95)
    timeline.notifier.metrics.is_away = True
    await timeline.at(400)
    timeline.expect_states(web_01="firing")
    assert "metrics is away" in timeline.notifier.rules.get(rule.id).health.last_error
    timeline.notifier.metrics.is_away = False
    await timeline.at(420)
    timeline.expect_states(web_01="unknown")
    assert timeline.notifier.rules.get(rule.id).health.last_error == ""


async def test_batches_are_not_evaluated_more_often_than_allowed(timeline: Timeline) -> None:
    await make_rule(timeline)
    await timeline.at(20)
    timeline.notifier.metrics.asked.clear()
    for value in range(10):
        await timeline.push(value)
    assert len(timeline.notifier.metrics.asked) <= 1
    await timeline.at(22)
    assert 1 <= len(timeline.notifier.metrics.asked) <= 2


async def test_a_batch_of_other_metrics_wakes_nothing(timeline: Timeline) -> None:
    await make_rule(timeline)
    await timeline.at(20)
    timeline.notifier.metrics.asked.clear()
    timeline.notifier.metrics.push("memory", 99, server="web-01")
    await timeline.notifier.pass_time(2)
    assert timeline.notifier.metrics.asked == []


async def test_deleting_a_rule_resolves_its_alerts_and_tells(timeline: Timeline) -> None:
    rule = await make_rule(timeline)
    await timeline.push(95)
    await timeline.notifier.rules.delete(rule.id)
    await timeline.notifier.settle()
    timeline.expect(("firing", "web-01"), ("resolved", "web-01"))
    assert (await timeline.notifier.alerts.list_alerts([], 10, None))[0].state == "resolved"


async def test_changing_the_expression_resolves_and_begins_anew(timeline: Timeline) -> None:
    rule = await make_rule(timeline)
    await timeline.push(95)
    await timeline.notifier.rules.update(replace(rule, expr="cpu > 94"))
    await timeline.notifier.pass_time(2)
    timeline.expect(("firing", "web-01"), ("resolved", "web-01"), ("firing", "web-01"))


async def test_changing_the_severity_keeps_the_alert(timeline: Timeline) -> None:
    rule = await make_rule(timeline)
    await timeline.push(95)
    before = timeline.notifier.alert("web-01")
    await timeline.notifier.rules.update(replace(rule, severity=Severity.CRITICAL))
    await timeline.notifier.pass_time(2)
    timeline.expect(("firing", "web-01"))
    assert timeline.notifier.alert("web-01").id == before.id


async def test_a_group_waits_and_tells_of_all_its_alerts_at_once(timeline: Timeline) -> None:
    await make_rule(timeline, group_by=("role",), group_wait_seconds=30.0, group_interval_seconds=60.0)
    metrics = timeline.notifier.metrics
    metrics.push("cpu", 95, server="web-01", role="web")
    await timeline.at(10)
    metrics.push("cpu", 96, server="web-02", role="web")
    await timeline.at(29)
    timeline.expect()
    await timeline.at(35)
    (notification,) = timeline.notifier.receiver.sent
    assert [alert.labels["server"] for alert in notification.alerts] == ["web-01", "web-02"]
    assert (notification.server, dict(notification.group_labels)) == ("", {"alertname": "High CPU", "role": "web"})
    metrics.push("cpu", 5, server="web-01", role="web")
    await timeline.at(60)
    assert len(timeline.notifier.receiver.sent) == 1
    await timeline.at(100)
    second = timeline.notifier.receiver.sent[1]
    assert second.type == "firing"
    assert {alert.labels["server"]: alert.status for alert in second.alerts} == {"web-01": "resolved", "web-02": "firing"}


async def test_a_firing_alert_is_repeated_when_the_rule_says_so(timeline: Timeline) -> None:
    await make_rule(timeline, repeat_interval_seconds=100.0)
    for second in range(0, 260, 60):
        await timeline.at(second)
        await timeline.push(95)
    await timeline.at(260)
    timeline.expect(("firing", "web-01"), ("firing", "web-01"), ("firing", "web-01"))
    keys = [notification.idempotency_key for notification in timeline.notifier.receiver.sent]
    assert len(set(keys)) == 3


async def test_alerts_outlive_a_restart_and_are_not_told_twice(tmp_path: Path, clock: ManualClock) -> None:
    metrics, receiver, ids = FakeMetrics(clock), FakeReceiver(), itertools.count(1)
    async with running_notifier(tmp_path, clock, metrics, receiver, ids=ids) as first:
        await first.channels.create("ops", "fake", {})
        timeline = Timeline(first)
        await make_rule(timeline)
        await make_rule(timeline, name="Slow", for_seconds=100.0, channels=())
        await timeline.push(95)
        before = {alert.rule: alert for alert in first.book.open_alerts()}
        assert (before["High CPU"].state, before["Slow"].state) == ("firing", "pending")
    clock_at_crash = clock.now()
    async with running_notifier(tmp_path, clock, metrics, receiver, ids=ids) as second:
        await second.pass_time(20, step=5.0)
        after = {alert.rule: alert for alert in second.book.open_alerts()}
        assert {name: (a.id, a.started_at) for name, a in after.items()} == {n: (a.id, a.started_at) for n, a in before.items()}
        assert second.told() == [("firing", "web-01")]
        await second.pass_time(before["Slow"].started_at + 100.0 - clock.now(), step=5.0)
        assert {alert.rule: alert.state.value for alert in second.book.open_alerts()}["Slow"] == "firing"
        assert clock.now() > clock_at_crash


async def test_annotations_and_evidence_are_of_the_alert(timeline: Timeline) -> None:
    await make_rule(timeline, annotations={"summary": "{{ labels.server }} at {{ value | round(1) }}"})
    await timeline.push(97.26)
    alert = timeline.notifier.alert("web-01")
    assert alert.annotations == {"summary": "web-01 at 97.3"}
    rerun = await timeline.notifier.metrics.query(alert.evidence.expr, alert.evidence.time)
    assert [sample.value for sample in rerun] == [alert.value] == [97.26]


async def test_a_rule_over_very_many_series_tells_of_them_in_one_group(timeline: Timeline) -> None:
    await make_rule(timeline, group_by=("role",))
    for number in range(600):
        timeline.notifier.metrics.push("cpu", 95, server=f"web-{number:03d}", role="web")
    for _ in range(200):  # a thread does the work, which the clock cannot wait for
        await asyncio.sleep(0.02)
        await timeline.notifier.settle()
        if timeline.notifier.receiver.sent:
            break
    (notification,) = timeline.notifier.receiver.sent
    assert (len(notification.alerts), notification.truncated_alerts) == (500, 100)
    assert len(timeline.notifier.states()) == 600
