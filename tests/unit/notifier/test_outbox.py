"""Delivery: at least once, in order within a group, retried for hours under one key, one channel never delaying another."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.clock import ManualClock
from services.notifier.domain.notifications import DeliveryResult, Notification, NotificationState, Outcome
from services.notifier.domain.retry import RetryPolicy
from services.notifier.domain.rules import Rule
from tests.support.notifier import FakeMetrics, FakeReceiver, Notifier, running_notifier
from tests.support.notifier_state import a_notification

BUSY = DeliveryResult(Outcome.REJECTED, retryable=True, detail="HTTP 503", http_status=503)
NO = DeliveryResult(Outcome.REJECTED, retryable=False, detail="HTTP 400", http_status=400)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def notifier(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Notifier]:
    async with running_notifier(tmp_path, clock, FakeMetrics(clock), FakeReceiver()) as running:
        await prepare(running)
        yield running


async def prepare(notifier: Notifier) -> None:
    await notifier.channels.create("ops", "fake", {})
    await notifier.rules.create(Rule(id="", name="High CPU", expr="cpu > 90", channels=("ops",)))
    await notifier.pass_time(2)


async def push(notifier: Notifier, value: float, server: str = "web-01") -> None:
    notifier.metrics.push("cpu", value, server=server)
    await notifier.settle()


async def rows(notifier: Notifier) -> list[Notification]:
    found = await notifier.outbox_rows.list_notifications([], 100, None)
    return [notification for _, notification in reversed(found)]


async def test_a_failed_attempt_is_repeated_later_under_the_same_key(notifier: Notifier) -> None:
    notifier.receiver.answers = [BUSY, BUSY]
    await push(notifier, 95)
    assert len(notifier.receiver.sent) == 1
    await notifier.pass_time(1)
    assert len(notifier.receiver.sent) == 2
    await notifier.pass_time(2)
    assert len(notifier.receiver.sent) == 3
    assert len({notification.idempotency_key for notification in notifier.receiver.sent}) == 1
    (kept,) = await rows(notifier)
    assert kept.state is NotificationState.DELIVERED
    assert [attempt.outcome for attempt in kept.attempts] == [Outcome.REJECTED, Outcome.REJECTED, Outcome.DELIVERED]


async def test_what_can_never_succeed_is_given_up_at_once(notifier: Notifier) -> None:
    notifier.receiver.answers = [NO]
    await push(notifier, 95)
    await notifier.pass_time(600, step=60)
    assert len(notifier.receiver.sent) == 1
    assert (await rows(notifier))[0].state is NotificationState.DEAD


async def test_retries_end_after_the_greatest_age(tmp_path: Path, clock: ManualClock) -> None:
    policy = RetryPolicy(first_seconds=1.0, max_seconds=100.0, max_age_seconds=1000.0)
    async with running_notifier(tmp_path, clock, FakeMetrics(clock), FakeReceiver(), policy=policy) as notifier:
        await prepare(notifier)
        notifier.receiver.answers = [BUSY] * 100
        await push(notifier, 95)
        await notifier.pass_time(1200, step=10)
        (kept,) = await rows(notifier)
        assert kept.state is NotificationState.DEAD
        assert 900 <= kept.attempts[-1].at - kept.timestamp <= 1000


async def test_resolved_is_told_after_firing_however_often_that_fails(notifier: Notifier) -> None:
    notifier.receiver.answers = [BUSY, BUSY, BUSY]
    await push(notifier, 95)
    await notifier.pass_time(1)
    await push(notifier, 10)
    await notifier.pass_time(60)
    taken = [(row.type.value, row.state.value) for row in await rows(notifier)]
    assert taken == [("firing", "delivered"), ("resolved", "delivered")]
    assert [told for told, _ in notifier.told()] == ["firing"] * 4 + ["resolved"]


async def test_one_alert_that_is_refused_does_not_delay_another(notifier: Notifier) -> None:
    notifier.receiver.answers = [BUSY]
    await push(notifier, 95, "web-01")
    await notifier.pass_time(0.25, step=0.25)
    await notifier.pass_time(0.8, step=0.1)
    await push(notifier, 95, "web-02")
    await notifier.pass_time(5)
    assert {server for _, server in notifier.told()} == {"web-01", "web-02"}


async def test_a_receiver_that_asks_for_a_pause_gets_it_for_everything(notifier: Notifier) -> None:
    notifier.receiver.answers = [DeliveryResult(Outcome.REJECTED, True, "HTTP 429", 429, retry_after_seconds=120.0)]
    await push(notifier, 95, "web-01")
    await notifier.pass_time(2)
    await push(notifier, 95, "web-02")
    await notifier.pass_time(110, step=5)
    assert len(notifier.receiver.sent) == 1
    await notifier.pass_time(10, step=5)
    assert len(notifier.receiver.sent) == 3


async def test_a_stuck_channel_does_not_delay_another(notifier: Notifier) -> None:
    async def hang(notification: Notification) -> None:
        if notification.channel == "stuck":
            await asyncio.Event().wait()

    notifier.receiver.on_send = hang
    await notifier.channels.create("stuck", "fake", {})
    await notifier.rules.create(Rule(id="", name="Both", expr="cpu > 91", channels=("stuck", "ops")))
    await notifier.pass_time(2)
    await push(notifier, 95)
    await push(notifier, 96, "web-02")
    await notifier.pass_time(3)
    reached = [n for n in notifier.receiver.sent if n.rule == "Both"]
    assert [n.channel for n in reached].count("ops") == 2
    assert [n.channel for n in reached].count("stuck") == 1


async def test_a_bug_in_a_channel_is_a_failed_attempt(notifier: Notifier) -> None:
    async def broken(notification: Notification) -> None:
        notifier.receiver.on_send = None
        raise KeyError("a bug")

    notifier.receiver.on_send = broken
    await push(notifier, 95)
    await notifier.pass_time(2)
    (kept,) = await rows(notifier)
    assert [attempt.outcome for attempt in kept.attempts] == [Outcome.ERROR, Outcome.DELIVERED]


async def test_a_crash_between_commit_and_send_delivers_after_the_restart(tmp_path: Path, clock: ManualClock) -> None:
    metrics, ids = FakeMetrics(clock), itertools.count(1)
    dying = FakeReceiver()

    async def never_answer(_: Notification) -> None:
        await asyncio.Event().wait()

    dying.on_send = never_answer
    async with running_notifier(tmp_path, clock, metrics, dying, ids=ids) as first:
        await prepare(first)
        await push(first, 95)
        assert len(dying.sent) == 1
    living = FakeReceiver()
    async with running_notifier(tmp_path, clock, metrics, living, ids=ids) as second:
        await second.pass_time(20, step=5)
        assert [n.idempotency_key for n in living.sent] == [dying.sent[0].idempotency_key]
        assert living.sent[0].alerts == dying.sent[0].alerts
        assert [row.state for row in await rows(second)] == [NotificationState.DELIVERED]


async def test_an_attempt_that_could_not_be_written_down_is_made_again(notifier: Notifier, monkeypatch: pytest.MonkeyPatch) -> None:
    record, failures = notifier.outbox_rows.record, [OSError("disk full")]

    async def flaky(*arguments: object) -> None:
        if failures:
            raise failures.pop()
        await record(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(notifier.outbox_rows, "record", flaky)
    await push(notifier, 95)
    await notifier.pass_time(6)
    assert len(notifier.receiver.sent) == 2
    assert len({notification.idempotency_key for notification in notifier.receiver.sent}) == 1


async def test_what_waits_for_a_deleted_channel_is_given_up_with_the_reason(notifier: Notifier) -> None:
    notifier.receiver.answers = [BUSY] * 10
    await push(notifier, 95)
    (entry,) = notifier.rules.list(10, "")
    await notifier.rules.delete(entry.rule.id)
    await notifier.channels.delete("ops")
    await notifier.settle()
    kept = await rows(notifier)
    assert [row.state for row in kept] == [NotificationState.DEAD, NotificationState.DEAD]
    assert "deleted" in kept[-1].attempts[-1].detail


def test_the_wait_doubles_within_its_bounds_and_is_the_same_in_every_run() -> None:
    policy, notification = RetryPolicy(1.0, 60.0, 1e9), a_notification(1)
    waits = []
    for failures in range(1, 12):
        at = policy.next_attempt_at(notification, failures, BUSY, 0.0)
        assert at is not None
        assert at == policy.next_attempt_at(notification, failures, BUSY, 0.0)
        longest = min(60.0, 2.0 ** (failures - 1))
        assert longest / 2 <= at <= longest
        waits.append(at)
    assert len(set(waits)) == len(waits)
