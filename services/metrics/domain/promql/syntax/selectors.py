"""What stands around a selector: its matchers in braces; the range, offset and `@` behind it, which subqueries have as well."""

import math
from dataclasses import replace
from typing import Final

from services.metrics.domain.ports import MAX_TIME_MS, NAME_LABEL, Matcher, MatchOp
from services.metrics.domain.promql.errors import BadDataError
from services.metrics.domain.promql.patterns import check_pattern
from services.metrics.domain.promql.syntax import typed
from services.metrics.domain.promql.syntax.expressions import At, AtAnchor, MatrixSelector, Subquery, ValueType, VectorSelector
from services.metrics.domain.promql.syntax.lexer import Kind, Token
from services.metrics.domain.promql.syntax.literals import text_of
from services.metrics.domain.promql.syntax.tokens import Tokens
from services.metrics.domain.promql.syntax.typed import Part

DEFAULT_SUBQUERY_STEP_MS: Final = 60_000
"""Resolution of `expr[1h:]`; Prometheus takes its global evaluation interval, which is one minute unless configured."""

MAX_PATTERNS: Final = 200
"""Regular expressions in one text; each may take 0.2 s to compile."""

_MATCHING: Final = "label matching"
_SUBQUERY: Final = "subquery selector"


def selector(tokens: Tokens, name: Token | None) -> Part:
    """An instant selector; its name, if it has one, has been taken, and braces may be at hand."""
    start = tokens.current.start if name is None else name.start
    matchers = [] if name is None else [Matcher(NAME_LABEL, MatchOp.EQUAL, name.text)]
    if tokens.at_sign("{"):
        matchers += _matchers(tokens)
    return typed.vector_selector(matchers, "" if name is None else name.text, start)


def modified(tokens: Tokens, part: Part) -> Part:
    """The operand with every range, offset and `@` that follows it."""
    while True:
        if tokens.at_sign("["):
            part = _range(tokens, part)
        elif tokens.at_keyword("offset"):
            part = _offset(tokens, part)
        elif tokens.at_operator("@"):
            part = _timestamp(tokens, part)
        else:
            return part


def _matchers(tokens: Tokens) -> list[Matcher]:
    tokens.take_sign("{")
    matchers: list[Matcher] = []
    while not tokens.at_sign("}"):
        if not tokens.at(Kind.IDENTIFIER):
            raise tokens.unexpected(_MATCHING, 'identifier or "}"')
        label = tokens.take()
        if tokens.current.text not in set(MatchOp):
            raise tokens.unexpected(_MATCHING, "label matching operator")
        operation = MatchOp(tokens.take().text)
        if not tokens.at(Kind.STRING):
            raise tokens.unexpected(_MATCHING, "string")
        matcher = Matcher(label.text, operation, text_of(tokens.current.text))
        _check(tokens, matcher, label)
        matchers.append(matcher)
        tokens.take()
        if tokens.at_sign(","):
            tokens.take()
        elif not tokens.at_sign("}"):
            raise tokens.unexpected(_MATCHING, '"," or "}"')
    tokens.take()
    return matchers


def _check(tokens: Tokens, matcher: Matcher, label: Token) -> None:
    """Refuse a regular expression that cannot be used."""
    if matcher.op not in (MatchOp.REGEX, MatchOp.NOT_REGEX):
        return
    tokens.patterns += 1
    if tokens.patterns > MAX_PATTERNS:
        raise tokens.wrong(label.start, f"the expression has more than {MAX_PATTERNS} regular expressions")
    try:
        check_pattern(matcher.value)
    except BadDataError as error:
        raise tokens.wrong(label.start, f"error parsing regexp: {error.message}") from error


def _range(tokens: Tokens, part: Part) -> Part:
    """`[5m]` or `[5m:1m]`."""
    bracket = tokens.take()
    range_ms = tokens.take_duration()
    if tokens.at_sign(":"):
        tokens.take()
        step_ms = DEFAULT_SUBQUERY_STEP_MS
        if tokens.at(Kind.DURATION):
            step_ms = tokens.take_duration()
            tokens.take_sign("]", _SUBQUERY, '"]"')
        else:
            tokens.take_sign("]", _SUBQUERY, 'duration or "]"')
        return typed.subquery(part, range_ms, step_ms)
    tokens.take_sign("]", "subquery or range", '":" or "]"')
    inner = part.expression
    if not isinstance(inner, VectorSelector) or part.in_parentheses:
        raise tokens.wrong(bracket.start, "ranges only allowed for vector selectors")
    if inner.offset_ms:
        raise tokens.wrong(bracket.start, "no offset modifiers allowed before range")
    if inner.at is not None:
        raise tokens.wrong(bracket.start, "no @ modifiers allowed before range")
    return Part(MatrixSelector(inner, range_ms), ValueType.MATRIX, part.start, problems=part.problems)


def _offset(tokens: Tokens, part: Part) -> Part:
    tokens.take()
    sign = 1
    if tokens.at_operator("-"):
        tokens.take()
        sign = -1
    if not tokens.at(Kind.DURATION):
        raise tokens.unexpected("offset", "duration")
    offset_ms = sign * tokens.take_duration()
    holder = _holder(tokens, part, "offset")
    if holder.offset_ms:
        raise tokens.wrong(part.start, "offset may not be set multiple times")
    return _held(part, replace(holder, offset_ms=offset_ms))


def _timestamp(tokens: Tokens, part: Part) -> Part:
    tokens.take()
    at = _anchor(tokens) if tokens.at(Kind.PREPROCESSOR) else _time(tokens, part)
    holder = _holder(tokens, part, "@")
    if holder.at is not None:
        raise tokens.wrong(part.start, "@ <timestamp> may not be set multiple times")
    return _held(part, replace(holder, at=at))


def _anchor(tokens: Tokens) -> At:
    anchor = AtAnchor.START if tokens.take().word == "start" else AtAnchor.END
    for sign in "()":
        tokens.take_sign(sign, "@", "timestamp")
    return At(anchor)


def _time(tokens: Tokens, part: Part) -> At:
    sign = 1.0
    if tokens.at_operator("+", "-"):
        sign = -1.0 if tokens.take().text == "-" else 1.0
    if not tokens.at(Kind.NUMBER):
        raise tokens.unexpected("@", "timestamp")
    seconds = sign * tokens.take_number()
    if not abs(seconds) < 2.0**63:
        shown = "NaN" if math.isnan(seconds) else f"{'+' if seconds > 0 else '-'}Inf" if math.isinf(seconds) else f"{seconds:f}"
        raise tokens.wrong(part.start, f"timestamp out of bounds for @ modifier: {shown}")
    return At(AtAnchor.TIME, min(max(round(seconds * 1000), -MAX_TIME_MS), MAX_TIME_MS))


def _holder(tokens: Tokens, part: Part, modifier: str) -> VectorSelector | Subquery:
    """What a modifier behind the operand belongs to."""
    expression = part.expression
    if not part.in_parentheses and isinstance(expression, VectorSelector | Subquery):
        return expression
    if not part.in_parentheses and isinstance(expression, MatrixSelector):
        return expression.selector
    told = f"{modifier} modifier must be preceded by an instant vector selector or range vector selector or a subquery"
    raise tokens.wrong(part.start, told)


def _held(part: Part, holder: VectorSelector | Subquery) -> Part:
    """The operand with a modifier that its selector or subquery now holds."""
    if isinstance(part.expression, MatrixSelector) and isinstance(holder, VectorSelector):
        return replace(part, expression=replace(part.expression, selector=holder))
    return replace(part, expression=holder)
