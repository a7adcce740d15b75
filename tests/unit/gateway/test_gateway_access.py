"""Tokens, sessions and limits."""

import pytest

from services.common.clock import ManualClock
from services.gateway.domain.access import Authenticator, Principal, Proof, Role
from services.gateway.domain.limits import TokenBuckets


def _authenticator(clock: ManualClock, token: str = "secret") -> Authenticator:  # noqa: S107
    return Authenticator(token, clock, 60.0)


async def test_the_token_and_no_other() -> None:
    authenticator = _authenticator(ManualClock())

    assert authenticator.by_token("secret") == Principal("admin", Role.ADMIN, Proof.BEARER)
    assert [authenticator.by_token(token) for token in ("", "secre", "secrets", "Secret", "\udcff")] == [None] * 5


async def test_a_session_lasts_as_long_as_it_says() -> None:
    clock = ManualClock(1000.0)
    authenticator = _authenticator(clock)
    principal = authenticator.by_token("secret")
    assert principal is not None
    value, expires_at = authenticator.open_session(principal)

    assert expires_at == 1060.0
    assert authenticator.by_session(value) == Principal("admin", Role.ADMIN, Proof.SESSION)
    await clock.advance(60.0)
    assert authenticator.by_session(value) is None


async def test_sessions_survive_a_restart_and_end_with_the_token() -> None:
    clock = ManualClock()
    principal = Principal("admin", Role.ADMIN, Proof.BEARER)
    value, _ = _authenticator(clock).open_session(principal)

    assert _authenticator(clock).by_session(value) is not None
    assert _authenticator(clock, "another").by_session(value) is None


@pytest.mark.parametrize(
    "change", ["VIEWER.99999999999.{2}", "{0}.99999999999.{2}", "{0}.{1}.AAAA", "{0}.{1}", "..", "", "é.1.é", "{0}.{1}.{2}x"]
)
async def test_a_changed_session_is_worth_nothing(change: str) -> None:
    authenticator = _authenticator(ManualClock())
    value, _ = authenticator.open_session(Principal("admin", Role.ADMIN, Proof.BEARER))

    assert authenticator.by_session(change.format(*value.split("."))) is None


async def test_a_bucket_fills_again() -> None:
    clock = ManualClock()
    buckets = TokenBuckets(clock, per_second=2.0, burst=2)

    assert [buckets.take("a"), buckets.take("a")] == [0.0, 0.0]
    assert buckets.take("a") == 0.5
    assert buckets.take("b") == 0.0
    await clock.advance(0.5)
    assert buckets.wait_seconds("a") == 0.0
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == 0.5
    await clock.advance(100.0)
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 0.5]
