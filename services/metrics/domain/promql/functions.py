"""The functions of PromQL by name. Those that look at their argument's text rather than its value are in the evaluator."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from services.metrics.domain.ports import MaskArray, TimeArray, ValueArray
from services.metrics.domain.promql import label_functions, over_time, rates
from services.metrics.domain.promql.errors import BadDataError, ExecutionError
from services.metrics.domain.promql.histogram import histogram_quantile
from services.metrics.domain.promql.math_functions import CALENDAR, ELEMENTWISE, clamp
from services.metrics.domain.promql.patterns import check_pattern
from services.metrics.domain.promql.rows import compact, merge_same, unique
from services.metrics.domain.promql.smoothing import holt_winters
from services.metrics.domain.promql.values import Checkpoint, Grid, Rows, Value, Windows, without_name

OVER_TIME: Final[Mapping[str, Callable[..., ValueArray]]] = {
    "sum_over_time": over_time.sum_over_time,
    "avg_over_time": over_time.avg_over_time,
    "min_over_time": over_time.min_over_time,
    "max_over_time": over_time.max_over_time,
    "count_over_time": over_time.count_over_time,
    "last_over_time": over_time.last_over_time,
    "present_over_time": over_time.present_over_time,
    "stddev_over_time": over_time.stddev_over_time,
    "stdvar_over_time": over_time.stdvar_over_time,
    "quantile_over_time": over_time.quantile_over_time,
    "changes": over_time.changes,
    "resets": over_time.resets,
}
"""Functions that have a value for every window with a sample."""

RATES: Final[Mapping[str, Callable[..., Grid]]] = {
    "rate": rates.rate,
    "increase": rates.increase,
    "delta": rates.delta,
    "irate": rates.irate,
    "idelta": rates.idelta,
    "deriv": rates.deriv,
    "predict_linear": rates.predict_linear,
    "holt_winters": holt_winters,
}
"""Functions that have a value for every window with two samples."""

_VECTOR_FUNCTIONS: Final = frozenset({"clamp", "label_replace", "label_join", "histogram_quantile"})
SORTING: Final = frozenset({"sort", "sort_desc", "sort_by_label", "sort_by_label_desc"})
_SCALAR_FUNCTIONS: Final = frozenset({"time", "pi", "scalar", "vector"})
SYNTACTIC: Final = frozenset({"absent", "absent_over_time", "timestamp"})

FUNCTIONS: Final = (
    frozenset(OVER_TIME) | frozenset(RATES) | frozenset(ELEMENTWISE) | frozenset(CALENDAR)
    | SORTING | _VECTOR_FUNCTIONS | _SCALAR_FUNCTIONS | SYNTACTIC
)  # fmt: skip


def call(name: str, arguments: Sequence[Value], times_ms: TimeArray, checkpoint: Checkpoint) -> Value:
    """Value of a function at each time.

    Args:
        name: one of `FUNCTIONS` but not of `SYNTACTIC`.
        arguments: of the types that the parser has checked.
        times_ms: i64[steps].
        checkpoint: called between parts of long work.

    Raises:
        ExecutionError: an argument has an impossible value, or the result would have one label set twice.
    """
    windows = next((argument for argument in arguments if isinstance(argument, Windows)), None)
    if windows is not None:
        return _of_windows(name, windows, _numbers(arguments), checkpoint)
    rows = next((argument for argument in arguments if isinstance(argument, Rows)), None)
    if rows is not None:
        return _of_rows(name, rows, arguments)
    if name in CALENDAR:
        return _one_row(CALENDAR[name]((times_ms / 1000.0)[None, :]))
    match name:
        case "time":
            return times_ms / 1000.0
        case "pi":
            return np.full(len(times_ms), np.pi)
        case "vector":
            return _one_row(_numbers(arguments)[0][None, :])
    raise TypeError(f"{name} is not a function of {len(arguments)} numbers")


def _of_windows(name: str, windows: Windows, numbers: Sequence[ValueArray], checkpoint: Checkpoint) -> Rows:
    values, present = np.empty(windows.low.shape), np.empty(windows.low.shape, np.bool_)
    for rows, part in windows.parts():
        checkpoint()
        if name in RATES:
            values[rows], present[rows] = RATES[name](part, *numbers)
        else:
            values[rows], present[rows] = OVER_TIME[name](part, *numbers), part.counts > 0
    labels = windows.labels if name == "last_over_time" else [without_name(series) for series in windows.labels]
    return unique(compact(labels, values, present))


def _of_rows(name: str, rows: Rows, arguments: Sequence[Value]) -> Value:
    numbers, texts = _numbers(arguments), [argument for argument in arguments if isinstance(argument, str)]
    match name:
        case "scalar":
            alone = rows.present.sum(axis=0) == 1
            return np.where(alone, np.where(rows.present, rows.values, 0.0).sum(axis=0), np.nan)
        case "sort" | "sort_desc":
            return _sorted(rows, descending=name == "sort_desc")
        case "sort_by_label" | "sort_by_label_desc":
            return _sorted_by_label(rows, texts, descending=name == "sort_by_label_desc")
        case "label_replace":
            return _label_replace(rows, *texts)
        case "label_join":
            target, separator, *sources = texts
            for label in sources:
                label_functions.check_label_name(label, "invalid source label name in label_join(): {}")
            label_functions.check_label_name(target, "invalid destination label name in label_join(): {}")
            return merge_same(label_functions.join(rows.labels, target, separator, sources), rows.values, rows.present)
        case "histogram_quantile":
            return histogram_quantile(numbers[0], rows)
        case "clamp":
            lowest, highest = numbers
            return _nameless(rows, clamp(rows.values, lowest, highest), possible=~(lowest > highest))
        case _:
            function = CALENDAR[name] if name in CALENDAR else ELEMENTWISE[name]
            return _nameless(rows, function(rows.values, *numbers))


def _label_replace(rows: Rows, target: str, template: str, source: str, pattern: str) -> Rows:
    try:
        compiled = check_pattern(pattern)
    except BadDataError as error:
        raise ExecutionError(f"invalid regular expression in label_replace(): {pattern}") from error
    label_functions.check_label_name(target, "invalid destination label name in label_replace(): {}")
    labels = label_functions.replace(rows.labels, target, template, source, compiled)
    return merge_same(labels, rows.values, rows.present)


def _nameless(rows: Rows, values: ValueArray, possible: MaskArray | bool = True) -> Rows:
    """New values under the labels without the name; `possible` bool[steps] takes whole steps away."""
    return merge_same([without_name(series) for series in rows.labels], values, rows.present & possible)


def _sorted(rows: Rows, *, descending: bool) -> Rows:
    """Ordered by value with NaN last; a range has no order of series, so several steps stay as they are."""
    if rows.values.shape[1] != 1:
        return rows
    values = rows.values[:, 0]
    order = np.lexsort((-values if descending else values, np.isnan(values)))
    return Rows([rows.labels[i] for i in order], rows.values[order], rows.present[order])


def _sorted_by_label(rows: Rows, names: Sequence[str], *, descending: bool) -> Rows:
    """Ordered by the values of labels, numbers in them by size; then by all labels."""
    if rows.values.shape[1] != 1:
        return rows
    keys = [label_functions.sorting_key(labels, names) for labels in rows.labels]
    order = sorted(range(len(keys)), key=keys.__getitem__, reverse=descending)
    return Rows([rows.labels[i] for i in order], rows.values[order], rows.present[order])


def _one_row(values: ValueArray) -> Rows:
    return Rows([()], values, np.ones(values.shape, np.bool_))


def _numbers(arguments: Sequence[Value]) -> list[ValueArray]:
    return [argument for argument in arguments if isinstance(argument, np.ndarray)]
