"""The state machine of one alert.

    (none) ──active──▶ pending ──held for `for`──▶ firing ──clear, `keep_firing_for` over──▶ resolved
                          │                        ▲    │
                          └──not active──▶ (none)  └────┴──no data, policy keep──▶ unknown ──clear──▶ resolved

A pending alert whose data goes missing starts over: a gap is no proof that the condition held. A firing alert whose data goes
missing is unknown, not resolved, until data says otherwise. Silence and deletion are not the same: what an alert is about may be
deleted on purpose, and then nothing will ever say otherwise, so the alert is over at once, whatever its rule says of missing data.
An alert that resolved is over; the next one has an id of its own.
"""

import enum
from dataclasses import replace

from services.notifier.domain.alerts import Alert, AlertState
from services.notifier.domain.rules import NoDataPolicy, Rule


class Seen(enum.StrEnum):
    """What an evaluation says about one series."""

    ACTIVE = "active"  # the expression returned it
    HELD = "held"  # the expression did not, but the recovery expression has not been met either
    CLEAR = "clear"  # there is data, and the condition is over
    MISSING = "missing"  # there is no data
    GONE = "gone"  # there is no data because its series were deleted


def begin(alert: Alert, rule: Rule, now: float) -> Alert:
    """The first state of an alert whose condition was just seen to hold."""
    fired = rule.for_seconds <= 0
    return replace(alert, state=AlertState.FIRING if fired else AlertState.PENDING, started_at=now, fired_at=now if fired else None)


def advance(alert: Alert, seen: Seen, rule: Rule, now: float) -> Alert | None:
    """The alert after an evaluation at `now`; None when it was pending and is no more."""
    if seen is Seen.GONE:
        return None if alert.state is AlertState.PENDING else resolve(alert, now)
    if seen is Seen.MISSING:
        if rule.no_data is NoDataPolicy.KEEP and alert.state is not AlertState.PENDING:
            return replace(alert, state=AlertState.UNKNOWN)
        seen = Seen.ACTIVE if rule.no_data is NoDataPolicy.ALERT else Seen.CLEAR
    if alert.state is AlertState.PENDING:
        return _advance_pending(alert, seen, rule, now)
    if seen is not Seen.CLEAR:
        return replace(alert, state=AlertState.FIRING, cleared_at=None)
    cleared_at = now if alert.cleared_at is None else alert.cleared_at
    if now - cleared_at >= rule.keep_firing_for_seconds:
        return resolve(alert, now)
    return replace(alert, state=AlertState.FIRING, cleared_at=cleared_at)


def resolve(alert: Alert, now: float) -> Alert:
    """The alert, over at `now`."""
    return replace(alert, state=AlertState.RESOLVED, ends_at=now, cleared_at=None)


def due_at(alert: Alert, rule: Rule) -> float | None:
    """When time alone changes the alert's state (Unix seconds): the end of `for` or of `keep_firing_for`; None when nothing does."""
    if alert.state is AlertState.PENDING:
        return alert.started_at + rule.for_seconds
    if alert.state is AlertState.FIRING and alert.cleared_at is not None:
        return alert.cleared_at + rule.keep_firing_for_seconds
    return None


def _advance_pending(alert: Alert, seen: Seen, rule: Rule, now: float) -> Alert | None:
    if seen is not Seen.ACTIVE:
        return None
    if now - alert.started_at < rule.for_seconds:
        return alert
    return replace(alert, state=AlertState.FIRING, fired_at=now)
