"""Aggregations: `sum by (role) (...)` and its kin, over all steps at once."""

from collections.abc import Callable, Iterator, Mapping
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
    steps = values.shape[1]
    result = np.empty((len(starts), steps))
    for groups, members in _by_size(starts, len(values)):
        inside = present[members]
        ordered = np.sort(np.where(inside, values[members], np.nan), axis=1).swapaxes(1, 2).reshape(-1, members.shape[1])
        found = quantiles_of_sorted(ordered, inside.sum(axis=1).ravel(), np.tile(quantiles, len(groups)))
        result[groups] = found.reshape(-1, steps)
    return result


def _extremes(rows: Rows, order: IndexArray, starts: IndexArray, wanted: ValueArray, *, largest: bool) -> Rows:
    """The `wanted` (f64[steps]) largest or smallest rows of each group; NaN is taken last. Whole series keep their labels.

    The rows come out group by group; for a single step the best come first, as Prometheus orders an instant vector.
    """
    values, present = rows.values[order], rows.present[order]
    rank = np.empty(values.shape, np.int64)
    for _, members in _by_size(starts, len(order)):
        some, inside = values[members], present[members]
        best_first = np.lexsort((-some if largest else some, np.isnan(some), ~inside), axis=1)
        places = np.empty_like(best_first)
        np.put_along_axis(places, best_first, np.arange(members.shape[1])[:, None], axis=1)
        rank[members] = places
    # Rank + 1 <= k, which is how a fractional k is cut off and how NaN takes nothing.
    kept = present & (rank + 1 <= wanted)
    if values.shape[1] == 1:
        group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(order)))
        sequence = np.lexsort((rank[:, 0], group))
        order, values, kept = order[sequence], values[sequence], kept[sequence]
    return compact([rows.labels[i] for i in order.tolist()], values, kept)


def _by_size(starts: IndexArray, count: int) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Groups of the same size together: their numbers i64[g], and the rows of each, i64[g, size]."""
    sizes = np.diff(starts, append=count)
    for size in np.unique(sizes).tolist():
        groups = np.flatnonzero(sizes == size)
        yield groups, starts[groups][:, None] + np.arange(size)


def _count_values(node: Aggregation, rows: Rows, label: str, max_cells: int) -> Rows:
    """How many series have each value; the value becomes a label."""
    steps = rows.values.shape[1]
    groups, group = group_by_key(_group_key(node, with_label(labels, label, "")) for labels in rows.labels)
    row, step = np.nonzero(rows.present)
    if not len(row):
        return Rows.empty(steps)
    # By their bits, because 0 and -0 are written differently; all kinds of NaN are one.
    cells = rows.values[row, step]
    bits, place = np.unique(np.where(np.isnan(cells), np.nan, cells).view(np.int64), return_inverse=True)
    pairs, pair = np.unique(group[row] * len(bits) + place, return_inverse=True)
    if len(pairs) * steps > max_cells:
        raise QueryTooLargeError("count_values would make too many series")
    is_dropped = node.without and label in node.labels
    texts = [format_value(value) for value in bits.view(np.float64).tolist()]
    keys, key = group_by_key(
        groups[number // len(bits)] if is_dropped else with_label(groups[number // len(bits)], label, texts[number % len(bits)])
        for number in pairs.tolist()
    )
    counts = np.bincount(key[pair] * steps + step, minlength=len(keys) * steps).reshape(len(keys), steps).astype(np.float64)
    return Rows(keys, counts, counts > 0)


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
