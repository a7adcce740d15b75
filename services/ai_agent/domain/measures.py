"""What can be asked about, as PromQL: each concept's series, unit and way of being combined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.ai_agent.domain.interpretation import Aggregation, Direction, Operator

RATE_WINDOW = "5m"
P95 = 0.95


@dataclass(frozen=True)
class Measure:
    """One thing that servers have figures of.

    Attributes:
        name: the concept, or the name of a series.
        unit: percent, milliseconds, bytes_per_second, bytes, celsius, processes, seconds, servers; empty when not known.
        parts: the series that make it up.
        rate: whether they are counters, so that the value is the sum of their rates.
    """

    name: str
    unit: str
    parts: tuple[str, ...]
    rate: bool = False


_CONCEPTS: Final[Mapping[str, Measure]] = {
    measure.name: measure
    for measure in (
        Measure("cpu", "percent", ("cpu",)),
        Measure("memory", "percent", ("memory",)),
        Measure("disk", "percent", ("disk",)),
        Measure("network", "bytes_per_second", ("network_receive_bytes_total", "network_transmit_bytes_total"), rate=True),
        Measure("disk_io", "bytes_per_second", ("disk_read_bytes_total", "disk_written_bytes_total"), rate=True),
        Measure("load", "processes", ("load",)),
        Measure("latency", "milliseconds", ("latency",)),
        Measure("swap", "percent", ("swap",)),
        Measure("temperature", "celsius", ("temperature",)),
        Measure("uptime_seconds", "seconds", ("uptime_seconds",)),
    )
}


@dataclass(frozen=True)
class Threshold:
    """From which value on a figure is worth a warning, and is critical; the metrics service judges health by the same."""

    warning: float
    critical: float


HEALTH_THRESHOLDS: Final[Mapping[str, Threshold]] = {
    "cpu": Threshold(80.0, 95.0),
    "memory": Threshold(85.0, 95.0),
    "disk": Threshold(85.0, 95.0),
}


def measure_of(metric: str, direction: Direction | None = None) -> Measure:
    """The measure of a concept, or of a series by its name."""
    measure = _CONCEPTS.get(metric)
    if measure is None:
        rate = metric.endswith("_total")
        return Measure(metric, "", (metric,), rate)
    if metric == "network" and direction is not None:
        return Measure(f"network_{direction}", measure.unit, (measure.parts[0 if direction == "in" else 1],), rate=True)
    return measure


@dataclass(frozen=True)
class Window:
    """The stretch before the time of evaluation that a figure sums up, and how."""

    length_ms: int
    aggregation: Aggregation


@dataclass(frozen=True)
class Scope:
    """The servers that are meant: those of these names, or of these roles and sites, or all; never the excluded ones."""

    servers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def matcher(self) -> str:
        """As PromQL matchers, without the braces."""
        if self.servers:
            return _one_of("server", self.servers)
        others = 'server!=""'
        if self.excluded:
            others += f",{_one_of('server', self.excluded, negated=True)}"
        for label, values in (("role", self.roles), ("site", self.sites)):
            if values:
                others += f",{_one_of(label, values)}"
        return others


def series_of(measure: Measure, scope: Scope, window: Window | None) -> str:
    """A vector with every series of a gauge, or one element a server of a counter."""
    if measure.rate:
        return _rates(measure, scope.matcher, window, by=" by (server) ")
    return _gauge(measure, scope.matcher, window)


def by_server(measure: Measure, scope: Scope, window: Window | None) -> str:
    """A vector of one element a server; of several series the one that matters most."""
    return (
        series_of(measure, scope, window) if measure.rate else f"{_pick(window)} by (server) ({series_of(measure, scope, window)})"
    )


def of_server(measure: Measure, server: str, window: Window | None, *, series: int = 1) -> str:
    """A vector of one element: the figure of one server that has so many series of it."""
    matcher = _one_of("server", (server,))
    if measure.rate:
        return _rates(measure, matcher, window, by="")
    expr = _gauge(measure, matcher, window)
    return expr if series == 1 else f"{_pick(window)}({expr})"


def across(aggregation: Aggregation, vector: str) -> str:
    """One figure of a vector of servers."""
    if aggregation == "p95":
        return f"quantile({P95}, {vector})"
    return f"{'avg' if aggregation == 'last' else aggregation}({vector})"


def compared(vector: str, op: Operator, value: float) -> str:
    """The elements of the vector that meet the condition."""
    return f"{vector} {op} {number_text(value)}"


def scaled(expr: str, divisor: float) -> str:
    """The expression in another unit."""
    return expr if divisor == 1 else f"({expr}) / {number_text(divisor)}"


def samples_of(measure: Measure, server: str, window: Window) -> str:
    """How many stored samples stand behind a figure over a window."""
    matcher = _one_of("server", (server,))
    return " + ".join(f"sum(count_over_time({part}{{{matcher}}}[{duration_text(window.length_ms)}]))" for part in measure.parts)


def number_text(value: float) -> str:
    """A number as a PromQL literal."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def duration_text(milliseconds: int) -> str:
    """A length as a PromQL duration, such as 1h30m."""
    rest, text = milliseconds, ""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")):
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "1ms"


def quoted(text: str) -> str:
    """The text as a PromQL string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _one_of(label: str, values: Sequence[str], *, negated: bool = False) -> str:
    if len(values) == 1:
        return f"{label}{'!=' if negated else '='}{quoted(values[0])}"
    return f"{label}{'!~' if negated else '=~'}{quoted('|'.join(_literal(value) for value in values))}"


def _literal(text: str) -> str:
    """The text as a regular expression (RE2) that matches nothing else."""
    return "".join(f"\\{char}" if char in r"\.+*?()|[]{}^$" else char for char in text)


def _pick(window: Window | None) -> str:
    return "min" if window is not None and window.aggregation == "min" else "max"


def _gauge(measure: Measure, matcher: str, window: Window | None) -> str:
    selector = f"{measure.parts[0]}{{{matcher}}}"
    if window is None:
        return selector
    ranged = f"{selector}[{duration_text(window.length_ms)}]"
    if window.aggregation == "p95":
        return f"quantile_over_time({P95}, {ranged})"
    return f"{window.aggregation}_over_time({ranged})"


def _rates(measure: Measure, matcher: str, window: Window | None, by: str) -> str:
    def total(function: str, length: str) -> str:
        return " + ".join(f"sum{by}({function}({part}{{{matcher}}}[{length}]))" for part in measure.parts)

    if window is None:
        return total("rate", RATE_WINDOW)
    length = duration_text(window.length_ms)
    if window.aggregation == "sum":
        return total("increase", length)
    if window.aggregation in ("avg", "last"):
        return total("rate", length if window.aggregation == "avg" else RATE_WINDOW)
    ranged = f"({total('rate', RATE_WINDOW)})[{length}:1m]"
    return f"quantile_over_time({P95}, {ranged})" if window.aggregation == "p95" else f"{window.aggregation}_over_time({ranged})"
