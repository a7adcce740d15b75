"""From text to `Expression`: an adapter of the `promql-parser` package, and the list of what is supported."""

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final

import promql_parser as pp

from services.metrics.domain.matching import predicate
from services.metrics.domain.ports import MAX_TIME_MS, NAME_LABEL, Matcher, MatchOp
from services.metrics.domain.promql.aggregation import AGGREGATIONS
from services.metrics.domain.promql.errors import BadDataError
from services.metrics.domain.promql.expressions import (
    Aggregation,
    At,
    AtAnchor,
    Binary,
    Call,
    Cardinality,
    Expression,
    Matching,
    MatrixSelector,
    Negation,
    NumberLiteral,
    StringLiteral,
    Subquery,
    VectorSelector,
)
from services.metrics.domain.promql.functions import FUNCTIONS
from services.metrics.domain.promql.operators import ARITHMETIC, COMPARISONS, SET_OPERATORS
from services.metrics.domain.promql.patterns import check_pattern
from services.metrics.domain.promql.source import placeholder, prepare

DEFAULT_SUBQUERY_STEP_MS: Final = 60_000
"""Resolution of `expr[1h:]`; Prometheus takes its global evaluation interval, which is one minute unless configured."""

_OPERATORS: Final = frozenset(ARITHMETIC) | frozenset(COMPARISONS) | SET_OPERATORS
_MATCH_OPS: Final = (
    (pp.MatchOp.Equal, MatchOp.EQUAL),
    (pp.MatchOp.NotEqual, MatchOp.NOT_EQUAL),
    (pp.MatchOp.Re, MatchOp.REGEX),
    (pp.MatchOp.NotRe, MatchOp.NOT_REGEX),
)
_CARDINALITIES: Final = (
    (pp.VectorMatchCardinality.OneToOne, Cardinality.ONE_TO_ONE),
    (pp.VectorMatchCardinality.ManyToOne, Cardinality.MANY_TO_ONE),
    (pp.VectorMatchCardinality.OneToMany, Cardinality.ONE_TO_MANY),
    (pp.VectorMatchCardinality.ManyToMany, Cardinality.MANY_TO_MANY),
)
_MAX_DURATION_MS: Final = 100 * 365 * 86_400_000


@lru_cache(maxsize=512)
def parse(text: str) -> Expression:
    """The expression that the text stands for.

    Raises:
        BadDataError: it is not PromQL, or PromQL that is not supported; the message says what and, if known, where.
    """
    source = prepare(text)
    try:
        return _Adapter(source.patterns).expression(pp.parse(source.text))
    except (ValueError, OverflowError) as error:
        raise BadDataError(f"parse error: {error}") from error


def parse_selector(text: str) -> list[Matcher]:
    """Matchers of a series selector such as `cpu{role="web"}`.

    Raises:
        BadDataError: the text is something else, or has an offset or `@`.
    """
    expression = parse(text)
    if not isinstance(expression, VectorSelector) or expression.offset_ms or expression.at is not None:
        raise BadDataError(f"a series selector is expected, not: {text}")
    return list(expression.matchers)


