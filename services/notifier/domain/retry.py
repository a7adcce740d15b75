"""When a notification that could not be delivered is tried again."""

import hashlib
from dataclasses import dataclass

from services.notifier.domain.notifications import DeliveryResult, Notification


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with jitter, for at most `max_age_seconds` from the time the notification was made."""

    first_seconds: float = 1.0
    max_seconds: float = 300.0
    max_age_seconds: float = 86_400.0

    def next_attempt_at(self, notification: Notification, failures: int, result: DeliveryResult, now: float) -> float | None:
        """When to try again (Unix seconds) after `failures` failed attempts; None when it is to be given up.

        The wait lies between half and all of `first_seconds` doubled for each failure: "equal jitter" of M. Brooker, "Exponential
        Backoff and Jitter", AWS Architecture Blog, 2015. The jitter is a hash of the notification and the count, so it differs
        between notifications and is the same in every run. What the receiver asks for in Retry-After is a lower bound.
        """
        if not result.retryable:
            return None
        doublings = min(failures - 1, 32)
        longest = min(self.max_seconds, self.first_seconds * 2.0**doublings)
        wait = longest * (0.5 + 0.5 * _fraction(f"{notification.idempotency_key}:{failures}"))
        at = now + max(wait, result.retry_after_seconds or 0.0)
        return at if at - notification.timestamp <= self.max_age_seconds else None


def _fraction(text: str) -> float:
    """A number in [0, 1) that is spread evenly over texts."""
    return float(int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")) / 2.0**48
