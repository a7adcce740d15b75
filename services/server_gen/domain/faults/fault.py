"""One thing that befalls the fleet."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Fault:
    """A planned fault; times are Unix seconds.

    Attributes:
        id: stable and unique; it seeds the fault's own chance.
        kind: name in `KINDS`.
        server: host name of the server that it begins on, the root cause.
        severity: 0..1; 1 cannot be overlooked, 0.3 takes a close look.
        start: when it begins.
        end: when it ends; what it did to the servers takes a little longer to pass.
        source: name of the scenario, or "injected".
        cancelled_at: when it was withdrawn; nothing before that moment changes by it.
    """

    id: str
    kind: str
    server: str
    severity: float
    start: float
    end: float
    source: str
    cancelled_at: float | None = None

    @property
    def stop(self) -> float:
        """When it really ends: at its end, or when it was withdrawn; its start when it was withdrawn before that."""
        if self.cancelled_at is None:
            return self.end
        return max(self.start, min(self.end, self.cancelled_at))


def utc_text(time_seconds: float) -> str:
    """A Unix time for a person to read, RFC 3339 in UTC."""
    return datetime.fromtimestamp(time_seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