class _Adapter:
    """One walk over what the parser gives; regular expressions come back in here."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = {placeholder(number, sign): pattern for number, pattern in enumerate(patterns) for sign in ("=~", "!~")}

    def expression(self, node: pp.Expr) -> Expression:
        match node:
            case pp.ParenExpr():
                return self.expression(node.expr)
            case pp.NumberLiteral():
                return NumberLiteral(node.val)
            case pp.StringLiteral():
                return StringLiteral(node.val)
            case pp.VectorSelector():
                return self._vector_selector(node)
            case pp.MatrixSelector():
                return MatrixSelector(self._vector_selector(node.vector_selector), _milliseconds(node.range))
            case pp.SubqueryExpr():
                return self._subquery(node)
            case pp.UnaryExpr():
                return Negation(self.expression(node.expr))
            case pp.BinaryExpr():
                return self._binary(node)
            case pp.AggregateExpr():
                return self._aggregation(node)
            case pp.Call():
                return self._call(node)
            case _:
                raise BadDataError(f"not supported: {node.prettify()}")

    def _vector_selector(self, node: pp.VectorSelector) -> VectorSelector:
        if node.matchers.or_matchers:
            raise BadDataError("'or' between label matchers is not supported")
        matchers = [Matcher(NAME_LABEL, MatchOp.EQUAL, node.name)] if node.name else []
        for matcher in node.matchers.matchers:
            operation = next(ours for theirs, ours in _MATCH_OPS if matcher.op == theirs)
            value = matcher.value
            if operation in (MatchOp.REGEX, MatchOp.NOT_REGEX):
                value = self._patterns[value]
                check_pattern(value)
            matchers.append(Matcher(matcher.name, operation, value))
        if all(predicate(matcher)("") for matcher in matchers):
            raise BadDataError("vector selector must contain at least one non-empty matcher")
        return VectorSelector(tuple(matchers), _offset(node.offset), _at(node.at))

    def _subquery(self, node: pp.SubqueryExpr) -> Subquery:
        if node.range is None:
            raise BadDataError("a subquery needs a range")
        step = DEFAULT_SUBQUERY_STEP_MS if node.step is None else _milliseconds(node.step)
        return Subquery(self.expression(node.expr), _milliseconds(node.range), step, _offset(node.offset), _at(node.at))

    def _binary(self, node: pp.BinaryExpr) -> Binary:
        operator = str(node.op)
        if operator not in _OPERATORS:
            raise BadDataError(f"operator {operator} is not supported")
        left, right = self.expression(node.lhs), self.expression(node.rhs)
        modifier = node.modifier
        if modifier is None:
            return Binary(operator, left, right)
        if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
            raise BadDataError("the modifier fill is not supported")
        on = modifier.matching is not None and modifier.matching.type == pp.LabelModifierType.Include
        labels = tuple(modifier.matching.labels) if modifier.matching is not None else ()
        cardinality = next(ours for theirs, ours in _CARDINALITIES if modifier.card == theirs)
        matching = Matching(cardinality, on, labels, tuple(modifier.group_labels or ()))
        return Binary(operator, left, right, modifier.return_bool, matching)

    def _aggregation(self, node: pp.AggregateExpr) -> Aggregation:
        operator = str(node.op)
        if operator not in AGGREGATIONS:
            raise BadDataError(f"aggregation {operator} is not supported")
        parameter = None if node.param is None else self.expression(node.param)
        if node.modifier is None:
            return Aggregation(operator, self.expression(node.expr), parameter)
        without = node.modifier.type == pp.AggModifierType.Without
        return Aggregation(operator, self.expression(node.expr), parameter, without, tuple(node.modifier.labels))

    def _call(self, node: pp.Call) -> Call:
        name = node.func.name
        if name not in FUNCTIONS:
            raise BadDataError(f"function {name} is not supported")
        return Call(name, tuple(self.expression(argument) for argument in node.args))


def _offset(duration: timedelta | None) -> int:
    return 0 if duration is None else _milliseconds(duration)


def _milliseconds(duration: timedelta) -> int:
    milliseconds = duration // timedelta(milliseconds=1)
    if abs(milliseconds) > _MAX_DURATION_MS:
        raise BadDataError("durations of more than 100 years are not supported")
    return milliseconds


def _at(modifier: pp.AtModifier | None) -> At | None:
    if modifier is None:
        return None
    if modifier.type == pp.AtModifierType.Start:
        return At(AtAnchor.START)
    if modifier.type == pp.AtModifierType.End:
        return At(AtAnchor.END)
    if modifier.at is None:
        raise BadDataError("the @ modifier needs a time")
    return At(AtAnchor.TIME, min(round(modifier.at.timestamp() * 1000), MAX_TIME_MS))
