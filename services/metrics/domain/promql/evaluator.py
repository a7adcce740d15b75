"""From a plan and its samples to values: synchronous, pure, all series and all steps at once."""

from collections.abc import Mapping

import numpy as np

from services.metrics.domain.ports import NAME_LABEL, Labels, MaskArray, MatchOp, SeriesData, TimeArray, ValueArray
from services.metrics.domain.promql import functions, operators
from services.metrics.domain.promql.aggregation import aggregate, check_count
from services.metrics.domain.promql.errors import QueryTooLargeError
from services.metrics.domain.promql.matching import set_operation, vector_vector
from services.metrics.domain.promql.plan import Fetch, Plan
from services.metrics.domain.promql.rows import compact, to_matrix, unique
from services.metrics.domain.promql.syntax.expressions import (
    Aggregation,
    Binary,
    Call,
    Expression,
    MatrixSelector,
    Negation,
    NumberLiteral,
    StringLiteral,
    Subquery,
    VectorSelector,
)
from services.metrics.domain.promql.values import LOOKBACK_MS, Checkpoint, Matrix, QueryLimits, Rows, Value, Windows, without_name
from services.metrics.domain.promql.windows import is_stale, positions


def evaluate(plan: Plan, data: Mapping[Fetch, SeriesData], limits: QueryLimits, checkpoint: Checkpoint) -> Value:
    """Value of the plan's expression at its steps.

    Args:
        plan: what to evaluate.
        data: the samples of each of `plan.fetches()`.
        limits: bound of every intermediate result.
        checkpoint: called between parts of the work.

    Raises:
        ExecutionError: a parameter has an impossible value, two series have the same labels, or vectors cannot be matched.
        QueryTooLargeError: an intermediate result has more than `limits.max_cells` cells.
    """
    with np.errstate(all="ignore"):
        return _Evaluation(plan, data, limits, checkpoint).value(plan.expression, plan.times_ms)


