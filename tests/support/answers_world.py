"""A small fleet in memory for tests of questions: the reader port over plain lists, with PromQL's meaning for the forms in use."""

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser

from services.ai_agent.domain.concepts import Concepts, Formula, FormulaKind, Measure
from services.ai_agent.domain.ports import Inventory, MetricsUnavailableError, QueryResult, Sample, ServerInfo
from services.metrics.domain.concepts import CONCEPTS

LOOKBACK_MS = 300_000
Labels = tuple[tuple[str, str], ...]
Rows = dict[Labels, float]


@dataclass
class WorldReader:
    """Samples by series; a query is evaluated by walking promql-parser's tree."""

    series: dict[Labels, list[tuple[int, float]]] = field(default_factory=dict)
    servers: dict[str, str] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)
    now_ms: int = 1_700_000_000_000
    away: bool = False
    queries_away: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)

    def put(self, name: str, server: str, values: list[tuple[int, float]], **labels: str) -> None:
        """Store samples of one series: (age in seconds, value)."""
        role = self.servers.get(server, "")
        own = {"role": role, "site": self.sites.get(server, "")}
        pairs = {"__name__": name, "server": server, **{label: value for label, value in own.items() if value}, **labels}
        samples = sorted((self.now_ms - age * 1000, value) for age, value in values)
        self.series[tuple(sorted(pairs.items()))] = samples

    async def query(self, expr: str, time_ms: int) -> QueryResult:
        """Evaluate at one instant."""
        if self.away or self.queries_away:
            raise MetricsUnavailableError("the store is away")
        self.asked.append((expr, time_ms))
        value = self._eval(promql_parser.parse(expr), time_ms)
        rows = {(): value} if isinstance(value, float) else value
        return QueryResult(tuple(Sample(dict(labels), each) for labels, each in rows.items()), len(rows))

    async def inventory(self) -> Inventory:
        """The servers with their newest figures."""
        if self.away:
            raise MetricsUnavailableError("the store is away")
        infos = []
        for server, role in sorted(self.servers.items()):
            figures: dict[str, float] = {}
            last_seen = 0
            for labels, samples in self.series.items():
                if dict(labels)["server"] == server and samples:
                    last_seen = max(last_seen, samples[-1][0])
                    if samples[-1][0] > self.now_ms - LOOKBACK_MS:
                        figures[dict(labels)["__name__"]] = samples[-1][1]
            expressions = {name: f'{name}{{server="{server}"}}' for name in figures}
            site = self.sites.get(server, "")
            infos.append(ServerInfo(server, role, "ok" if figures else "unknown", last_seen, figures, expressions, site))
        names = frozenset(dict(labels)["__name__"] for labels in self.series)
        return Inventory(tuple(infos), self.now_ms, names, concepts_of(names))

    def _eval(self, node: Any, time_ms: int) -> Rows | float:
        match type(node).__name__:
            case "NumberLiteral":
                return float(node.val)
            case "ParenExpr":
                return self._eval(node.expr, time_ms)
            case "VectorSelector":
                found = self._select(node, time_ms - LOOKBACK_MS, time_ms)
                return {labels: samples[-1][1] for labels, samples in found.items()}
            case "Call":
                return self._over_time(node, time_ms)
            case "AggregateExpr":
                return self._aggregate(node, time_ms)
            case "BinaryExpr":
                return self._binary(node, time_ms)
        raise NotImplementedError(type(node).__name__)

    def _select(self, node: Any, start_ms: int, end_ms: int) -> dict[Labels, list[tuple[int, float]]]:
        import re

        found = {}
        for labels, samples in self.series.items():
            pairs = dict(labels)
            if pairs["__name__"] != node.name:
                continue
            tests: dict[str, Callable[[str, str], bool]] = {
                "Equal": lambda have, want: have == want,
                "NotEqual": lambda have, want: have != want,
                "Re": lambda have, want: re.fullmatch(want, have) is not None,
            }
            if all(tests[str(m.op).rsplit(".", 1)[-1]](pairs.get(m.name, ""), m.value) for m in node.matchers.matchers):
                inside = [sample for sample in samples if start_ms < sample[0] <= end_ms]
                if inside:
                    found[labels] = inside
        return found

    def _over_time(self, node: Any, time_ms: int) -> Rows:
        name, ranged = node.func.name, node.args[-1]
        if name == "vector":
            return {(): float(ranged.val)}
        span_ms = int(ranged.range.total_seconds() * 1000)
        found = self._select(ranged.vector_selector, time_ms - span_ms, time_ms)
        functions: Mapping[str, Callable[[list[tuple[int, float]]], float]] = {
            "avg_over_time": lambda samples: statistics.fmean(value for _, value in samples),
            "max_over_time": lambda samples: max(value for _, value in samples),
            "min_over_time": lambda samples: min(value for _, value in samples),
            "count_over_time": lambda samples: float(len(samples)),
            "quantile_over_time": lambda samples: _quantile([value for _, value in samples], float(node.args[0].val)),
            "rate": lambda samples: (samples[-1][1] - samples[0][1]) / max(1.0, (samples[-1][0] - samples[0][0]) / 1000),
        }
        return {_without_name(labels): functions[name](samples) for labels, samples in found.items()}

    def _aggregate(self, node: Any, time_ms: int) -> Rows:
        rows = self._eval(node.expr, time_ms)
        assert isinstance(rows, dict)
        kept = list(node.modifier.labels) if node.modifier is not None else []
        groups: dict[Labels, list[float]] = {}
        for labels, value in rows.items():
            groups.setdefault(tuple(pair for pair in labels if pair[0] in kept), []).append(value)
        functions: Mapping[str, Callable[[list[float]], float]] = {
            "max": max,
            "min": min,
            "sum": math.fsum,
            "avg": statistics.fmean,
            "count": lambda values: float(len(values)),
            "quantile": lambda values: _quantile(values, float(node.param.val)),
        }
        return {labels: functions[str(node.op)](values) for labels, values in groups.items()}

    def _binary(self, node: Any, time_ms: int) -> Rows:
        left, right, op = self._eval(node.lhs, time_ms), self._eval(node.rhs, time_ms), str(node.op)
        assert isinstance(left, dict)
        if op == "or":
            assert isinstance(right, dict)
            return left | {labels: value for labels, value in right.items() if labels not in left}
        if op == "and":
            assert isinstance(right, dict)
            servers = {dict(labels)["server"] for labels in right}
            return {labels: value for labels, value in left.items() if dict(labels)["server"] in servers}
        if isinstance(right, dict):
            return {labels: value + right[labels] for labels, value in left.items() if labels in right}
        keep: Mapping[str, Callable[[float], bool]] = {
            ">": lambda value: value > right,
            ">=": lambda value: value >= right,
            "<": lambda value: value < right,
            "<=": lambda value: value <= right,
            "==": lambda value: value == right,
        }
        if op in keep:
            return {labels: value for labels, value in left.items() if keep[op](value)}
        return {_without_name(labels): value / right for labels, value in left.items()}


