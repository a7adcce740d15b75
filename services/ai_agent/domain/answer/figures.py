"""The figures of one measure over some servers, each with the expression that gives it again."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.ai_agent.domain.answer.model import Evidence
from services.ai_agent.domain.answer.tongue import Tongue, readable_scale
from services.ai_agent.domain.interpretation import Aggregation, Interpretation, Operator
from services.ai_agent.domain.measures import (
    P95,
    Measure,
    Scope,
    Window,
    across,
    by_server,
    measure_of,
    number_text,
    of_server,
    samples_of,
    scaled,
    series_of,
)
from services.ai_agent.domain.ports import Inventory, MetricsReader, ServerInfo


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


@dataclass(frozen=True)
class Figures:
    """The values of one measure by server in the stored unit, and the divisor and unit that all its evidence is told in."""

    facts: Facts
    tongue: Tongue
    measure: Measure
    scope: Scope
    window: Window | None
    values: Mapping[str, float]
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
        result = await facts.reader.query(series_of(measure, scope, window), facts.time_ms)
        found: dict[str, list[float]] = {}
        for sample in result.samples:
            if sample.server and math.isfinite(sample.value):
                found.setdefault(sample.server, []).append(sample.value)
        pick = min if window is not None and window.aggregation == "min" else max
        values = {server: pick(each) for server, each in sorted(found.items())}
        series = {server: len(each) for server, each in found.items()}
        figures = cls(facts, tongue, measure, scope, window, values, series, divisor=1.0, unit=measure.unit)
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
        expr = scaled(of_server(self.measure, server, self.window, series=self.series.get(server, 1)), self.divisor)
        samples = None
        if self.window is not None:
            counted = await self.facts.value(samples_of(self.measure, server, self.window))
            samples = int(counted[0]) if counted else None
        elif not self.measure.rate:
            samples = self.series.get(server, 1)
        claim = f"{server} {self.tongue.short(self.measure.name)}"
        return await self.facts.evidence(expr, self.unit, claim, self.tongue, (server,), samples)

    async def of_each(self, servers: Sequence[str]) -> list[Evidence]:
        """The figures of these servers, in order; those without one are left out."""
        found = await asyncio.gather(*(self.of(server) for server in servers))
        return [evidence for evidence in found if evidence is not None]

    async def across(self, aggregation: Aggregation) -> Evidence | None:
        """One figure over all servers of the scope."""
        expr = scaled(across(aggregation, self._vector()), self.divisor)
        claim = f"{self.tongue.aggregation(aggregation)} {self.tongue.metric(self.measure.name)}"
        samples = None if self.window is not None or self.measure.rate else sum(self.series.values())
        return await self.facts.evidence(expr, self.unit, claim, self.tongue, tuple(self.values), samples)

    def kind(self) -> tuple[Evidence, ...]:
        """What must be proved of the name of the aggregation itself: the level of a percentile."""
        if self.window is None or self.window.aggregation != "p95":
            return ()
        return (percentile(self.facts, self.tongue),)

    async def count(self) -> Evidence | None:
        """How many servers of the scope have a value."""
        claim = self.tongue.say("값이 있는 서버", "servers with a value:")
        return await self.facts.evidence(f"count({self._vector()})", "servers", claim, self.tongue, samples=len(self.values))

    def _vector(self) -> str:
        if not self.measure.rate and all(count == 1 for count in self.series.values()):
            return series_of(self.measure, self.scope, self.window)
        return by_server(self.measure, self.scope, self.window)

    def vector(self) -> str:
        """The expression that gives one element a server."""
        return by_server(self.measure, self.scope, self.window)

    @property
    def stored_unit(self) -> str:
        """The unit of the values before they are scaled for reading."""
        summed = self.measure.rate and self.window is not None and self.window.aggregation == "sum"
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


def measure_in(interpretation: Interpretation, metric: str | None = None) -> Measure:
    """The measure of the question, or of one of its conditions."""
    return measure_of(metric or interpretation.metric or "cpu", interpretation.direction)
