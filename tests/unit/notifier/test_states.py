"""The state machine of one alert, over every sequence of what evaluations may say."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.alerts import Alert, AlertState, Evidence
from services.notifier.domain.rules import NoDataPolicy, Rule, Severity
from services.notifier.domain.states import Seen, advance, begin, due_at

START = 1_700_000_000.0
RULE = Rule(id="r", name="r", expr="cpu > 90")

rules = st.builds(
    Rule,
    id=st.just("r"),
    name=st.just("r"),
    expr=st.just("cpu > 90"),
    for_seconds=st.sampled_from([0.0, 10.0, 60.0]),
    keep_firing_for_seconds=st.sampled_from([0.0, 20.0]),
    no_data=st.sampled_from(NoDataPolicy),
)
steps = st.lists(st.tuples(st.sampled_from(Seen), st.sampled_from([0.0, 1.0, 7.5, 30.0, 100.0])), max_size=30)


def an_alert(rule: Rule) -> Alert:
    empty = Alert("a", "r", "r", AlertState.PENDING, Severity.INFO, {}, "f", "g", 1.0, Evidence("e", START), START)
    return begin(empty, rule, START)


@given(rules, steps)
def test_no_sequence_breaks_what_a_state_means(rule: Rule, sequence: list[tuple[Seen, float]]) -> None:
    alert, now = an_alert(rule), START
    for seen, passed in sequence:
        now += passed
        judged = seen
        if seen is Seen.MISSING:
            judged = {NoDataPolicy.ALERT: Seen.ACTIVE, NoDataPolicy.OK: Seen.CLEAR}.get(rule.no_data, Seen.MISSING)
        after = advance(alert, seen, rule, now)
        if after is None:
            assert alert.state is AlertState.PENDING
            assert judged is not Seen.ACTIVE
            return
        assert after.started_at == alert.started_at
        if after.state is AlertState.FIRING and alert.state is AlertState.PENDING:
            assert now - alert.started_at >= rule.for_seconds
            assert judged is Seen.ACTIVE
        if after.state is AlertState.UNKNOWN:
            assert seen is Seen.MISSING
            assert rule.no_data is NoDataPolicy.KEEP
        if after.state is AlertState.RESOLVED:
            assert after.ends_at == now
            if seen is Seen.GONE:
                return
            assert judged is Seen.CLEAR
            if alert.cleared_at is None:
                assert rule.keep_firing_for_seconds == 0
            else:
                assert now - alert.cleared_at >= rule.keep_firing_for_seconds
            return
        assert after.ends_at is None
        due = due_at(after, rule)
        assert due is None or due > now, "a wait that is over must have been acted upon, or the evaluator would spin"
        alert = after


@given(rules)
def test_what_is_due_happens_exactly_then(rule: Rule) -> None:
    alert = an_alert(rule)
    if (due := due_at(alert, rule)) is not None:
        early = advance(alert, Seen.ACTIVE, rule, due - 0.001)
        on_time = advance(alert, Seen.ACTIVE, rule, due)
        assert early is not None
        assert on_time is not None
        assert (early.state, on_time.state) == (AlertState.PENDING, AlertState.FIRING)


@given(rules, steps)
def test_what_was_deleted_is_over_at_once_whatever_was_before(rule: Rule, sequence: list[tuple[Seen, float]]) -> None:
    alert, now = an_alert(rule), START
    for seen, passed in sequence:
        now += passed
        after = advance(alert, seen, rule, now)
        if after is None or not after.is_open:
            return
        alert = after
    over = advance(alert, Seen.GONE, rule, now)
    assert (over is None) == (alert.state is AlertState.PENDING)
    if over is not None:
        assert (over.state, over.ends_at, over.cleared_at) == (AlertState.RESOLVED, now, None)


def test_held_between_the_thresholds_neither_begins_nor_ends() -> None:
    firing = an_alert(RULE)
    assert advance(firing, Seen.HELD, RULE, START + 1) == firing
    pending = an_alert(replace(RULE, for_seconds=60.0))
    assert advance(pending, Seen.HELD, replace(RULE, for_seconds=60.0), START + 1) is None


def test_the_wait_of_keep_firing_starts_over_when_the_condition_returns() -> None:
    rule = replace(RULE, keep_firing_for_seconds=20.0)
    cleared = advance(an_alert(rule), Seen.CLEAR, rule, START + 5)
    assert cleared is not None
    back = advance(cleared, Seen.ACTIVE, rule, START + 10)
    assert back is not None
    assert (cleared.cleared_at, back.cleared_at) == (START + 5, None)
