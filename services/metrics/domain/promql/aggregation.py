"""Aggregations: `sum by (role) (...)` and its kin, over all steps at once."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from services.metrics.domain.ports import NAME_LABEL, Labels, MaskArray, ValueArray
from services.metrics.domain.promql.errors import ExecutionError, QueryTooLargeError
from services.metrics.domain.promql.label_functions import check_label_name, with_label
from services.metrics.domain.promql.over_time import quantiles_of_sorted
from services.metrics.domain.promql.rows import compact, group_by_key
from services.metrics.domain.promql.syntax.expressions import Aggregation
from services.metrics.domain.promql.values import IndexArray, Rows, Value


def aggregate(node: Aggregation, rows: Rows, parameter: Value | None, *, max_cells: int) -> Rows:
    """Value of the aggregation.

    Args:
        node: operator and grouping.
        rows: what is aggregated.
        parameter: f64[steps] for topk, bottomk and quantile, a string for count_values.
        max_cells: bound of groups x steps; count_values may make as many groups as there are values.

    Raises:
        ExecutionError: count_values was given a label name that cannot be one.
        QueryTooLargeError: the result has more than `max_cells` cells.
    """
    if node.operator == "count_values":
        check_label_name(str(parameter), 'invalid label name "{}"')
        return _count_values(node, rows, str(parameter), max_cells)
    keys, group = group_by_key(_group_key(node, labels) for labels in rows.labels)
    if not keys:
        return Rows.empty(rows.values.shape[1])
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(keys)))
    if isinstance(parameter, np.ndarray) and node.operator in ("topk", "bottomk"):
        return _extremes(rows, order, starts, parameter, largest=node.operator == "topk")
    values, present = rows.values[order], rows.present[order]
    if isinstance(parameter, np.ndarray):
        result = _quantile(values, present, starts, parameter)
    else:
        result = REDUCTIONS[node.operator](values, present, starts)
    return compact(keys, result, np.logical_or.reduceat(present, starts, axis=0))


def _group_key(node: Aggregation, labels: Labels) -> Labels:
    if node.without:
        return tuple(pair for pair in labels if pair[0] not in node.labels and pair[0] != NAME_LABEL)
    return tuple(pair for pair in labels if pair[0] in node.labels) if node.labels else ()


def _sum(values: ValueArray, present: MaskArray, starts: IndexArray) -> ValueArray:
    return np.asarray(np.add.reduceat(np.where(present, values, 0.0), starts, axis=0))


def _count(_values: ValueArray, present: MaskArray, starts: IndexArray) -> ValueArray:
    return np.asarray(np.add.reduceat(present.astype(np.float64), starts, axis=0))


def _avg(values: ValueArray, present: MaskArray, starts: IndexArray) -> ValueArray:
    counts = _count(values, present, starts)
    means = _sum(values, present, starts) / counts
    if np.isinf(means).any():
        # An infinite value, or a sum beyond the largest float, which smaller terms avoid.
        means = np.where(np.isinf(means), _sum(values / len(values), present, starts) / (counts / len(values)), means)
    return means


def _min(values: ValueArray, present: MaskArray, starts: IndexArray) -> ValueArray:
    return np.asarray(np.fmin.reduceat(np.where(present, values, np.nan), starts, axis=0))


def _max(values: ValueArray, present: MaskArray, starts: IndexArray) -> ValueArray:
    return np.asarray(np.fmax.reduceat(np.where(present, values, np.nan), starts, axis=0))


def _stdvar(values: ValueArray, present: MaskArray, starts: IndexArray) -> ValueArray:
    """Population variance: mean first, then the squares around it."""
    sizes = np.diff(starts, append=len(values))
    distance = values - np.repeat(_avg(values, present, starts), sizes, axis=0)
    counts = _count(values, present, starts)
    # A value by itself does not vary, be it infinite or NaN.
    return np.where(counts == 1, 0.0, _sum(distance * distance, present, starts) / counts)


def _stddev(values: ValueArray, present: MaskArray, starts: IndexArray) -> ValueArray:
    return np.sqrt(_stdvar(values, present, starts))


def _group(_values: ValueArray, present: MaskArray, starts: IndexArray) -> ValueArray:
    return np.ones((len(starts), present.shape[1]))


REDUCTIONS: Final[Mapping[str, Callable[[ValueArray, MaskArray, IndexArray], ValueArray]]] = {
    "sum": _sum,
    "avg": _avg,
    "min": _min,
    "max": _max,
    "count": _count,
    "stddev": _stddev,
    "stdvar": _stdvar,
    "group": _group,
}
AGGREGATIONS: Final = frozenset(REDUCTIONS) | {"topk", "bottomk", "quantile", "count_values"}


def _quantile(values: ValueArray, present: MaskArray, starts: IndexArray, quantiles: ValueArray) -> ValueArray:
    result = np.empty((len(starts), values.shape[1]))
    ends = np.append(starts[1:], len(values))
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        inside = present[start:end]
        ordered = np.sort(np.where(inside, values[start:end], np.nan), axis=0).T
        result[row] = quantiles_of_sorted(ordered, inside.sum(axis=0), quantiles)
    return result


def _extremes(rows: Rows, order: IndexArray, starts: IndexArray, wanted: ValueArray, *, largest: bool) -> Rows:
    """The `wanted` (f64[steps]) largest or smallest rows of each group; NaN is taken last. Whole series keep their labels.

    The rows come out group by group; for a single step the best come first, as Prometheus orders an instant vector.
    """
    kept, sequence = np.zeros_like(rows.present), []
    ends = np.append(starts[1:], len(order))
    for start, end in zip(starts, ends, strict=True):
        members = order[start:end]
        values, inside = rows.values[members], rows.present[members]
        best_first = np.lexsort((-values if largest else values, np.isnan(values), ~inside), axis=0)
        rank = np.empty_like(best_first)
        np.put_along_axis(rank, best_first, np.arange(len(members))[:, None], axis=0)
        # Rank + 1 <= k, which is how a fractional k is cut off and how NaN takes nothing.
        kept[members] = inside & (rank + 1 <= wanted)
        sequence.append(members[best_first[:, 0]] if rows.values.shape[1] == 1 else members)
    chosen = np.concatenate(sequence)
    return compact([rows.labels[i] for i in chosen], rows.values[chosen], kept[chosen])


def _count_values(node: Aggregation, rows: Rows, label: str, max_cells: int) -> Rows:
    """How many series have each value; the value becomes a label."""
    cells: dict[Labels, ValueArray] = {}
    steps = rows.values.shape[1]
    by_value = Aggregation(node.operator, node.expr, None, node.without, node.labels if node.without else (*node.labels, label))
    for labels, values, present in zip(rows.labels, rows.values, rows.present, strict=True):
        # By their bits, because 0 and -0 are written differently; all kinds of NaN are one.
        bits = np.where(np.isnan(values), np.nan, values).view(np.int64)
        for value_bits in np.unique(bits[present]):
            same, value = present & (bits == value_bits), value_bits.view(np.float64)
            key = _group_key(by_value, with_label(labels, label, format_value(float(value))))
            cells.setdefault(key, np.zeros(steps))[same] += 1
            if len(cells) * steps > max_cells:
                raise QueryTooLargeError("count_values would make too many series")
    if not cells:
        return Rows.empty(steps)
    counts = np.stack(list(cells.values()))
    return Rows(list(cells), counts, counts > 0)


def format_value(value: float) -> str:
    """The shortest decimal without an exponent that reads back as the same float."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_positional(value, trim="-")


def check_count(parameter: ValueArray) -> None:
    """The parameter of topk and bottomk must be a number that fits into 64 bits.

    Raises:
        ExecutionError: it is not.
    """
    wrong = parameter[~(np.abs(parameter) < 2.0**63)]
    if len(wrong):
        raise ExecutionError(f"Scalar value {go_number(float(wrong[0]))} overflows int64")


def go_number(value: float) -> str:
    """A number as error messages have it: shortest, with an exponent from 1e21 on."""
    return np.format_float_scientific(value, trim="-", exp_digits=2) if 1e21 <= abs(value) < np.inf else format_value(value)
