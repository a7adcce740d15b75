"""What every store of rules and alerts promises."""

import math
from dataclasses import replace

import pytest

from services.common.errors import AlreadyExistsError
from services.notifier.domain.alerts import AlertState, Status
from services.notifier.domain.pipeline import Group
from services.notifier.domain.ports import Changes, WatchedSeries
from services.notifier.domain.rules import RuleHealth
from tests.support.notifier_state import State, a_notification, a_rule, an_alert


async def test_everything_committed_is_there_after_a_restart(state: State) -> None:
    group = Group("rule-1:1", "rule-1", {"role": "web"}, flush_at=1.5, told_at=None)
    watched = WatchedSeries("rule-1", "f" * 16, {"server": "web-01"})
    changes = Changes(
        rules=[a_rule(1), a_rule(2)],
        health={"rule-1": RuleHealth("no luck", 12.5)},
        alerts=[an_alert(1)],
        groups=[group],
        watched=[watched],
    )
    await state.alerts.commit(changes)
    again = await state.reopened()
    snapshot = await again.alerts.load()
    await again.database.close()
    assert sorted(snapshot.rules, key=lambda pair: pair[0].id) == [
        (a_rule(1), RuleHealth("no luck", 12.5)),
        (a_rule(2), RuleHealth()),
    ]
    assert (snapshot.alerts, snapshot.groups, snapshot.watched) == ([an_alert(1)], [group], [watched])


async def test_a_commit_is_all_or_nothing(state: State) -> None:
    await state.alerts.commit(Changes(rules=[a_rule(1)]))
    clash = a_rule(2, name=a_rule(1).name)
    with pytest.raises(AlreadyExistsError):
        await state.alerts.commit(Changes(rules=[clash], alerts=[an_alert(1)], notifications=[a_notification(1)]))
    snapshot = await state.alerts.load()
    assert ([rule.id for rule, _ in snapshot.rules], snapshot.alerts) == (["rule-1"], [])
    assert await state.outbox.list_notifications([], 10, None) == []


async def test_a_rule_is_replaced_and_keeps_its_health(state: State) -> None:
    await state.alerts.commit(Changes(rules=[a_rule(1)], health={"rule-1": RuleHealth("x", 1.0)}))
    changed = a_rule(1, name="Other", enabled=False, channels=())
    await state.alerts.commit(Changes(rules=[changed]))
    assert (await state.alerts.load()).rules == [(changed, RuleHealth("x", 1.0))]


async def test_removing_a_rule_forgets_what_it_watched_and_keeps_its_alerts(state: State) -> None:
    watched = [WatchedSeries("rule-1", "a" * 16, {}), WatchedSeries("rule-2", "b" * 16, {})]
    await state.alerts.commit(Changes(rules=[a_rule(1), a_rule(2)], watched=watched))
    over = an_alert(1, state=AlertState.RESOLVED, ends_at=1_700_000_200.0, told=Status.RESOLVED)
    await state.alerts.commit(Changes(removed_rules=["rule-1"], alerts=[over]))
    snapshot = await state.alerts.load()
    assert ([rule.id for rule, _ in snapshot.rules], snapshot.watched) == (["rule-2"], [watched[1]])
    assert await state.alerts.list_alerts([], 10, None) == [over]


async def test_single_series_are_forgotten_while_others_are_watched(state: State) -> None:
    watched = [WatchedSeries(rule, key * 16, {}) for rule in ("rule-1", "rule-2") for key in "abc"]
    await state.alerts.commit(Changes(rules=[a_rule(1), a_rule(2)], watched=watched))
    new = WatchedSeries("rule-1", "d" * 16, {"server": "db-01"})
    await state.alerts.commit(Changes(watched=[new], unwatched=[watched[0], watched[5]]))
    left = (await state.alerts.load()).watched
    assert sorted(left, key=str) == sorted([*watched[1:5], new], key=str)