class _Evaluation:
    """One walk over an expression. A subquery brings times of its own, so that they are passed along."""

    def __init__(self, plan: Plan, data: Mapping[Fetch, SeriesData], limits: QueryLimits, checkpoint: Checkpoint) -> None:
        self._plan = plan
        self._data = data
        self._limits = limits
        self._checkpoint = checkpoint

    def value(self, node: Expression, times: TimeArray) -> Value:
        """Value of any expression at the times."""
        self._checkpoint()
        match node:
            case NumberLiteral(value=number):
                return np.full(len(times), number)
            case StringLiteral(value=text):
                return text
            case VectorSelector():
                return self._newest(node, times)[0]
            case MatrixSelector():
                return self._windows(node, times)
            case Subquery():
                return self._subquery(node, times)
            case Negation(expr=inner):
                value = self.value(inner, times)
                if isinstance(value, Rows):
                    return unique(Rows([without_name(labels) for labels in value.labels], -value.values, value.present))
                return -_number(value)
            case Binary():
                return self._binary(node, times)
            case Aggregation():
                return self._aggregation(node, times)
            case Call():
                return self._call(node, times)

    def _rows(self, node: Expression, times: TimeArray) -> Rows:
        value = self.value(node, times)
        if not isinstance(value, Rows):
            raise TypeError(f"an instant vector is expected, not {type(value).__name__}")
        return value

    def _newest(self, node: VectorSelector, times: TimeArray) -> tuple[Rows, TimeArray]:
        """The newest sample of each series, and the time of each, i64[n, steps]."""
        data = self._data[self._plan.fetch_of(node, int(times[0]), int(times[-1]))]
        self._check_size(len(data.labels), len(times))
        reference = self._reference(times, node.offset_ms, node)
        place = positions(data.offsets, data.timestamps_ms, reference, after_equal=True) - 1
        found = place >= data.offsets[:-1, None]
        place = np.where(found, place, 0)
        if len(data.values) == 0:
            return Rows.empty(len(times)), np.empty((0, len(times)), np.int64)
        values, stamps = data.values[place], data.timestamps_ms[place]
        present = found & (stamps >= reference - LOOKBACK_MS) & ~is_stale(values)
        used = present.any(axis=1)
        return compact(data.labels, values, present), stamps[used]

    def _windows(self, node: MatrixSelector, times: TimeArray) -> Windows:
        data = self._data[self._plan.fetch_of(node, int(times[0]), int(times[-1]))]
        samples = Matrix(data.labels, data.offsets, data.timestamps_ms, data.values)
        stale = is_stale(data.values)
        if stale.any():
            kept = np.concatenate(([0], np.cumsum(~stale)))
            samples = Matrix(data.labels, kept[data.offsets], data.timestamps_ms[~stale], data.values[~stale])
        return self._cut(samples, times, self._reference(times, node.selector.offset_ms, node.selector), node.range_ms)

    def _subquery(self, node: Subquery, times: TimeArray) -> Windows:
        first, last = self._plan.subquery_bounds(node, int(times[0]), int(times[-1]))
        self._check_size(1, max(last - first, 0) // node.step_ms)
        steps = np.arange(first, last + 1, node.step_ms, dtype=np.int64)
        rows = self._rows(node.expr, steps) if len(steps) else Rows.empty(0)
        return self._cut(to_matrix(rows, steps), times, self._reference(times, node.offset_ms, node), node.range_ms)

    def _cut(self, samples: Matrix, times: TimeArray, ends: TimeArray, range_ms: int) -> Windows:
        """Samples and their windows; series without a sample in any window are left out."""
        self._check_size(len(samples.labels), len(times))
        starts = ends - range_ms
        low = positions(samples.offsets, samples.timestamps_ms, starts, after_equal=False)
        high = positions(samples.offsets, samples.timestamps_ms, ends, after_equal=True)
        used = (high > low).any(axis=1)
        labels = samples.labels
        if not used.all():
            labels, low, high = [labels[i] for i in np.flatnonzero(used).tolist()], low[used], high[used]
        return Windows(labels, samples.timestamps_ms, samples.values, low, high, starts, ends, times)

    def _reference(self, times: TimeArray, offset_ms: int, node: VectorSelector | Subquery) -> TimeArray:
        """The times moved by offset and `@`."""
        return (times if node.at is None else np.full_like(times, self._plan.anchor(node.at))) - offset_ms

    def _binary(self, node: Binary, times: TimeArray) -> Value:
        left, right = self.value(node.left, times), self.value(node.right, times)
        if isinstance(left, Rows) and isinstance(right, Rows):
            if node.operator in operators.SET_OPERATORS:
                return set_operation(node, left, right)
            return vector_vector(node, left, right, max_cells=self._limits.max_cells)
        if isinstance(left, Rows):
            return operators.vector_scalar(node, left, _number(right))
        if isinstance(right, Rows):
            return operators.vector_scalar(node, _number(left), right)
        return operators.scalar_scalar(node, _number(left), _number(right))

    def _aggregation(self, node: Aggregation, times: TimeArray) -> Rows:
        parameter = None if node.parameter is None else self.value(node.parameter, times)
        if node.operator in ("topk", "bottomk"):
            check_count(_number(parameter))
        return aggregate(node, self._rows(node.expr, times), parameter, max_cells=self._limits.max_cells)

    def _call(self, node: Call, times: TimeArray) -> Value:
        if node.function in ("absent", "absent_over_time"):
            return self._absent(node.arguments[0], times)
        if node.function == "timestamp":
            return self._timestamp(node.arguments[0], times)
        return functions.call(node.function, [self.value(argument, times) for argument in node.arguments], times, self._checkpoint)

    def _timestamp(self, node: Expression, times: TimeArray) -> Rows:
        """Times of the samples themselves below a selector, of the evaluation below anything else; seconds."""
        if isinstance(node, VectorSelector):
            rows, stamps = self._newest(node, times)
        else:
            rows = self._rows(node, times)
            stamps = np.broadcast_to(times, rows.values.shape)
        return unique(Rows([without_name(labels) for labels in rows.labels], stamps / 1000.0, rows.present))

    def _absent(self, node: Expression, times: TimeArray) -> Rows:
        """1 at the steps at which there is nothing, under the labels that the selector asks for."""
        value = self.value(node, times)
        found: MaskArray = value.counts > 0 if isinstance(value, Windows) else _present(value)
        missing = ~np.logical_or.reduce(found, axis=0, keepdims=True)
        return compact([_asked_labels(node)], np.ones(missing.shape), missing)

    def _check_size(self, series: int, steps: int) -> None:
        if series * steps > self._limits.max_cells:
            raise QueryTooLargeError(
                f"query processing would make more than {self._limits.max_cells:,} samples at once; ask for fewer steps or series"
            )


def _asked_labels(node: Expression) -> Labels:
    """Labels that a selector fixes by equality, once each; none below anything but a selector."""
    selector = node.selector if isinstance(node, MatrixSelector) else node
    if not isinstance(selector, VectorSelector):
        return ()
    names = [matcher.name for matcher in selector.matchers]
    return tuple(
        sorted(
            (matcher.name, matcher.value)
            for matcher in selector.matchers
            if matcher.op is MatchOp.EQUAL and matcher.value and matcher.name != NAME_LABEL and names.count(matcher.name) == 1
        )
    )


def _present(value: Value) -> MaskArray:
    if not isinstance(value, Rows):
        raise TypeError(f"a vector is expected, not {type(value).__name__}")
    return value.present


def _number(value: Value | None) -> ValueArray:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"a number is expected, not {type(value).__name__}")
    return value
