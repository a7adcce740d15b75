"""Binary operators on numbers and vectors; pairing of two vectors is in `matching`."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from services.metrics.domain.ports import MaskArray, ValueArray
from services.metrics.domain.promql.rows import merge_same
from services.metrics.domain.promql.syntax.expressions import Binary
from services.metrics.domain.promql.values import Grid, Rows, without_name

ARITHMETIC: Final[Mapping[str, Callable[[ValueArray, ValueArray], ValueArray]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISONS: Final[Mapping[str, Callable[[ValueArray, ValueArray], MaskArray]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
SET_OPERATORS: Final = frozenset({"and", "or", "unless"})


def apply(node: Binary, left: ValueArray, right: ValueArray, kept: ValueArray) -> Grid:
    """Values of the operator, and where a comparison keeps them.

    Args:
        node: operator, and whether a comparison gives 0 and 1.
        left: left operand.
        right: right operand; the shapes broadcast.
        kept: what a comparison that filters passes on where it holds.
    """
    if node.operator in ARITHMETIC:
        values = ARITHMETIC[node.operator](left, right)
        return values, np.ones(values.shape, np.bool_)
    holds = COMPARISONS[node.operator](left, right)
    if node.return_bool:
        return holds.astype(np.float64), np.ones(holds.shape, np.bool_)
    return np.broadcast_to(kept, holds.shape), holds


def drops_name(node: Binary) -> bool:
    """Whether the result measures something else than the operands: arithmetic and `bool` do."""
    return node.operator in ARITHMETIC or node.return_bool


def scalar_scalar(node: Binary, left: ValueArray, right: ValueArray) -> ValueArray:
    """Two numbers, f64[steps] each; comparisons among them always give 0 and 1."""
    return apply(node, left, right, left)[0]


def vector_scalar(node: Binary, left: Rows | ValueArray, right: Rows | ValueArray) -> Rows:
    """A vector and a number, in either order; a comparison passes on the vector's value."""
    if isinstance(left, Rows) and not isinstance(right, Rows):
        rows, (values, kept) = left, apply(node, left.values, right, left.values)
    elif isinstance(right, Rows) and not isinstance(left, Rows):
        rows, (values, kept) = right, apply(node, left, right.values, right.values)
    else:
        raise TypeError("needs one vector and one number")
    labels = [without_name(series) for series in rows.labels] if drops_name(node) else rows.labels
    return merge_same(labels, values, rows.present & kept)