async def test_open_and_untold_alerts_are_loaded_and_no_others(state: State) -> None:
    end = {"state": AlertState.RESOLVED, "ends_at": 1_700_000_300.0}
    alerts = [
        an_alert(1, state=AlertState.PENDING, told=None, fired_at=None),
        an_alert(2, state=AlertState.UNKNOWN),
        an_alert(3, told=Status.FIRING, **end),
        an_alert(4, told=Status.RESOLVED, **end),
        an_alert(5, told=None, **end),
    ]
    await state.alerts.commit(Changes(rules=[a_rule(1)], alerts=alerts))
    assert {alert.id for alert in (await state.alerts.load()).alerts} == {"alert-001", "alert-002", "alert-003"}


@pytest.mark.parametrize("value", [math.inf, -math.inf, -0.5, 1e300])
async def test_values_come_back_exactly(state: State, value: float) -> None:
    alert = an_alert(1, value=value)
    await state.alerts.commit(Changes(alerts=[alert], notifications=[a_notification(1, alerts=(alert,))]))
    assert (await state.alerts.load()).alerts == [alert]
    ((_, notification),) = await state.outbox.list_notifications([], 1, None)
    assert notification.alerts == (alert,)


async def test_no_value_is_not_a_number(state: State) -> None:
    alert = an_alert(1, value=math.nan)
    await state.alerts.commit(Changes(alerts=[alert], notifications=[a_notification(1, alerts=(alert,))]))
    assert math.isnan((await state.alerts.load()).alerts[0].value)
    ((_, notification),) = await state.outbox.list_notifications([], 1, None)
    assert math.isnan(notification.alerts[0].value)


async def test_a_series_may_end_and_begin_again_in_one_commit(state: State) -> None:
    first = an_alert(1)
    await state.alerts.commit(Changes(alerts=[first]))
    ended = replace(first, state=AlertState.RESOLVED, ends_at=1_700_000_300.0)
    second = an_alert(2, fingerprint=first.fingerprint, labels=first.labels)
    await state.alerts.commit(Changes(alerts=[second, ended]))
    assert {alert.id: alert.is_open for alert in await state.alerts.list_alerts([], 10, None)} == {
        first.id: False,
        second.id: True,
    }


async def test_alerts_are_paged_with_the_newest_first(state: State) -> None:
    same_start = [an_alert(number, started_at=50.0) for number in range(5)]
    await state.alerts.commit(Changes(alerts=[*same_start, an_alert(9, started_at=60.0), an_alert(8, started_at=40.0)]))
    found: list[str] = []
    before = None
    while page := await state.alerts.list_alerts([], 2, before):
        found.extend(alert.id for alert in page)
        before = (page[-1].started_at, page[-1].id)
    assert found == ["alert-009", "alert-004", "alert-003", "alert-002", "alert-001", "alert-000", "alert-008"]


async def test_alerts_are_listed_by_state(state: State) -> None:
    over = an_alert(2, state=AlertState.RESOLVED, ends_at=1.0)
    await state.alerts.commit(Changes(alerts=[an_alert(1), over, an_alert(3, state=AlertState.PENDING)]))
    found = await state.alerts.list_alerts([AlertState.FIRING, AlertState.RESOLVED], 10, None)
    assert [alert.id for alert in found] == ["alert-002", "alert-001"]


async def test_pruning_forgets_only_what_is_over_and_told(state: State) -> None:
    end = {"state": AlertState.RESOLVED, "ends_at": 100.0}
    alerts = [
        an_alert(1, told=Status.RESOLVED, **end),
        an_alert(2, told=Status.FIRING, **end),
        an_alert(3),
        an_alert(4, told=Status.RESOLVED, state=AlertState.RESOLVED, ends_at=200.0),
    ]
    queued = a_notification(1, timestamp=50.0)
    await state.alerts.commit(Changes(alerts=alerts, notifications=[queued]))
    assert await state.alerts.prune(150.0) == 1
    assert {alert.id for alert in await state.alerts.list_alerts([], 10, None)} == {"alert-002", "alert-003", "alert-004"}
    assert len(await state.outbox.list_notifications([], 10, None)) == 1
