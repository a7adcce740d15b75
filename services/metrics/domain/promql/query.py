"""The two ways to ask: the value of an expression at one time, or at each step of a range.

A query first reads everything it needs, asynchronously, and is then evaluated in one synchronous go: on the event loop when it is
small, in a thread when it is not.
"""

import asyncio
from typing import Final

import numpy as np

from services.common.errors import ResourceExhaustedError
from services.metrics.domain.ports import SeriesData
from services.metrics.domain.promql.errors import BadDataError, QueryTooLargeError
from services.metrics.domain.promql.evaluator import evaluate
from services.metrics.domain.promql.interruption import Interruption
from services.metrics.domain.promql.plan import Fetch, Plan
from services.metrics.domain.promql.rows import to_matrix
from services.metrics.domain.promql.syntax.expressions import Expression, ValueType, is_ordered, value_type
from services.metrics.domain.promql.syntax.parser import parse
from services.metrics.domain.promql.values import (
    DEFAULT_LIMITS,
    IndexArray,
    InstantResult,
    Matrix,
    QueryLimits,
    RangeResult,
    Reader,
    Rows,
    Scalar,
    Text,
    Value,
    Vector,
    Windows,
)

MAX_TIME_MS: Final = 2**53
"""Evaluation times beyond this (285,000 years) are refused; arithmetic on times cannot overflow then."""

_TOO_MANY_SAMPLES: Final = "query processing would load too many samples into memory in query execution"

_THREAD_CELLS: Final = 50_000
"""Above this many samples or cells an evaluation may take milliseconds, and goes to a thread."""


async def evaluate_instant(
    expr: str | Expression, reader: Reader, time_ms: int, *, limits: QueryLimits = DEFAULT_LIMITS
) -> InstantResult:
    """Value of the expression at one time.

    Args:
        expr: text or parsed expression of any type.
        reader: where samples come from.
        time_ms: evaluation time.
        limits: what the query may cost.

    Returns:
        A `Vector`, `Scalar` or `Text`; a range selector on top gives the `Matrix` of its samples. Series come in the order of
        their labels unless the expression gives them another.

    Raises:
        BadDataError: the expression or the time is malformed or not supported.
        ExecutionError: these data have no answer to the expression.
        QueryTooLargeError: a limit is exceeded.
    """
    expression = parse(expr) if isinstance(expr, str) else expr
    value, samples_read = await _run(Plan(expression, time_ms, time_ms, 1), reader, limits)
    match value:
        case Rows():
            here = np.flatnonzero(value.present[:, 0]).tolist()
            if not is_ordered(expression):
                here.sort(key=value.labels.__getitem__)
            labels = [value.labels[i] for i in here]
            return InstantResult(Vector(labels, np.full(len(labels), time_ms, np.int64), value.values[here, 0]), samples_read)
        case Windows():
            return InstantResult(_samples_of(value), samples_read)
        case str():
            return InstantResult(Text(time_ms, value), samples_read)
        case _:
            return InstantResult(Scalar(time_ms, float(value[0])), samples_read)


async def evaluate_range(
    expr: str | Expression,
    reader: Reader,
    start_ms: int,
    end_ms: int,
    step_ms: int,
    *,
    limits: QueryLimits = DEFAULT_LIMITS,
) -> RangeResult:
    """Values of the expression at start, start + step, ... <= end.

    Args:
        expr: text or parsed expression; a scalar or an instant vector.
        reader: where samples come from.
        start_ms: first step.
        end_ms: last possible step, inclusive.
        step_ms: distance of the steps, positive.
        limits: what the query may cost.

    Raises:
        BadDataError: the expression or the range is malformed or not supported, or there are too many steps.
        ExecutionError: these data have no answer to the expression.
        QueryTooLargeError: a limit is exceeded.
    """
    expression = parse(expr) if isinstance(expr, str) else expr
    kind = value_type(expression)
    if kind not in (ValueType.SCALAR, ValueType.VECTOR):
        raise BadDataError(f'invalid expression type "{kind}" for range query, must be Scalar or instant Vector')
    if step_ms <= 0:
        raise BadDataError("zero or negative query resolution step widths are not accepted. Try a positive integer")
    if end_ms < start_ms:
        raise BadDataError("end timestamp must not be before start time")
    if (end_ms - start_ms) // step_ms > limits.max_steps:
        raise BadDataError(
            f"exceeded maximum resolution of {limits.max_steps:,} points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    plan = Plan(expression, start_ms, end_ms, step_ms)
    value, samples_read = await _run(plan, reader, limits)
    if isinstance(value, np.ndarray):
        value = Rows([()], value[None, :], np.ones((1, len(value)), np.bool_))
    if not isinstance(value, Rows):
        raise TypeError(f"a range has no {type(value).__name__}")
    return RangeResult(to_matrix(value, plan.times_ms), samples_read)


async def _run(plan: Plan, reader: Reader, limits: QueryLimits) -> tuple[Value, int]:
    if max(abs(plan.start_ms), abs(plan.end_ms)) > MAX_TIME_MS:
        raise BadDataError("the time of the query is out of bounds")
    data: dict[Fetch, SeriesData] = {}
    samples = cells = 0
    steps = (plan.end_ms - plan.start_ms) // plan.step_ms + 1
    for fetch in plan.fetches():
        left = limits.max_samples - samples
        try:
            found = await reader.select(fetch.matchers, fetch.start_ms, fetch.end_ms, max_samples=left)
        except ResourceExhaustedError as error:
            raise QueryTooLargeError(_TOO_MANY_SAMPLES) from error
        if len(found.values) > left:
            raise QueryTooLargeError(_TOO_MANY_SAMPLES)
        if len(found.labels) > limits.max_series:
            raise QueryTooLargeError(f"a selector of the query matches more than {limits.max_series:,} series")
        data[fetch] = found
        samples += len(found.values)
        cells += len(found.labels) * steps
    if samples + cells <= _THREAD_CELLS:
        return evaluate(plan, data, limits, _go_on), samples
    interruption = Interruption()
    try:
        return await asyncio.to_thread(evaluate, plan, data, limits, interruption.checkpoint), samples
    except asyncio.CancelledError:
        # The caller has gone or its time is up. A thread cannot be ended from outside, so it is told.
        interruption.demand()
        raise


def _go_on() -> None:
    """The checkpoint of work that is over before anybody could interrupt it."""


def _samples_of(windows: Windows) -> Matrix:
    """The samples in the only window of each series, series in the order of their labels."""
    order = sorted(range(len(windows.labels)), key=windows.labels.__getitem__)
    low, counts = windows.low[order, 0], windows.counts[order, 0]
    offsets: IndexArray = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    index = np.arange(offsets[-1]) + np.repeat(low - offsets[:-1], counts)
    return Matrix([windows.labels[i] for i in order], offsets, windows.timestamps_ms[index], windows.values[index])
