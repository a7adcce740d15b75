"""The servers that samples came from: when they were last heard from, how they are, and their figures by concept."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.metrics.domain.concepts import CONCEPTS, Concept, Formula, quoted
from services.metrics.domain.directory import SERVER_LABEL, ServerDirectory
from services.metrics.domain.health import Health, judge
from services.metrics.domain.ports import NAME_LABEL, Labels, Matcher, MatchOp, SampleStore
from services.metrics.domain.promql import LOOKBACK_MS, Vector, evaluate_instant
from services.metrics.domain.scrape.series import REPORT_NAMES

_FROM_THE_SERVER: Final = Matcher(NAME_LABEL, MatchOp.NOT_REGEX, "|".join(REPORT_NAMES))
"""What is told about scrapes is ours: it goes on while the server itself is silent."""
_LOOP_SERIES: Final = 1_000
_LOOP_SERVERS: Final = 100
"""What concerns more than this many is put together in a thread, away from the event loop."""


@dataclass(frozen=True)
class ServerState:
    """One server at one time.

    Attributes:
        name: value of the label `server`.
        role: value of the label `role`, empty when it has none.
        health: how it is.
        reasons: which figures gave the health; none when it is well.
        last_seen_ms: time of its newest sample.
        labels: those that all of its current series share, without `server` and the name; of all its series when none is current.
        metrics: newest figures by concept; those older than five minutes are left out.
        expressions: for each figure, the PromQL expression whose value it is.
    """

    name: str
    role: str
    health: Health
    reasons: tuple[str, ...]
    last_seen_ms: int
    labels: Labels
    metrics: Mapping[str, float]
    expressions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Figure:
    """A value, the formula that it comes from, and how many series of a gauge it is the highest of."""

    value: float
    formula: Formula
    series: int


class Inventory:
    """Lists servers from what the store holds; remembers nothing that it could not compute again."""

    def __init__(self, store: SampleStore) -> None:
        self._store = store
        self._directory = ServerDirectory.empty()

    async def servers(self, now_ms: int, name: str = "") -> list[ServerState]:
        """Every server with a sample within retention, or the one of this name, ascending by name.

        Args:
            now_ms: the time that figures and health stand for.
            name: only this server, unless empty.
        """
        matcher = Matcher(SERVER_LABEL, MatchOp.EQUAL, name) if name else Matcher(SERVER_LABEL, MatchOp.NOT_EQUAL, "")
        latest = await self._store.latest([matcher, _FROM_THE_SERVER])
        if not len(latest):
            return []
        current = latest.timestamps_ms >= now_ms - LOOKBACK_MS
        directory = self._directory
        if not directory.describes(latest.ids, current):
            build_directory = partial(ServerDirectory, latest.ids, current, self._store.labels_of(latest.ids))
            directory = build_directory() if len(latest) <= _LOOP_SERIES else await asyncio.to_thread(build_directory)
            if not name:
                self._directory = directory
        last_seen_ms = directory.newest(latest.timestamps_ms)
        text = f"{SERVER_LABEL}={quoted(name)}" if name else f'{SERVER_LABEL}!=""'
        told = await asyncio.gather(*(self._figures(concept, directory, text, now_ms) for concept in CONCEPTS))
        figures = {concept.name: figures for concept, figures in zip(CONCEPTS, told, strict=True)}
        build = partial(_states, directory, last_seen_ms, figures, now_ms)
        return build() if len(directory.names) <= _LOOP_SERVERS else await asyncio.to_thread(build)

    def holds(self, formula: Formula) -> bool:
        """Whether the store has series of every name that the formula needs; cheap, for the store keeps such answers."""
        return all(len(self._store.matching([Matcher(NAME_LABEL, MatchOp.EQUAL, name)])) for name in formula.names)

    async def _figures(self, concept: Concept, directory: ServerDirectory, matchers: str, now_ms: int) -> dict[str, _Figure]:
        """The figure of each server that has one, from the first formula that gives it; a formula that can add none is left out."""
        figures: dict[str, _Figure] = {}
        for formula in concept.formulas:
            if directory.telling_all(formula.names) <= figures.keys():
                continue
            result = await evaluate_instant(formula.of_all(matchers), self._store, now_ms)
            if not isinstance(result.value, Vector):
                raise TypeError(f"{concept.name} is a {type(result.value).__name__} and no vector")
            for server, (value, series) in _by_server(result.value).items():
                figures.setdefault(server, _Figure(value, formula, series))
        return figures


def _states(
    directory: ServerDirectory,
    last_seen_ms: Mapping[str, int],
    figures: Mapping[str, Mapping[str, _Figure]],
    now_ms: int,
) -> list[ServerState]:
    """Every server of the directory with its figures, which come by concept and server."""
    metrics: dict[str, dict[str, float]] = {server: {} for server in directory.names}
    expressions: dict[str, dict[str, str]] = {server: {} for server in directory.names}
    for concept, by_server in figures.items():
        for server, figure in by_server.items():
            if server in metrics:
                metrics[server][concept] = figure.value
                expressions[server][concept] = figure.formula.of_server(server, series=figure.series)
    states = []
    for server in directory.names:
        silent_seconds = (now_ms - last_seen_ms[server]) / 1000
        health, reasons = judge(metrics[server], silent_seconds=silent_seconds, silent_after_seconds=LOOKBACK_MS / 1000)
        states.append(
            ServerState(
                name=server,
                role=directory.roles[server],
                health=health,
                reasons=reasons,
                last_seen_ms=last_seen_ms[server],
                labels=directory.labels[server],
                metrics=metrics[server],
                expressions=expressions[server],
            )
        )
    return states


def _by_server(vector: Vector) -> dict[str, tuple[float, int]]:
    """Value of each server in the vector, the highest of several, and how many there are."""
    values: dict[str, list[float]] = {}
    for labels, value in zip(vector.labels, vector.values.tolist(), strict=True):
        for name, server in labels:
            if name == SERVER_LABEL:
                values.setdefault(server, []).append(value)
                break
    return {server: (max(found), len(found)) for server, found in values.items() if math.isfinite(max(found))}
