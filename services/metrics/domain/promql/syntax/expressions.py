"""PromQL expressions as values: what `parse` gives and the evaluator walks.

Every node is frozen and hashable. Durations and times are milliseconds. Parentheses leave no node.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from services.metrics.domain.ports import Matcher

Matchers: TypeAlias = tuple[Matcher, ...]


class AtAnchor(StrEnum):
    """What the `@` modifier points at."""

    START = "start()"
    END = "end()"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class At:
    """The `@` modifier; `time_ms` counts for `AtAnchor.TIME` only."""

    anchor: AtAnchor
    time_ms: int = 0


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class StringLiteral:
    """A string."""

    value: str


@dataclass(frozen=True, slots=True)
class VectorSelector:
    """The newest sample of each matching series; a positive offset looks back."""

    matchers: Matchers
    offset_ms: int = 0
    at: At | None = None


@dataclass(frozen=True, slots=True)
class MatrixSelector:
    """All samples of each matching series in a window that ends at the evaluation time."""

    selector: VectorSelector
    range_ms: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression evaluated at the aligned steps of a window."""

    expr: "Expression"
    range_ms: int
    step_ms: int
    offset_ms: int = 0
    at: At | None = None


@dataclass(frozen=True, slots=True)
class Negation:
    """Unary minus."""

    expr: "Expression"


class Cardinality(StrEnum):
    """How many series of each side may share one match group."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "group_left"
    ONE_TO_MANY = "group_right"
    MANY_TO_MANY = "many-to-many"


@dataclass(frozen=True, slots=True)
class Matching:
    """How a binary operator pairs the series of two vectors.

    Attributes:
        on: pair by `labels`; otherwise by all labels but these and the name.
        include: labels that `group_left` or `group_right` copies from the "one" side.
    """

    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    on: bool = False
    labels: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary operator, named by its sign (`+`, `>=`, `and`, ...)."""

    operator: str
    left: "Expression"
    right: "Expression"
    return_bool: bool = False
    matching: Matching = Matching()


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An aggregation; `without` says what `labels` mean."""

    operator: str
    expr: "Expression"
    parameter: "Expression | None" = None
    without: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A function call."""

    function: str
    arguments: tuple["Expression", ...]


Expression: TypeAlias = (
    NumberLiteral | StringLiteral | VectorSelector | MatrixSelector | Subquery | Negation | Binary | Aggregation | Call
)


class ValueType(StrEnum):
    """Type of an expression, as error messages call it."""

    SCALAR = "scalar"
    VECTOR = "instant vector"
    MATRIX = "range vector"
    STRING = "string"


def value_type(expression: Expression) -> ValueType:
    """The type that the expression evaluates to."""
    match expression:
        case NumberLiteral():
            return ValueType.SCALAR
        case StringLiteral():
            return ValueType.STRING
        case MatrixSelector() | Subquery():
            return ValueType.MATRIX
        case Negation(expr=inner):
            return value_type(inner)
        case Binary(left=left, right=right):
            both_scalar = value_type(left) is ValueType.SCALAR and value_type(right) is ValueType.SCALAR
            return ValueType.SCALAR if both_scalar else ValueType.VECTOR
        case Call(function="time" | "scalar" | "pi"):
            return ValueType.SCALAR
        case _:
            return ValueType.VECTOR


def is_ordered(expression: Expression) -> bool:
    """Whether the series of an instant answer stand in an order that the expression gives them."""
    match expression:
        case Call(function="sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc"):
            return True
        case Aggregation(operator="topk" | "bottomk"):
            return True
        case Negation(expr=inner):
            return is_ordered(inner)
        case Call(arguments=arguments):
            return any(is_ordered(argument) for argument in arguments)
        case Binary(operator=operator, left=left, right=right) if operator != "or":
            return is_ordered(left) or is_ordered(right)
        case _:
            return False


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly below; a range selector counts as a leaf."""
    match expression:
        case Subquery(expr=inner) | Negation(expr=inner):
            return (inner,)
        case Binary(left=left, right=right):
            return (left, right)
        case Aggregation(expr=inner, parameter=parameter):
            return (inner,) if parameter is None else (parameter, inner)
        case Call(arguments=arguments):
            return arguments
        case _:
            return ()
