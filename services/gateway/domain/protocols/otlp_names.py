"""Names of OpenTelemetry metrics as Prometheus has them.

The rules are those of the OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility": characters without a place become
underscores, the unit is spelled out and appended, a counter ends in `_total`, and a gauge whose unit is 1 in `_ratio`. What the name has
already is not said twice: `system.cpu.time` in `s` is `system_cpu_time_seconds_total`, `system.memory.usage` in `By`
`system_memory_usage_bytes`, `system.cpu.load_average.1m` in `{thread}` `system_cpu_load_average_1m`.
"""

import re
from functools import lru_cache
from typing import Final

_WORDS: Final = re.compile(r"[a-zA-Z0-9:]+")
_ANNOTATION: Final = re.compile(r"\{[^{}]*\}")
_UNITS: Final = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "%": "percent",
    "1": "",
}
_PER: Final = {"s": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
_TOTAL: Final = "total"
_RATIO: Final = "ratio"


@lru_cache(4096)
def prometheus_name(name: str, unit: str, *, is_counter: bool = False, is_gauge: bool = False) -> str:
    """The name of a metric.

    Args:
        name: as OpenTelemetry has it.
        unit: in UCUM.
        is_counter: whether it is a sum that only grows.
        is_gauge: whether it is a gauge.
    """
    words = _WORDS.findall(name)
    for word in _unit_words(unit):
        if word and word not in words:
            words.append(word)
    # A suffix stands at the end, wherever the name had it.
    if is_counter:
        words = [*(word for word in words if word != _TOTAL), _TOTAL]
    elif is_gauge and unit == "1":
        words = [*(word for word in words if word != _RATIO), _RATIO]
    joined = "_".join(words)
    return f"_{joined}" if joined[:1].isdigit() else joined


def _unit_words(unit: str) -> list[str]:
    main, slash, per = _ANNOTATION.sub("", unit.strip()).partition("/")
    words = _WORDS.findall(_UNITS.get(main.strip(), main))
    if slash and (divisor := _WORDS.findall(_PER.get(per.strip(), per))):
        words.append("_".join(("per", *divisor)))
    return words
