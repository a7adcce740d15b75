"""How a server is, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Health(StrEnum):
    """How a server is."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Threshold:
    """From which value on a figure is at its warning and at its critical level, in percent."""

    warning: float
    critical: float


THRESHOLDS: Final[Mapping[str, Threshold]] = {
    "cpu": Threshold(80.0, 95.0),
    "memory": Threshold(85.0, 95.0),
    "disk": Threshold(85.0, 95.0),
}


def judge(figures: Mapping[str, float], *, silent_seconds: float, silent_after_seconds: float) -> tuple[Health, tuple[str, ...]]:
    """Health of a server and the reasons for it, none when it is well.

    Args:
        figures: newest figures by concept; those that are missing have no say.
        silent_seconds: age of the server's newest sample.
        silent_after_seconds: from this age on nothing can be said.
    """
    if silent_seconds > silent_after_seconds:
        return Health.UNKNOWN, (f"no samples for {_duration(silent_seconds)}",)
    health, reasons = Health.OK, []
    for name, threshold in THRESHOLDS.items():
        value = figures.get(name)
        if value is None or not value >= threshold.warning:
            continue
        critical = value >= threshold.critical
        level, limit = ("critical", threshold.critical) if critical else ("warning", threshold.warning)
        reasons.append(f"{name} {value:.1f} % is at its {level} level of {limit:g} %")
        health = Health.CRITICAL if critical or health is Health.CRITICAL else Health.WARNING
    return health, tuple(reasons)


def _duration(seconds: float) -> str:
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
