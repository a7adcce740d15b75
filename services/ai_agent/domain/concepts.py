"""What can be asked about: concepts as the metrics service tells them, and single series by their name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from services.ai_agent.domain.interpretation import Direction

# Units that Prometheus' naming puts at the end of a name; counters of bytes are shown as rates.
_SUFFIXES = (
    ("_bytes_total", "bytes_per_second"),
    ("_seconds", "seconds"),
    ("_bytes", "bytes"),
    ("_celsius", "celsius"),
    ("_percent", "percent"),
)


class FormulaKind(StrEnum):
    """How a figure comes from series."""

    GAUGE = "gauge"
    COUNTERS = "counters"
    EXPRESSION = "expression"


@dataclass(frozen=True)
class Formula:
    """How one source of metrics tells a concept; in its texts `$servers` stands for matchers and `$range` for a window of rates.

    Attributes:
        kind: the newest value of a selector, of several series the highest; the sum of the rates of selectors; or anything else.
        selectors: of all its series, each once.
        template: PromQL that gives one element a server, whose one label is `server`.
    """

    kind: FormulaKind
    selectors: tuple[str, ...]
    template: str

    @staticmethod
    def gauge(selector: str) -> "Formula":
        """The newest value of a selector."""
        return Formula(FormulaKind.GAUGE, (selector,), f"max by (server) ({selector})")

    @staticmethod
    def counters(selectors: Iterable[str]) -> "Formula":
        """The sum of the rates of selectors."""
        parts = tuple(selectors)
        return Formula(FormulaKind.COUNTERS, parts, " + ".join(f"sum by (server) (rate({part}[$range]))" for part in parts))


@dataclass(frozen=True)
class Measure:
    """One thing that servers have figures of.

    Attributes:
        name: the concept, or the name of a series.
        unit: percent, milliseconds, bytes_per_second, bytes, celsius, processes, seconds, servers; empty when not known.
        formulas: those that the store has series for, in order of precedence: a server's figure comes from the first that has one.
    """

    name: str
    unit: str
    formulas: tuple[Formula, ...]


@dataclass(frozen=True)
class Concepts:
    """The concepts by name, those that the store has nothing of included."""

    by_name: Mapping[str, Measure] = field(default_factory=dict)

    def measure(self, metric: str, direction: Direction | None = None) -> Measure:
        """The measure of a concept, for network perhaps of one direction, or of a series by its name."""
        concept = self.by_name.get(metric)
        if concept is None:
            return _series(metric)
        if metric == "network" and direction is not None:
            return _one_way(concept, direction)
        return concept

    def unit(self, metric: str) -> str:
        """The unit of a concept or a series."""
        return self.measure(metric).unit


def _series(name: str) -> Measure:
    unit = next((unit for suffix, unit in _SUFFIXES if name.endswith(suffix)), "")
    selector = f"{name}{{$servers}}"
    return Measure(name, unit, (Formula.counters([selector]) if name.endswith("_total") else Formula.gauge(selector),))


def _one_way(network: Measure, direction: Direction) -> Measure:
    """Inbound is the first of two counters, outbound the second."""
    place = 0 if direction == "in" else 1
    formulas = tuple(
        Formula.counters([formula.selectors[place]])
        for formula in network.formulas
        if formula.kind is FormulaKind.COUNTERS and len(formula.selectors) == 2
    )
    return replace(network, name=f"network_{direction}", formulas=formulas)
