"""Session values that the browser keeps and only the gateway can make."""

import hmac

from services.common.clock import Clock


class SessionSigner:
    """Signs `role.expiry` with HMAC-SHA256; nothing is stored, so nothing is lost at a restart."""

    def __init__(self, key: bytes, clock: Clock, lifetime_seconds: float) -> None:
        self._key = key
        self._clock = clock
        self._lifetime_seconds = lifetime_seconds

    def issue(self, role: str) -> tuple[str, float]:
        """A new session value and the Unix time at which it ends."""
        expires_at = int(self._clock.now() + self._lifetime_seconds)
        payload = f"{role}.{expires_at}"
        return f"{payload}.{self._signature(payload)}", float(expires_at)

    def verify(self, value: str) -> str | None:
        """The role of a session that is genuine and not over; None otherwise."""
        payload, _, signature = value.rpartition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(payload).encode()):
            return None
        role, _, expiry = payload.rpartition(".")
        return role if int(expiry) > self._clock.now() else None

    def _signature(self, payload: str) -> str:
        return hmac.digest(self._key, payload.encode("utf-8", "replace"), "sha256").hex()