def concepts_of(names: frozenset[str]) -> Concepts:
    """The concepts as the metrics service tells them when it holds series of these names."""
    return Concepts(
        {
            concept.name: Measure(
                concept.name,
                concept.unit,
                tuple(
                    Formula(FormulaKind(formula.kind), formula.selectors, formula.template)
                    for formula in concept.formulas
                    if formula.names <= names
                ),
            )
            for concept in CONCEPTS
        }
    )


def _quantile(values: list[float], level: float) -> float:
    """Linear between the two nearest values, as PromQL has it."""
    ordered, rank = sorted(values), level * (len(values) - 1)
    low = math.floor(rank)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (rank - low)


def _without_name(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != "__name__")


def small_world(now_ms: int = 1_700_000_000_000) -> WorldReader:
    """Five servers: one in trouble, one silent, one with two disks."""
    world = WorldReader(now_ms=now_ms)
    world.servers = {"web-01": "web", "web-02": "web", "db-01": "database", "cache-01": "cache", "old-01": ""}
    world.sites = {"web-01": "seoul-1", "web-02": "tokyo-1", "db-01": "seoul-1"}
    figures = {
        "web-01": (42.25, 61.5, 70.0),
        "web-02": (97.125, 72.0, 40.0),
        "db-01": (35.0, 88.25, 55.5),
        "cache-01": (12.5, 61.5, 20.0),
    }
    for server, values in figures.items():
        for metric, value in zip(("cpu", "memory", "disk"), values, strict=True):
            samples = [(age, value + (age % 120) / 60) for age in range(60, 7200, 60)]
            world.put(metric, server, [(0, value), *samples])
        world.put("network_receive_bytes_total", server, [(age, 1e9 - age * 2e6) for age in range(0, 7200, 60)])
        world.put("network_transmit_bytes_total", server, [(age, 1e9 - age * 1e6) for age in range(0, 7200, 60)])
    world.put("disk", "db-01", [(0, 91.5), (60, 91.0)], mount="/data")
    for metric in ("cpu", "memory", "disk"):
        world.put(metric, "old-01", [(4000, 50.0)])
    return world
