"""What every outbox and every store of channels promises."""

from dataclasses import replace

import pytest

from services.common.errors import AlreadyExistsError
from services.notifier.domain.channels import Channel
from services.notifier.domain.notifications import DeliveryAttempt, NotificationState, Outcome
from services.notifier.domain.ports import Changes
from tests.support.notifier_state import State, a_notification

FAILED = DeliveryAttempt(10.0, Outcome.TIMEOUT, "slow", None, 1.25)
TAKEN = DeliveryAttempt(11.0, Outcome.DELIVERED, "ok", 200, 0.5)


async def test_a_notification_comes_back_as_it_was_made_with_its_attempts(state: State) -> None:
    made = a_notification(1)
    await state.alerts.commit(Changes(notifications=[made]))
    assert await state.outbox.next_for("ops") == made
    await state.outbox.record(made.id, FAILED, NotificationState.QUEUED, 99.5)
    again = await state.reopened()
    assert await again.outbox.next_for("ops") == replace(made, attempts=(FAILED,), next_attempt_at=99.5)
    await again.outbox.record(made.id, TAKEN, NotificationState.DELIVERED, None)
    assert await again.outbox.next_for("ops") is None
    ((_, kept),) = await again.outbox.list_notifications([], 10, None)
    await again.database.close()
    assert (kept.state, kept.attempts) == (NotificationState.DELIVERED, (FAILED, TAKEN))


async def test_channels_do_not_see_each_others_notifications(state: State) -> None:
    await state.alerts.commit(Changes(notifications=[a_notification(1), a_notification(2, channel="night")]))
    found = await state.outbox.next_for("night")
    assert found is not None
    assert found.id == "notification-002"
    assert await state.outbox.next_for("nobody") is None


async def test_a_group_is_told_in_order_and_another_may_go_past_it(state: State) -> None:
    first = a_notification(1, group_key="a", next_attempt_at=500.0)
    second = a_notification(2, group_key="a", next_attempt_at=10.0)
    other = a_notification(3, group_key="b", next_attempt_at=20.0)
    await state.alerts.commit(Changes(notifications=[first, second, other]))
    order = []
    while (due := await state.outbox.next_for("ops")) is not None:
        order.append(due.id)
        await state.outbox.record(due.id, TAKEN, NotificationState.DELIVERED, None)
    assert order == [other.id, first.id, second.id]


async def test_what_is_given_up_stays_given_up(state: State) -> None:
    made = a_notification(1)
    await state.alerts.commit(Changes(notifications=[made]))
    await state.outbox.record(made.id, FAILED, NotificationState.DEAD, None)
    await state.outbox.record(made.id, FAILED, NotificationState.QUEUED, 50.0)
    ((_, kept),) = await state.outbox.list_notifications([NotificationState.DEAD], 10, None)
    assert (kept.next_attempt_at, len(kept.attempts)) == (None, 2)


async def test_notifications_are_paged_with_the_newest_first(state: State) -> None:
    await state.alerts.commit(Changes(notifications=[a_notification(number) for number in range(5)]))
    await state.outbox.record("notification-001", FAILED, NotificationState.DEAD, None)
    found: list[str] = []
    before = None
    while page := await state.outbox.list_notifications([NotificationState.QUEUED], 2, before):
        found.extend(notification.id for _, notification in page)
        before = page[-1][0]
    assert found == ["notification-004", "notification-003", "notification-002", "notification-000"]


async def test_a_finished_notification_may_be_added_whole(state: State) -> None:
    made = a_notification(1, state=NotificationState.DEAD, attempts=(FAILED,), next_attempt_at=None)
    await state.outbox.add(made)
    assert [notification for _, notification in await state.outbox.list_notifications([], 1, None)] == [made]
    assert await state.outbox.next_for("ops") is None


def a_channel(name: str = "ops") -> Channel:
    return Channel(name, "webhook", {"url": "https://example.org/훅", "secret": "s", "allow_private": False}, 12.5)


async def test_channels_are_made_once_listed_by_name_and_replaced(state: State) -> None:
    for name in ("b", "a", "c"):
        await state.channels.create(a_channel(name))
    with pytest.raises(AlreadyExistsError):
        await state.channels.create(a_channel("a"))
    assert await state.channels.list(2, "") == [a_channel("a"), a_channel("b")]
    assert await state.channels.list(2, "b") == [a_channel("c")]
    changed = replace(a_channel("b"), config={"url": "https://example.org"})
    await state.channels.update(changed)
    assert await state.channels.get("b") == changed
    assert await state.channels.get("d") is None


async def test_deleting_a_channel_gives_up_what_is_queued_for_it(state: State) -> None:
    await state.channels.create(a_channel("ops"))
    delivered = a_notification(1)
    await state.alerts.commit(Changes(notifications=[delivered, a_notification(2), a_notification(3, channel="night")]))
    await state.outbox.record(delivered.id, TAKEN, NotificationState.DELIVERED, None)
    reason = DeliveryAttempt(20.0, Outcome.ERROR, "the channel was deleted")
    assert await state.channels.delete("ops", reason)
    assert not await state.channels.delete("ops", reason)
    kept = {notification.id: notification for _, notification in await state.outbox.list_notifications([], 10, None)}
    assert kept["notification-001"].state is NotificationState.DELIVERED
    assert (kept["notification-002"].state, kept["notification-002"].attempts) == (NotificationState.DEAD, (reason,))
    assert kept["notification-003"].state is NotificationState.QUEUED
