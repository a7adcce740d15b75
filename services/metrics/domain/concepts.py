"""What is measured, whatever the source calls it: a concept is a PromQL expression over one server's series."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Concept:
    """One thing that people ask about.

    Attributes:
        name: cpu, memory and so on.
        unit: of its value.
        parts: names of the series that it is made of.
        rate: whether they are counters, so that the value is the sum of their rates over five minutes.
    """

    name: str
    unit: str
    parts: tuple[str, ...]
    rate: bool = False

    def of_all(self, matcher: str = 'server!=""') -> str:
        """The expression for all servers that meet the matcher: a vector with the label `server`, and others for a gauge."""
        if not self.rate:
            return f"{self.parts[0]}{{{matcher}}}"
        return " + ".join(f"sum by (server) (rate({part}{{{matcher}}}[5m]))" for part in self.parts)

    def of_server(self, server: str, *, series: int) -> str:
        """The expression for one server: a vector of one element.

        Args:
            server: its name.
            series: how many series of a gauge it has; of several the highest counts, because that one decides on its health.
        """
        selector = f"{{server={quoted(server)}}}"
        if self.rate:
            return " + ".join(f"sum(rate({part}{selector}[5m]))" for part in self.parts)
        return f"{self.parts[0]}{selector}" if series == 1 else f"max({self.parts[0]}{selector})"


CONCEPTS: Final = (
    Concept("cpu", "percent", ("cpu",)),
    Concept("memory", "percent", ("memory",)),
    Concept("disk", "percent", ("disk",)),
    Concept("network", "bytes_per_second", ("network_receive_bytes_total", "network_transmit_bytes_total"), rate=True),
    Concept("disk_io", "bytes_per_second", ("disk_read_bytes_total", "disk_written_bytes_total"), rate=True),
    Concept("load", "processes", ("load",)),
    Concept("latency", "milliseconds", ("latency",)),
    Concept("swap", "percent", ("swap",)),
    Concept("temperature", "celsius", ("temperature",)),
)


def quoted(text: str) -> str:
    """The text as a PromQL string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
