"""From text to `Expression`: the grammar of PromQL 2.x by recursive descent, with the words that Prometheus has for mistakes.

Ours and not a package's: a mistake is told with its place and in the same words as by Prometheus (whose grammar is a yacc file, so
that what it expected depends on the rule it was in), and no text, however deep, can exhaust the stack.
Source of the grammar: Prometheus 2.42, `promql/parser/generated_parser.y`.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Final

from services.metrics.domain.ports import Matcher
from services.metrics.domain.promql.errors import BadDataError
from services.metrics.domain.promql.syntax import typed
from services.metrics.domain.promql.syntax.expressions import (
    Cardinality,
    Expression,
    Matching,
    NumberLiteral,
    StringLiteral,
    ValueType,
    VectorSelector,
)
from services.metrics.domain.promql.syntax.lexer import Kind, Token
from services.metrics.domain.promql.syntax.literals import text_of
from services.metrics.domain.promql.syntax.quoting import quote
from services.metrics.domain.promql.syntax.selectors import modified, selector
from services.metrics.domain.promql.syntax.signatures import NATIVE_HISTOGRAM_FUNCTIONS, SIGNATURES
from services.metrics.domain.promql.syntax.tokens import Tokens
from services.metrics.domain.promql.syntax.typed import Part

MAX_LENGTH: Final = 65_536
MAX_DEPTH: Final = 64
MAX_OPERATORS: Final = 150
"""Chains such as `a + a + ...` are evaluated as deep as they are long."""

_PRECEDENCE: Final = {
    "or": 1,
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_LOOSEST: Final = 1
_SIGNED: Final = 6
"""A sign binds as `*` does, and takes with it what binds tighter: -2 ^ 2 is -(2 ^ 2)."""
_WITH_PARAMETER: Final = frozenset({"topk", "bottomk", "quantile", "count_values"})
_GROUPING: Final = "grouping opts"


@lru_cache(maxsize=512)
def parse(text: str) -> Expression:
    """The expression that the text stands for.

    Raises:
        BadDataError: it is not PromQL, or PromQL that is not supported; the message says where and what.
    """
    if len(text) > MAX_LENGTH:
        raise BadDataError(f"the expression is longer than {MAX_LENGTH:,} characters")
    return _Parser(text).whole()


def parse_selector(text: str) -> list[Matcher]:
    """Matchers of a series selector such as `cpu{role="web"}`.

    Raises:
        BadDataError: the text is something else, or has an offset or `@`.
    """
    expression = parse(text)
    if not isinstance(expression, VectorSelector) or expression.offset_ms or expression.at is not None:
        raise BadDataError(f"a series selector is expected, not: {text}")
    return list(expression.matchers)


class _Parser:
    """Reads one text; each method takes what its rule is made of."""

    def __init__(self, text: str) -> None:
        self._tokens = Tokens(text)
        self._depth = self._operators = 0

    def whole(self) -> Expression:
        """The expression of the whole text."""
        if self._tokens.at(Kind.END):
            raise self._tokens.wrong(0, "no expression found in input")
        part = self._expression(_LOOSEST)
        if not self._tokens.at(Kind.END):
            raise self._tokens.unexpected()
        if part.problems:
            raise self._tokens.wrong(*part.problems[0])
        return part.expression

    def _expression(self, least: int) -> Part:
        """Operands and the operators between them that bind at least so tightly."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._tokens.wrong(self._tokens.current.start, f"the expression nests deeper than {MAX_DEPTH} levels")
        left = self._operand()
        while self._tokens.at(Kind.OPERATOR) and (binds := _PRECEDENCE.get(self._tokens.current.word, 0)) >= least:
            operator = self._operator()
            return_bool, matching = self._modifiers()
            right = self._expression(binds if operator.text == "^" else binds + 1)
            left = typed.binary(left, right, operator, return_bool, matching)
        self._depth -= 1
        return left

    def _operator(self) -> Token:
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise self._tokens.wrong(self._tokens.current.start, f"the expression has more than {MAX_OPERATORS} operators")
        return self._tokens.take()

    def _modifiers(self) -> tuple[bool, Matching | None]:
        """`bool`, `on`, `ignoring`, `group_left` and `group_right` behind an operator."""
        tokens = self._tokens
        return_bool = tokens.at_keyword("bool")
        if return_bool:
            tokens.take()
        if not tokens.at_keyword("on", "ignoring"):
            return return_bool, None
        on = tokens.take().word == "on"
        labels = self._grouping()
        if not tokens.at_keyword("group_left", "group_right"):
            return return_bool, Matching(Cardinality.ONE_TO_ONE, on, labels)
        cardinality = Cardinality.MANY_TO_ONE if tokens.take().word == "group_left" else Cardinality.ONE_TO_MANY
        include = () if tokens.at_expression() and not tokens.at_sign("(") else self._grouping()
        return return_bool, Matching(cardinality, on, labels, include)

    def _grouping(self) -> tuple[str, ...]:
        """Names of labels in parentheses."""
        tokens = self._tokens
        tokens.take_sign("(", _GROUPING, '"("')
        labels: list[str] = []
        while not tokens.at_sign(")"):
            if not tokens.at_label():
                raise tokens.unexpected(_GROUPING, "label")
            labels.append(tokens.take().text)
            if tokens.at_sign(","):
                tokens.take()
            elif not tokens.at_sign(")"):
                raise tokens.unexpected(_GROUPING, '"," or ")"')
        tokens.take()
        return tuple(labels)

    def _operand(self) -> Part:
        if not self._tokens.at_operator("+", "-"):
            return modified(self._tokens, self._primary())
        sign = self._operator()
        inner = self._expression(_SIGNED)
        if isinstance(inner.expression, NumberLiteral) and not inner.in_parentheses:
            value = inner.expression.value
            return Part(NumberLiteral(-value if sign.text == "-" else value), ValueType.SCALAR, sign.start)
        return typed.signed(inner, sign.text, sign.start)

    def _primary(self) -> Part:
        tokens, token = self._tokens, self._tokens.current
        match token.kind:
            case Kind.NUMBER:
                return Part(NumberLiteral(tokens.take_number()), ValueType.SCALAR, token.start)
            case Kind.STRING:
                return Part(StringLiteral(text_of(tokens.take().text)), ValueType.STRING, token.start)
            case Kind.SIGN if token.text == "(":
                tokens.take()
                inner = self._expression(_LOOSEST)
                tokens.take_sign(")")
                return replace(inner, start=token.start, in_parentheses=True)
            case Kind.SIGN if token.text == "{":
                return selector(tokens, None)
            case Kind.AGGREGATOR:
                return self._aggregation_or_metric()
            case Kind.IDENTIFIER:
                tokens.take()
                return self._call(token) if tokens.at_sign("(") else selector(tokens, token)
            case _ if tokens.at_name():
                return selector(tokens, tokens.take())
            case _:
                raise tokens.unexpected()

    def _call(self, name: Token) -> Part:
        arguments = self._arguments()
        if name.text in NATIVE_HISTOGRAM_FUNCTIONS:
            raise self._tokens.wrong(name.start, f"native histograms and {quote(name.text)} are not supported")
        signature = SIGNATURES.get(name.text)
        if signature is None:
            raise self._tokens.wrong(name.start, f"unknown function with name {quote(name.text)}")
        return typed.call(name, signature, arguments)

    def _arguments(self) -> list[Part]:
        """Expressions in parentheses."""
        tokens = self._tokens
        tokens.take_sign("(", "aggregation" if tokens.open_aggregations else "")
        arguments: list[Part] = []
        while not tokens.at_sign(")"):
            arguments.append(self._expression(_LOOSEST))
            if tokens.at_sign(","):
                comma = tokens.take()
                if not tokens.at_expression():
                    raise tokens.wrong(comma.start, "trailing commas not allowed in function call args")
            elif not tokens.at_sign(")"):
                raise tokens.unexpected()
        tokens.take()
        return arguments

    def _aggregation_or_metric(self) -> Part:
        tokens, operator = self._tokens, self._tokens.take()
        if not tokens.at_sign("(") and not tokens.at_keyword("by", "without"):
            return selector(tokens, operator)  # the name of an aggregation may be that of a metric
        tokens.open_aggregations += 1
        modifier, labels = self._aggregation_modifier()
        arguments = self._arguments()
        tokens.open_aggregations -= 1
        if not modifier:
            modifier, labels = self._aggregation_modifier()
        if not arguments:
            raise tokens.wrong(operator.start, "no arguments for aggregate expression provided")
        wanted = 2 if operator.word in _WITH_PARAMETER else 1
        if len(arguments) != wanted:
            told = f"wrong number of arguments for aggregate expression provided, expected {wanted}, got {len(arguments)}"
            raise tokens.wrong(operator.start, told)
        return typed.aggregation(operator, arguments[-1], arguments[0] if wanted == 2 else None, modifier == "without", labels)

    def _aggregation_modifier(self) -> tuple[str, tuple[str, ...]]:
        if not self._tokens.at_keyword("by", "without"):
            return "", ()
        return self._tokens.take().word, self._grouping()
