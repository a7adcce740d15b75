"""The figures of one measure over some servers, each with the expression that gives it again."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.ai_agent.domain.answer.model import Evidence
from services.ai_agent.domain.answer.tongue import Tongue, readable_scale
from services.ai_agent.domain.concepts import Formula, FormulaKind, Measure
from services.ai_agent.domain.interpretation import Aggregation, Interpretation, Operator
from services.ai_agent.domain.measures import (
    HEALTH_THRESHOLDS,
    P95,
    Scope,
    Window,
    across,
    by_server,
    number_text,
    of_server,
    samples_of,
    scaled,
    series_of,
)
from services.ai_agent.domain.ports import Inventory, MetricsReader, ServerInfo

_FEW = 100


@dataclass(frozen=True)
class Facts:
    """What an answer may be made of: the stored samples at one instant, and the servers there are."""

    reader: MetricsReader
    inventory: Inventory
    time_ms: int

    async def value(self, expr: str) -> tuple[float, int] | None:
        """The value of an expression of one element, and the samples read for it; None when there is no such value."""
        result = await self.reader.query(expr, self.time_ms)
        if len(result.samples) != 1 or not math.isfinite(result.samples[0].value):
            return None
        return result.samples[0].value, result.samples_read

    async def evidence(
        self, expr: str, unit: str, claim: str, tongue: Tongue, servers: Sequence[str] = (), samples: int | None = None
    ) -> Evidence | None:
        """The figure of the expression; the claim gets the number as it will be printed."""
        found = await self.value(expr)
        if found is None:
            return None
        text = f"{claim} {tongue.number(found[0], unit)}".strip()
        return Evidence(text, expr, self.time_ms, found[0], unit, tuple(servers), max(1, found[1] if samples is None else samples))

    def constant(self, claim: str, value: float, unit: str) -> Evidence:
        """A number of the question itself that the answer repeats; it rests on no sample."""
        return Evidence(claim, f"vector({number_text(value)})", self.time_ms, value, unit, samples=0)

    def within(self, scope: Scope) -> list[ServerInfo]:
        """The known servers of the scope, in order of name."""
        return [
            server
            for server in self.inventory.servers
            if (not scope.servers or server.name in scope.servers)
            and (not scope.roles or server.role in scope.roles)
            and (not scope.sites or server.site in scope.sites)
            and server.name not in scope.excluded
        ]

    def telling(self, scope: Scope) -> tuple[str, ...]:
        """Metrics by which every known server of the scope that sends figures now is heard: those of health, and others as needed."""
        rest = [server.figures for server in self.within(scope) if not HEALTH_THRESHOLDS.keys() & server.figures.keys()]
        return (*HEALTH_THRESHOLDS, *sorted({metric for figures in rest for metric in figures}))

    def heard(self, metrics: Sequence[str], scope: Scope, window: Window | None) -> str:
        """A vector of one element for each server with a figure of any of the metrics."""
        formulas = [formula for metric in metrics for formula in self.inventory.concepts.measure(metric).formulas]
        return by_server(formulas, scope, window) if formulas else "vector(0) > 0"


@dataclass(frozen=True)
class Figures:
    """The values of one measure by server in the stored unit, and the divisor and unit that all its evidence is told in.

    `origins` are the formulas that the values come from, and `series` how many series of a gauge each is the pick of.
    """

    facts: Facts
    tongue: Tongue
    measure: Measure
    scope: Scope
    window: Window | None
    values: Mapping[str, float]
    origins: Mapping[str, Formula]
    series: Mapping[str, int]
    divisor: float
    unit: str

    @classmethod
    async def load(cls, facts: Facts, tongue: Tongue, measure: Measure, scope: Scope, window: Window | None) -> "Figures":
        """Read the measure for every server of the scope.

        Raises:
            MetricsUnavailableError: the store cannot be asked.
            QueryRejectedError: the store refuses the expression.
        """
        pick = min if window is not None and window.aggregation == "min" else max
        values: dict[str, float] = {}
        origins: dict[str, Formula] = {}
        series: dict[str, int] = {}
        for formula in measure.formulas:
            missing = [server.name for server in facts.within(scope) if server.name not in values]
            if values and not missing:
                break  # no other source could add a figure
            # A source that only few servers may need is asked for these alone; roles and sites are matched by the series' own labels.
            named = values and len(missing) <= _FEW and not (scope.roles or scope.sites)
            asked = Scope(tuple(missing)) if named else scope
            result = await facts.reader.query(series_of(formula, asked, window), facts.time_ms)
            found: dict[str, list[float]] = {}
            for sample in result.samples:
                if sample.server and sample.server not in values and math.isfinite(sample.value):
                    found.setdefault(sample.server, []).append(sample.value)
            values |= {server: pick(each) for server, each in found.items()}
            origins |= dict.fromkeys(found, formula)
            series |= {server: len(each) for server, each in found.items()}
        values = dict(sorted(values.items()))
        figures = cls(facts, tongue, measure, scope, window, values, origins, series, divisor=1.0, unit=measure.unit)
        divisor, unit = readable_scale(max(map(abs, values.values()), default=0.0), figures.stored_unit)
        return replace(figures, divisor=divisor, unit=unit)

    @property
    def missing(self) -> tuple[str, ...]:
        """Known servers of the scope without a value."""
        return tuple(server.name for server in self.facts.within(self.scope) if server.name not in self.values)

    def ranked(self, *, ascending: bool) -> list[str]:
        """The servers by value; equal ones by name."""
        return sorted(self.values, key=lambda server: (self.values[server] if ascending else -self.values[server], server))

    async def of(self, server: str) -> Evidence | None:
        """The figure of one server."""
        formula, series = self.origins.get(server), self.series.get(server, 1)
        if formula is None:
            return None
        expr = scaled(of_server(formula, server, self.window, series=series), self.divisor)
        samples = None
        if self.window is not None:
            counted = await self.facts.value(samples_of(formula, server, self.window))
            samples = int(counted[0]) if counted else None
        elif formula.kind is FormulaKind.GAUGE:
            samples = series
        claim = f"{server} {self.tongue.short(self.measure.name)}"
        return await self.facts.evidence(expr, self.unit, claim, self.tongue, (server,), samples)

    async def of_each(self, servers: Sequence[str]) -> list[Evidence]:
        """The figures of these servers, in order; those without one are left out."""
        found = await asyncio.gather(*(self.of(server) for server in servers))
        return [evidence for evidence in found if evidence is not None]

    async def across(self, aggregation: Aggregation) -> Evidence | None:
        """One figure over all servers of the scope; None when none has a value."""
        if not self.values:
            return None
        expr = scaled(across(aggregation, self._vector()), self.divisor)
        claim = f"{self.tongue.aggregation(aggregation)} {self.tongue.metric(self.measure.name)}"
        newest = self.window is None and all(formula.kind is FormulaKind.GAUGE for formula in self._used())
        samples = sum(self.series.values()) if newest else None
        return await self.facts.evidence(expr, self.unit, claim, self.tongue, tuple(self.values), samples)

    def kind(self) -> tuple[Evidence, ...]:
        """What must be proved of the name of the aggregation itself: the level of a percentile."""
        if self.window is None or self.window.aggregation != "p95":
            return ()
        return (percentile(self.facts, self.tongue),)

    async def count(self) -> Evidence | None:
        """How many servers of the scope have a value; None when none has."""
        if not self.values:
            return None
        claim = self.tongue.say("값이 있는 서버", "servers with a value:")
        return await self.facts.evidence(f"count({self._vector()})", "servers", claim, self.tongue, samples=len(self.values))

    def vector(self) -> str:
        """The expression that gives one element a server; there must be a value."""
        return by_server(self._used(), self.scope, self.window)

    def _vector(self) -> str:
        """The same, as short as these values allow."""
        used = self._used()
        bare = len(used) == 1 and used[0].kind is FormulaKind.GAUGE and all(count == 1 for count in self.series.values())
        return series_of(used[0], self.scope, self.window) if bare else self.vector()

    def _used(self) -> list[Formula]:
        """The formulas that some value comes from, in order of precedence."""
        used = set(self.origins.values())
        return [formula for formula in self.measure.formulas if formula in used]

    @property
    def stored_unit(self) -> str:
        """The unit of the values before they are scaled for reading."""
        summed = self.window is not None and self.window.aggregation == "sum"
        return "bytes" if summed and self.measure.unit == "bytes_per_second" else self.measure.unit

    def holds(self, op: Operator, value: float) -> set[str]:
        """The servers whose value meets the condition."""
        tests = {
            ">": lambda each: each > value,
            ">=": lambda each: each >= value,
            "<": lambda each: each < value,
            "<=": lambda each: each <= value,
            "==": lambda each: each == value,
        }
        return {server for server, each in self.values.items() if tests[op](each)}


def percentile(facts: Facts, tongue: Tongue) -> Evidence:
    """The level of "p95" as a number."""
    level = 100 * P95
    return facts.constant(f"{tongue.say('백분위', 'percentile')} {tongue.plain(level, '')}", level, "")


def scope_of(interpretation: Interpretation) -> Scope:
    """The servers that a question is about."""
    if interpretation.servers:
        return Scope(interpretation.servers)
    return Scope((), interpretation.roles, interpretation.sites, interpretation.excluded)


def whose(interpretation: Interpretation, tongue: Tongue) -> str:
    """The roles and sites that the servers are of, to stand before the noun; empty when all are meant."""
    # seoul-1 is told as seoul: its digit is no figure.
    sites = dict.fromkeys(re.sub(r"-\d+$", "", site) for site in interpretation.sites)
    words = (*sites, *interpretation.roles)
    return f"{tongue.names(words)} " if words else ""


def window_of(interpretation: Interpretation, default: Aggregation = "avg") -> Window | None:
    """The window that a question's figures sum up; None for a question about one instant."""
    time = interpretation.time
    if time.kind != "range":
        return None
    return Window(time.end_ms - time.start_ms, interpretation.aggregation or default)


def listing(evidence: Sequence[Evidence], tongue: Tongue) -> str:
    """`web-03 (91.2 %), web-01 (88.0 %)`."""
    return ", ".join(f"{item.servers[0]} ({tongue.number(item.value, item.unit)})" for item in evidence)


def measure_in(interpretation: Interpretation, facts: Facts, metric: str | None = None) -> Measure:
    """The measure of the question, or of one of its conditions."""
    return facts.inventory.concepts.measure(metric or interpretation.metric or "cpu", interpretation.direction)
