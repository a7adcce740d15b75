"""What a rule's PromQL expression reads, and how to ask whether its data is there.

A rule's result holds only the series for which the condition is true. A series that is not in it either has data that say
"false" or has no data; these two must not be confused. `presence` turns the expression into one that has a series wherever
there is data to judge by: a comparison with a number is left out (`cpu > 90` → `cpu`), so its value is the current figure, and
any other comparison becomes `bool`, which returns 0 where the filter would drop (`used > limit` → `used > bool limit`).
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import promql_parser

from services.common.errors import FieldError, InvalidArgumentError

COMPARISONS: Final = frozenset({">", ">=", "<", "<=", "==", "!="})
_MIRRORED: Final = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
# Of these the result holds a series because there is none, or names it by its value: what is not in it was judged and is false.
_JUDGED_WITHOUT_DATA: Final = frozenset({"absent", "absent_over_time", "count_values"})
_LABELLING: Final = frozenset({"label_replace", "label_join"})
_SELECTING: Final = frozenset({"topk", "bottomk", "limitk"})


@dataclass(frozen=True)
class Threshold:
    """The comparison that a rule makes: value `op` limit."""

    op: str
    limit: float


@dataclass(frozen=True)
class Expression:
    """One parsed expression.

    `metrics` are the names of the metrics it reads; None when it selects by pattern and may read any. `made_labels` are the labels
    that it may put on a series; for each series of its result there is one among those it reads that bears all others. `presence` is None when a
    series that is not in the result is always one whose condition is false.
    """

    text: str
    metrics: frozenset[str] | None
    made_labels: frozenset[str]
    presence: str | None
    threshold: Threshold | None


def parse_expression(text: str, field: str = "expr") -> Expression:
    """Parses `text`.

    Raises:
        InvalidArgumentError: with reason BAD_DATA and the field when it is not PromQL.
    """
    try:
        node = promql_parser.parse(text)
    except ValueError as error:
        message = f"is not PromQL: {error}"
        raise InvalidArgumentError(f"{field} {message}", reason="BAD_DATA", fields=[FieldError(field, message)]) from error
    nodes = list(_walk(node))
    names = [_metric_name(n) for n in nodes if isinstance(n, promql_parser.VectorSelector)]
    judged = any(_operation(n) in _JUDGED_WITHOUT_DATA for n in nodes)
    return Expression(
        text=text,
        metrics=None if None in names else frozenset(name for name in names if name is not None),
        made_labels=frozenset(label for n in nodes for label in _made_labels(n)),
        presence=None if judged else _presence(node),
        threshold=_threshold(node),
    )


def _walk(node: Any) -> Any:
    yield node
    for child in _children(node):
        yield from _walk(child)


def _children(node: Any) -> list[Any]:
    if isinstance(node, promql_parser.BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, promql_parser.AggregateExpr):
        return [node.expr] if node.param is None else [node.expr, node.param]
    if isinstance(node, promql_parser.Call):
        return list(node.args)
    if isinstance(node, promql_parser.MatrixSelector):
        return [node.vector_selector]
    if isinstance(node, promql_parser.UnaryExpr | promql_parser.ParenExpr | promql_parser.SubqueryExpr):
        return [node.expr]
    return []


def _operation(node: Any) -> str:
    if isinstance(node, promql_parser.Call):
        return str(node.func.name)
    if isinstance(node, promql_parser.AggregateExpr | promql_parser.BinaryExpr):
        return str(node.op)
    return ""


def _metric_name(selector: Any) -> str | None:
    if selector.name:
        return str(selector.name)
    for matcher in selector.matchers.matchers:
        if matcher.name == "__name__" and str(matcher.op) == "MatchOp.Equal":
            return str(matcher.value)
    return None


def _made_labels(node: Any) -> list[str]:
    """Names of labels that a result has from elsewhere than the series that it stands for."""
    if isinstance(node, promql_parser.BinaryExpr) and node.modifier is not None:
        return list(node.modifier.group_labels or ())  # `group_left (…)`: from the series of the other side
    operation = _operation(node)
    if operation in _LABELLING:
        return [_text(node.args[1])]
    return [_text(node.param)] if operation == "count_values" else []


def _text(node: Any) -> str:
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    return str(node.val)


def _number(node: Any) -> float | None:
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    if isinstance(node, promql_parser.UnaryExpr):
        inner = _number(node.expr)
        return None if inner is None else -inner
    return float(node.val) if isinstance(node, promql_parser.NumberLiteral) else None


def _is_filter(node: Any) -> bool:
    if not isinstance(node, promql_parser.BinaryExpr) or str(node.op) not in COMPARISONS:
        return False
    return node.modifier is None or not node.modifier.return_bool


def _threshold(node: Any) -> Threshold | None:
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    if not _is_filter(node):
        return None
    left, right = _number(node.lhs), _number(node.rhs)
    if right is not None:
        return Threshold(str(node.op), right)
    return None if left is None else Threshold(_MIRRORED[str(node.op)], left)


def _presence(node: Any) -> str:
    """Text of the expression in which nothing is dropped for its value."""
    operation = _operation(node)
    if isinstance(node, promql_parser.VectorSelector | promql_parser.MatrixSelector):
        return str(node).replace("{}", "", 1)  # as people write a selector without matchers
    if isinstance(node, promql_parser.BinaryExpr):
        left, right = _presence(node.lhs), _presence(node.rhs)
        if operation == "unless":
            return left
        if _is_filter(node):
            if _number(node.rhs) is not None:
                return left
            if _number(node.lhs) is not None:
                return right
            return f"({left}) {operation} bool {_modifier(node)} ({right})"
        return f"({left}) {operation} {node.modifier or ''} ({right})"
    if isinstance(node, promql_parser.AggregateExpr):
        inner = _presence(node.expr)
        if operation in _SELECTING:
            return inner
        argument = inner if node.param is None else f"{node.param}, {inner}"
        return f"{operation} {node.modifier or ''} ({argument})"
    if isinstance(node, promql_parser.Call):
        return f"{operation}({', '.join(_presence(argument) for argument in node.args)})"
    if isinstance(node, promql_parser.ParenExpr):
        return f"({_presence(node.expr)})"
    if isinstance(node, promql_parser.UnaryExpr):
        return f"-({_presence(node.expr)})"
    if isinstance(node, promql_parser.SubqueryExpr):
        window = re.search(r"\[[^\[\]]*\][^\])]*$", str(node))
        return f"({_presence(node.expr)}){window.group() if window else ''}"
    return str(node)


def _modifier(node: Any) -> str:
    """`on (…) group_left (…)` of a binary operator, without its `bool`."""
    return re.sub(r"^\s*bool\b", "", str(node.modifier)) if node.modifier is not None else ""
