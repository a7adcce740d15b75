"""What each function takes and gives. Source: Prometheus 2.42, `promql/parser/functions.go`; `sort_by_label` from 2.49 on."""

from dataclasses import dataclass
from typing import Final

from services.metrics.domain.promql.syntax.expressions import ValueType

_SCALAR, _VECTOR, _MATRIX, _STRING = ValueType.SCALAR, ValueType.VECTOR, ValueType.MATRIX, ValueType.STRING


@dataclass(frozen=True, slots=True)
class Signature:
    """Types of the arguments; the last may be left out or repeated.

    Attributes:
        arguments: types in order; what comes after the last has its type.
        least: how many must be given.
        most: how many may be given; None for any number.
        result: type of the value.
    """

    arguments: tuple[ValueType, ...]
    least: int
    most: int | None
    result: ValueType

    def type_of(self, index: int) -> ValueType:
        """Type of an argument."""
        return self.arguments[min(index, len(self.arguments) - 1)]


def _fixed(*arguments: ValueType, result: ValueType = _VECTOR) -> Signature:
    return Signature(arguments, len(arguments), len(arguments), result)


_OPTIONAL_VECTOR: Final = Signature((_VECTOR,), 0, 1, _VECTOR)
_OF_MATRIX: Final = (
    "absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase", "irate", "last_over_time",
    "max_over_time", "min_over_time", "present_over_time", "rate", "resets", "stddev_over_time", "stdvar_over_time", "sum_over_time",
)  # fmt: skip
_OF_VECTOR: Final = (
    "abs", "absent", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg", "exp", "floor", "ln", "log10",
    "log2", "rad", "sgn", "sin", "sinh", "sort", "sort_desc", "sqrt", "tan", "tanh", "timestamp",
)  # fmt: skip
_OF_TIME: Final = ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year")

SIGNATURES: Final = {
    **dict.fromkeys(_OF_MATRIX, _fixed(_MATRIX)),
    **dict.fromkeys(_OF_VECTOR, _fixed(_VECTOR)),
    **dict.fromkeys(_OF_TIME, _OPTIONAL_VECTOR),
    "clamp": _fixed(_VECTOR, _SCALAR, _SCALAR),
    "clamp_max": _fixed(_VECTOR, _SCALAR),
    "clamp_min": _fixed(_VECTOR, _SCALAR),
    "histogram_quantile": _fixed(_SCALAR, _VECTOR),
    "holt_winters": _fixed(_MATRIX, _SCALAR, _SCALAR),
    "label_join": Signature((_VECTOR, _STRING), 3, None, _VECTOR),
    "label_replace": _fixed(_VECTOR, _STRING, _STRING, _STRING, _STRING),
    "pi": _fixed(result=_SCALAR),
    "predict_linear": _fixed(_MATRIX, _SCALAR),
    "quantile_over_time": _fixed(_SCALAR, _MATRIX),
    "round": Signature((_VECTOR, _SCALAR), 1, 2, _VECTOR),
    "scalar": _fixed(_VECTOR, result=_SCALAR),
    "sort_by_label": Signature((_VECTOR, _STRING), 1, None, _VECTOR),
    "sort_by_label_desc": Signature((_VECTOR, _STRING), 1, None, _VECTOR),
    "time": _fixed(result=_SCALAR),
    "vector": _fixed(_SCALAR),
}

NATIVE_HISTOGRAM_FUNCTIONS: Final = frozenset(
    {"histogram_avg", "histogram_count", "histogram_fraction", "histogram_stddev", "histogram_stdvar", "histogram_sum"}
)
"""Known, and refused: their samples cannot be stored."""
