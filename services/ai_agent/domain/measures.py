"""The figures of a measure as PromQL: at an instant or over a window, for all servers, for some, or for one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.ai_agent.domain.concepts import Formula, FormulaKind
from services.ai_agent.domain.interpretation import Aggregation, Operator

RATE_RANGE: Final = "5m"
P95: Final = 0.95
_STEPS_MS: Final = (10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000)
_MOST_STEPS: Final = 1_440
"""A window is looked at in at most so many steps where PromQL has no function that takes the samples themselves."""


@dataclass(frozen=True)
class Threshold:
    """From which value on a figure is worth a warning, and is critical; the metrics service judges health by the same."""

    warning: float
    critical: float


HEALTH_THRESHOLDS: Final = {
    "cpu": Threshold(80.0, 95.0),
    "memory": Threshold(85.0, 95.0),
    "disk": Threshold(85.0, 95.0),
}


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


def series_of(formula: Formula, scope: Scope, window: Window | None) -> str:
    """A vector with every series of a gauge, or one element a server of anything else."""
    if formula.kind is FormulaKind.GAUGE:
        return _gauge(formula, scope.matcher, window)
    return _by_server(formula, scope.matcher, window)


def by_server(formulas: Sequence[Formula], scope: Scope, window: Window | None) -> str:
    """A vector of one element a server, from the first formula that has one for it; of several series the one that matters most."""
    return " or on (server) ".join(_by_server(formula, scope.matcher, window) for formula in formulas)


def of_server(formula: Formula, server: str, window: Window | None, *, series: int = 1) -> str:
    """A vector of one element: the figure of one server that has so many series of a gauge."""
    matcher = _one_of("server", (server,))
    if formula.kind is FormulaKind.GAUGE and series == 1:
        return _gauge(formula, matcher, window)
    return _by_server(formula, matcher, window)


def across(aggregation: Aggregation, vector: str) -> str:
    """One figure of a vector of servers."""
    if aggregation == "p95":
        return f"quantile({P95}, {vector})"
    return f"{'avg' if aggregation == 'last' else aggregation}({vector})"


def compared(vector: str, op: Operator, value: float) -> str:
    """The elements of the vector that meet the condition."""
    return f"{_grouped(vector)} {op} {number_text(value)}"


def scaled(expr: str, divisor: float) -> str:
    """The expression in another unit."""
    return expr if divisor == 1 else f"({expr}) / {number_text(divisor)}"


def samples_of(formula: Formula, server: str, window: Window) -> str:
    """How many stored samples stand behind a figure over a window."""
    length = duration_text(window.length_ms)
    matcher = _one_of("server", (server,))
    counts = (f"sum(count_over_time({selector}[{length}]))" for selector in formula.selectors)
    return " + ".join(counts).replace("$servers", matcher)


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


def _grouped(vector: str) -> str:
    """The vector as an operand of a comparison, which binds tighter than `or`."""
    return f"({vector})" if " or on (server) " in vector else vector


def _gauge(formula: Formula, matcher: str, window: Window | None) -> str:
    selector = _filled(formula.selectors[0], matcher)
    return selector if window is None else _over(f"{selector}[{duration_text(window.length_ms)}]", window)


def _by_server(formula: Formula, matcher: str, window: Window | None) -> str:
    if formula.kind is FormulaKind.GAUGE:
        pick = "min" if window is not None and window.aggregation == "min" else "max"
        return f"{pick} by (server) ({_gauge(formula, matcher, window)})"
    template = formula.template
    if window is None:
        return _filled(template, matcher)
    length = duration_text(window.length_ms)
    # The average of a rate over a window is the rate over that window.
    if window.aggregation == "avg" and "$range" in template:
        return _filled(template, matcher, length)
    if formula.kind is FormulaKind.COUNTERS:
        if window.aggregation == "sum":
            increases = (f"sum by (server) (increase({selector}[{length}]))" for selector in formula.selectors)
            return _filled(" + ".join(increases), matcher)
        if window.aggregation == "last":
            return _filled(template, matcher)
    # A rate over five minutes moves slowly; samples come every few seconds, so that of other figures a finer step misses none.
    step = duration_text(_step_ms(window.length_ms, finest_ms=60_000 if "$range" in template else _STEPS_MS[0]))
    return _over(f"({_filled(template, matcher)})[{length}:{step}]", window)


def _over(ranged: str, window: Window) -> str:
    if window.aggregation == "p95":
        return f"quantile_over_time({P95}, {ranged})"
    return f"{window.aggregation}_over_time({ranged})"


def _step_ms(length_ms: int, *, finest_ms: int) -> int:
    fitting = (step for step in _STEPS_MS if step >= finest_ms and length_ms <= step * _MOST_STEPS)
    return next(fitting, -(-length_ms // _MOST_STEPS))


def _filled(template: str, matcher: str, length: str = RATE_RANGE) -> str:
    # The matchers last: a name may hold anything, and nothing in it is to be filled in.
    return template.replace("$range", length).replace("$servers", matcher)
