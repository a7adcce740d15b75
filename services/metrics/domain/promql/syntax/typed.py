"""Expressions with their types while they are put together, and what Prometheus says of types that do not fit.

Syntax is told before types, and of several mistakes of types the one that a walk from the top meets first: so each part carries the
mistakes below it until the whole text has been read. Source: Prometheus 2.42, `parser.checkAST`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from services.metrics.domain.matching import predicate
from services.metrics.domain.ports import NAME_LABEL, Matcher
from services.metrics.domain.promql.operators import COMPARISONS, SET_OPERATORS
from services.metrics.domain.promql.syntax.expressions import (
    Aggregation,
    Binary,
    Call,
    Cardinality,
    Expression,
    Matching,
    Negation,
    Subquery,
    ValueType,
    VectorSelector,
)
from services.metrics.domain.promql.syntax.lexer import Token
from services.metrics.domain.promql.syntax.quoting import quote
from services.metrics.domain.promql.syntax.signatures import Signature

Problem: TypeAlias = tuple[int, str]
"""Where in the text, and what is wrong there."""

_OPERANDS = (ValueType.SCALAR, ValueType.VECTOR)


@dataclass(frozen=True, slots=True)
class Part:
    """An expression in the text.

    Attributes:
        start: where it begins.
        in_parentheses: it is no selector for a modifier to hold on to.
        problems: mistakes of types, in the order in which they are told.
    """

    expression: Expression
    kind: ValueType
    start: int
    in_parentheses: bool = False
    problems: list[Problem] = field(default_factory=list)


def vector_selector(matchers: Sequence[Matcher], name: str, start: int) -> Part:
    """A selector; the name outside of the braces comes first among the matchers."""
    problems: list[Problem] = []
    inside = matchers[1:] if name else matchers
    twice = next((matcher.value for matcher in inside if matcher.name == NAME_LABEL), None) if name else None
    if twice is not None:
        problems.append((start, f"metric name must not be set twice: {quote(name)} or {quote(twice)}"))
    elif all(predicate(matcher)("") for matcher in matchers):
        problems.append((start, "vector selector must contain at least one non-empty matcher"))
    return Part(VectorSelector(tuple(matchers)), ValueType.VECTOR, start, problems=problems)


def subquery(inner: Part, range_ms: int, step_ms: int) -> Part:
    """A subquery over an instant vector."""
    problems = list(inner.problems)
    if inner.kind is not ValueType.VECTOR:
        short = "matrix" if inner.kind is ValueType.MATRIX else str(inner.kind)
        problems.append((inner.start, f"subquery is only allowed on instant vector, got {short} instead"))
    return Part(Subquery(inner.expression, range_ms, step_ms), ValueType.MATRIX, inner.start, problems=problems)


def signed(inner: Part, sign: str, start: int) -> Part:
    """An expression with a sign in front."""
    problems = list(inner.problems)
    if inner.kind not in _OPERANDS:
        told = f"unary expression only allowed on expressions of type scalar or instant vector, got {quote(inner.kind)}"
        problems.append((start, told))
    expression = Negation(inner.expression) if sign == "-" else inner.expression
    return Part(expression, inner.kind, start, problems=problems)


def binary(left: Part, right: Part, operator: Token, return_bool: bool, matching: Matching | None) -> Part:
    """Two expressions with an operator between them; no matching when none is written."""
    sign, given = operator.word, matching or Matching()
    own: list[Problem] = []
    both_vectors = left.kind is ValueType.VECTOR and right.kind is ValueType.VECTOR
    both_scalars = left.kind is ValueType.SCALAR and right.kind is ValueType.SCALAR
    is_set = sign in SET_OPERATORS
    if return_bool and sign not in COMPARISONS:
        own.append((operator.start, "bool modifier can only be used on comparison operators"))
    if sign in COMPARISONS and not return_bool and both_scalars:
        own.append((operator.start, "comparisons between scalars must use BOOL modifier"))
    if given.on:
        own += [
            (operator.start, f"label {quote(label)} must not occur in ON and GROUP clause at once")
            for label in given.labels
            if label in given.include
        ]
    own += [
        (side.start, "binary expression must contain only scalar and instant vector types")
        for side in (left, right)
        if side.kind not in _OPERANDS
    ]
    if not both_vectors and given.labels:
        own.append((left.start, "vector matching only allowed between instant vectors"))
    if both_vectors and is_set and given.cardinality is not Cardinality.ONE_TO_ONE:
        own.append((left.start, f"no grouping allowed for {quote(sign)} operation"))
    if is_set and ValueType.SCALAR in (left.kind, right.kind):
        own.append((left.start, f"set operator {quote(sign)} not allowed in binary scalar expression"))
    if is_set:
        given = Matching(Cardinality.MANY_TO_MANY, given.on, given.labels)
    kind = ValueType.SCALAR if both_scalars else ValueType.VECTOR
    expression = Binary(sign, left.expression, right.expression, return_bool, given)
    return Part(expression, kind, left.start, problems=[*left.problems, *right.problems, *own])


def call(name: Token, signature: Signature, arguments: Sequence[Part]) -> Part:
    """A call of a function that exists."""
    problems: list[Problem] = []
    count, of_function = len(arguments), f"argument(s) in call to {quote(name.text)}, got {len(arguments)}"
    if signature.least == signature.most:
        if count != signature.least:
            problems.append((name.start, f"expected {signature.least} {of_function}"))
    elif count < signature.least:
        problems.append((name.start, f"expected at least {signature.least} {of_function}"))
    elif signature.most is not None and count > signature.most:
        problems.append((name.start, f"expected at most {signature.most} {of_function}"))
    for index, argument in enumerate(arguments):
        if signature.most is None or index < len(signature.arguments):
            problems += _expected(argument, signature.type_of(index), f"call to function {quote(name.text)}")
    expression = Call(name.text, tuple(argument.expression for argument in arguments))
    return Part(expression, signature.result, name.start, problems=problems)


def aggregation(operator: Token, inner: Part, parameter: Part | None, without: bool, labels: tuple[str, ...]) -> Part:
    """An aggregation with the number of arguments that it needs."""
    problems = _expected(inner, ValueType.VECTOR, "aggregation expression")
    if parameter is not None:
        kind = ValueType.STRING if operator.word == "count_values" else ValueType.SCALAR
        problems += _expected(parameter, kind, "aggregation parameter")
    given = None if parameter is None else parameter.expression
    expression = Aggregation(operator.word, inner.expression, given, without, labels)
    return Part(expression, ValueType.VECTOR, operator.start, problems=problems)


def _expected(part: Part, wanted: ValueType, where: str) -> list[Problem]:
    problems = list(part.problems)
    if part.kind is not wanted:
        problems.append((part.start, f"expected type {wanted} in {where}, got {part.kind}"))
    return problems
