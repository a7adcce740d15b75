"""What a query has to read: every selector with the time range it needs, known before anything is evaluated."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.metrics.domain.ports import TimeArray
from services.metrics.domain.promql.syntax.expressions import (
    At,
    AtAnchor,
    Expression,
    Matchers,
    MatrixSelector,
    Subquery,
    VectorSelector,
    children,
)
from services.metrics.domain.promql.values import LOOKBACK_MS


class Fetch(NamedTuple):
    """Samples with start_ms <= time <= end_ms of the series that meet the matchers."""

    matchers: Matchers
    start_ms: int
    end_ms: int


class SelectorUse(NamedTuple):
    """A selector of an expression, and how far back before the evaluation time it reads."""

    matchers: Matchers
    lookback_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    """An expression over the steps start, start + step, ... <= end, and what must be read for it."""

    expression: Expression
    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def times_ms(self) -> TimeArray:
        """The steps, i64[steps]."""
        return np.arange(self.start_ms, self.end_ms + 1, self.step_ms, dtype=np.int64)

    @property
    def last_ms(self) -> int:
        """The last step."""
        return self.start_ms + (self.end_ms - self.start_ms) // self.step_ms * self.step_ms

    def anchor(self, at: At, /) -> int:
        """The time that an `@` modifier names."""
        if at.anchor is AtAnchor.TIME:
            return at.time_ms
        return self.start_ms if at.anchor is AtAnchor.START else self.end_ms

    def reference(self, first_ms: int, last_ms: int, offset_ms: int, at: At | None) -> tuple[int, int]:
        """Where offset and `@` move the evaluation times first and last."""
        if at is not None:
            first_ms = last_ms = self.anchor(at)
        return first_ms - offset_ms, last_ms - offset_ms

    def fetch_of(self, node: VectorSelector | MatrixSelector, first_ms: int, last_ms: int) -> Fetch:
        """What a selector reads when it is evaluated at times from first to last."""
        selector, window = (node, LOOKBACK_MS) if isinstance(node, VectorSelector) else (node.selector, node.range_ms)
        first, last = self.reference(first_ms, last_ms, selector.offset_ms, selector.at)
        return Fetch(selector.matchers, first - window, last)

    def subquery_bounds(self, node: Subquery, first_ms: int, last_ms: int) -> tuple[int, int]:
        """First and last step of a subquery; steps are multiples of its resolution, whatever the query's own steps are."""
        first, last = self.reference(first_ms, last_ms, node.offset_ms, node.at)
        return -((node.range_ms - first) // node.step_ms) * node.step_ms, last // node.step_ms * node.step_ms

    def fetches(self) -> list[Fetch]:
        """Everything to read, each thing once."""
        return list(dict.fromkeys(self._fetches(self.expression, self.start_ms, self.last_ms)))

    def _fetches(self, node: Expression, first_ms: int, last_ms: int) -> Iterator[Fetch]:
        if isinstance(node, VectorSelector | MatrixSelector):
            yield self.fetch_of(node, first_ms, last_ms)
            return
        if isinstance(node, Subquery):
            first_ms, last_ms = self.subquery_bounds(node, first_ms, last_ms)
            if first_ms > last_ms:
                return
        for child in children(node):
            yield from self._fetches(child, first_ms, last_ms)


def selectors_of(expression: Expression) -> list[SelectorUse]:
    """The selectors in the expression, each with how far back it reads; an `@` modifier is not taken into account."""
    return list(dict.fromkeys(_selectors(expression, 0)))


def _selectors(node: Expression, back_ms: int) -> Iterator[SelectorUse]:
    match node:
        case VectorSelector(matchers=matchers, offset_ms=offset):
            yield SelectorUse(matchers, back_ms + offset + LOOKBACK_MS)
        case MatrixSelector(selector=VectorSelector(matchers=matchers, offset_ms=offset), range_ms=window):
            yield SelectorUse(matchers, back_ms + offset + window)
        case Subquery(expr=inner, range_ms=window, offset_ms=offset):
            yield from _selectors(inner, back_ms + window + offset)
        case _:
            for child in children(node):
                yield from _selectors(child, back_ms)
