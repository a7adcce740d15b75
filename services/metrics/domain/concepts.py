"""What is measured, whatever the source calls it: a concept is a list of PromQL formulas, one a source.

The formulas stand in the table `concepts.toml` beside this file; docs/concepts.md explains them.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Final

RATE_RANGE: Final = "5m"
"""The window of rates at one instant."""

_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_SELECTOR: Final = re.compile(rf"{_NAME.pattern}\{{[^{{}}]*\$servers[^{{}}]*\}}")


class FormulaKind(StrEnum):
    """How the figure comes from the series."""

    GAUGE = "gauge"
    COUNTERS = "counters"
    EXPRESSION = "expression"


@dataclass(frozen=True)
class Formula:
    """How one source tells a concept. In its texts `$servers` stands for matchers and `$range` for the window of rates.

    Attributes:
        source: who sends such series: openmanager, node_exporter and so on.
        kind: a gauge, counters whose rates are summed, or anything else.
        selectors: of all its series.
        template: PromQL that gives one element a server, whose one label is `server`.
    """

    source: str
    kind: FormulaKind
    selectors: tuple[str, ...]
    template: str

    @property
    def names(self) -> frozenset[str]:
        """Names of the series that it needs."""
        return frozenset(selector.partition("{")[0] for selector in self.selectors)

    def of_all(self, matchers: str = 'server!=""') -> str:
        """The expression for the servers that meet the matchers: for a gauge every series, else one element a server."""
        text = self.selectors[0] if self.kind is FormulaKind.GAUGE else self.template
        return _filled(text, matchers)

    def of_server(self, server: str, *, series: int = 1) -> str:
        """The expression for one server: a vector of one element.

        Args:
            server: its name.
            series: how many series of a gauge it has; of several the highest counts, because that one decides on its health.
        """
        bare = self.kind is FormulaKind.GAUGE and series == 1
        return _filled(self.selectors[0] if bare else self.template, f"server={quoted(server)}")


@dataclass(frozen=True)
class Concept:
    """One thing that people ask about.

    Attributes:
        name: cpu, memory and so on.
        unit: of its value.
        formulas: in order of precedence; a server's figure comes from the first that has one for it.
    """

    name: str
    unit: str
    formulas: tuple[Formula, ...]


def quoted(text: str) -> str:
    """The text as a PromQL string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _filled(template: str, matchers: str) -> str:
    # The matchers last: a name may hold anything, and nothing in it is to be filled in.
    return template.replace("$range", RATE_RANGE).replace("$servers", matchers)


def _gauge(selector: str) -> tuple[tuple[str, ...], str]:
    return (selector,), f"max by (server) ({selector})"


def _counters(selectors: Sequence[str]) -> tuple[tuple[str, ...], str]:
    return tuple(selectors), " + ".join(f"sum by (server) (rate({selector}[$range]))" for selector in selectors)


def _expression(template: str) -> tuple[tuple[str, ...], str]:
    selectors = {
        text: (text.partition("{")[0], set(text[:-1].partition("{")[2].split(","))) for text in _SELECTOR.findall(template)
    }
    # A selector that only adds matchers to another one picks none but series that the other has.
    narrower = {
        text
        for text, (name, matchers) in selectors.items()
        if any(name == other and matchers > fewer for other, fewer in selectors.values())
    }
    return tuple(text for text in selectors if text not in narrower), template


_READERS: Final[Mapping[FormulaKind, Callable[..., tuple[tuple[str, ...], str]]]] = {
    FormulaKind.GAUGE: _gauge,
    FormulaKind.COUNTERS: _counters,
    FormulaKind.EXPRESSION: _expression,
}


def _formula(row: Mapping[str, str | list[str]], matchers: Mapping[str, str]) -> Formula:
    def expanded(text: str) -> str:
        for name, pattern in matchers.items():
            text = text.replace(f"${name}", pattern)
        return text

    source = str(row["source"])
    (kind,) = (kind for kind in FormulaKind if kind in row)
    told = row[kind]
    selectors, template = _READERS[kind](expanded(told) if isinstance(told, str) else [expanded(each) for each in told])
    return Formula(source, kind, selectors, template)


def _load() -> tuple[Concept, ...]:
    table = tomllib.loads(resources.files(__package__).joinpath("concepts.toml").read_text(encoding="utf-8"))
    matchers = table.pop("matchers")
    return tuple(
        Concept(name, row["unit"], tuple(_formula(formula, matchers) for formula in row["formulas"])) for name, row in table.items()
    )


CONCEPTS: Final = _load()
