"""How often a caller may ask."""

from collections import OrderedDict

from services.common.clock import Clock

_MAX_KEYS = 10_000


class TokenBuckets:
    """One token bucket a key: `burst` requests at once, `per_second` in the long run.

    The least recently used keys are forgotten beyond 10,000, so that callers with made-up addresses cost no memory; a forgotten
    key starts with a full bucket.
    """

    def __init__(self, clock: Clock, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one token; gives 0.0, or the seconds to wait when there is none."""
        level, now = self._level(key)
        if level < 1.0:
            return (1.0 - level) / self._per_second
        self._put(key, level - 1.0, now)
        return 0.0

    def wait_seconds(self, key: str) -> float:
        """Seconds until `take` would succeed; takes nothing."""
        level, _ = self._level(key)
        return max(0.0, (1.0 - level) / self._per_second)

    def _level(self, key: str) -> tuple[float, float]:
        now = self._clock.monotonic()
        level, at = self._buckets.get(key, (self._burst, now))
        return min(self._burst, level + (now - at) * self._per_second), now

    def _put(self, key: str, level: float, now: float) -> None:
        self._buckets[key] = (level, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MAX_KEYS:
            self._buckets.popitem(last=False)
