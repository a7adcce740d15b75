"""What a metric is, as far as its name tells: senders rarely say more, and what they say is not kept.

Source of the suffixes: OpenMetrics 1.0, "MetricFamily types"; what is not told by a suffix is `unknown`, never guessed.
"""

from collections.abc import Iterable
from typing import Final

Metadata = dict[str, list[dict[str, str]]]
"""By name of the metric what is known of it, as `/api/v1/metadata` of Prometheus has it."""

OWN: Final = {
    "cpu": ("gauge", "Processor time in use.", "percent"),
    "memory": ("gauge", "Memory in use.", "percent"),
    "disk": ("gauge", "Space in use on the fullest file system.", "percent"),
    "swap": ("gauge", "Swap space in use.", "percent"),
    "load": ("gauge", "Processes that run or wait, over one minute.", ""),
    "latency": ("gauge", "Time until a request is answered.", "milliseconds"),
    "network_receive_bytes_total": ("counter", "Bytes received by network devices.", "bytes"),
    "network_transmit_bytes_total": ("counter", "Bytes sent by network devices.", "bytes"),
    "disk_read_bytes_total": ("counter", "Bytes read from disks.", "bytes"),
    "disk_written_bytes_total": ("counter", "Bytes written to disks.", "bytes"),
    "uptime_seconds": ("gauge", "Time since the server was started.", "seconds"),
    "up": ("gauge", "Whether the target answered when it was last asked.", ""),
}
"""Type, meaning and unit of what the suite itself reports."""

_PARTS: Final = ("_bucket", "_count", "_sum")


def describe(names: Iterable[str]) -> Metadata:
    """Type, help and unit of each metric, in the order of names; the parts of a histogram are one."""
    known = set(names)
    histograms = {
        base for name in known if name.endswith("_bucket") for base in [name.removesuffix("_bucket")] if _whole(base, known)
    }
    parts = {base + part for base in histograms for part in _PARTS}
    found = {name: _of(name) for name in known - parts} | dict.fromkeys(histograms, ("histogram", "", ""))
    return {name: [{"type": kind, "help": meaning, "unit": unit}] for name, (kind, meaning, unit) in sorted(found.items())}


def _whole(base: str, known: set[str]) -> bool:
    return all(base + part in known for part in _PARTS)


def _of(name: str) -> tuple[str, str, str]:
    if name in OWN:
        return OWN[name]
    return ("counter" if name.endswith("_total") else "unknown", "", "")
