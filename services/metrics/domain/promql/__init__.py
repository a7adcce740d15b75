"""PromQL over numpy: parse, plan, read, evaluate.

Semantics are those of Prometheus 2.x (compared with 2.42): range selectors are closed at both ends, an instant selector takes the
newest sample of the last 5 minutes, both ends included, unless a staleness marker came after it. `docs/promql.md` says what is
supported; the rest is refused with `BadDataError`.
"""

from services.metrics.domain.promql.errors import BadDataError, ExecutionError, QueryCancelledError, QueryTooLargeError
from services.metrics.domain.promql.plan import SelectorUse, selectors_of
from services.metrics.domain.promql.query import evaluate_instant, evaluate_range
from services.metrics.domain.promql.syntax.expressions import Expression, ValueType, value_type
from services.metrics.domain.promql.syntax.parser import parse, parse_selector
from services.metrics.domain.promql.values import (
    LOOKBACK_MS,
    InstantResult,
    Matrix,
    QueryLimits,
    RangeResult,
    Reader,
    Scalar,
    Text,
    Vector,
)

__all__ = [
    "LOOKBACK_MS",
    "BadDataError",
    "ExecutionError",
    "Expression",
    "InstantResult",
    "Matrix",
    "QueryCancelledError",
    "QueryLimits",
    "QueryTooLargeError",
    "RangeResult",
    "Reader",
    "Scalar",
    "SelectorUse",
    "Text",
    "ValueType",
    "Vector",
    "evaluate_instant",
    "evaluate_range",
    "parse",
    "parse_selector",
    "selectors_of",
    "value_type",
]
