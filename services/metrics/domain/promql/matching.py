"""Operators between two vectors: which series meet, and what comes out.

Series are grouped by signature once; what is unique or missing is then decided at each step, because series come and go.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from services.metrics.domain.ports import NAME_LABEL, Labels, MaskArray
from services.metrics.domain.promql.errors import ExecutionError, QueryTooLargeError
from services.metrics.domain.promql.label_functions import with_label
from services.metrics.domain.promql.operators import apply, drops_name
from services.metrics.domain.promql.rows import compact, group_by_key, merge_same
from services.metrics.domain.promql.syntax.expressions import Binary, Cardinality, Matching
from services.metrics.domain.promql.syntax.quoting import labels_text
from services.metrics.domain.promql.values import IndexArray, Rows, without_name


def signature(matching: Matching, labels: Labels) -> Labels:
    """The part of the labels by which series are paired."""
    if matching.on:
        return tuple(pair for pair in labels if pair[0] in matching.labels)
    return tuple(pair for pair in labels if pair[0] not in matching.labels and pair[0] != NAME_LABEL)


def set_operation(node: Binary, left: Rows, right: Rows) -> Rows:
    """`and`, `unless` and `or`: series of the left by whether the right has a series of the same signature at that step."""
    left_keys = [signature(node.matching, labels) for labels in left.labels]
    right_keys = [signature(node.matching, labels) for labels in right.labels]
    if node.operator == "or":
        extra = right.present & ~_present_by_key(right_keys, left_keys, left.present)
        return merge_same(
            [*left.labels, *right.labels], np.concatenate([left.values, right.values]), np.concatenate([left.present, extra])
        )
    met = _present_by_key(left_keys, right_keys, right.present)
    return compact(left.labels, left.values, left.present & (met if node.operator == "and" else ~met))


def _present_by_key(wanted: Sequence[Labels], keys: Sequence[Labels], present: MaskArray) -> MaskArray:
    """For each wanted key and step, whether some row of that key is present."""
    distinct, group = group_by_key(keys)
    by_key = np.zeros((len(distinct) + 1, present.shape[1]), np.bool_)  # the last row stands for keys that are not there
    np.logical_or.at(by_key, group, present)
    place = {key: i for i, key in enumerate(distinct)}
    return by_key[[place.get(key, len(distinct)) for key in wanted]]


def vector_vector(node: Binary, left: Rows, right: Rows, *, max_cells: int) -> Rows:
    """Arithmetic or comparison of the series that have the same signature.

    Raises:
        ExecutionError: the series of a group cannot be told apart where they must be.
        QueryTooLargeError: the pairs would make more than `max_cells` cells.
    """
    swapped = node.matching.cardinality is Cardinality.ONE_TO_MANY
    many, one = (right, left) if swapped else (left, right)
    many_at, one_at, group = _pairs(node.matching, many, one, max_cells)
    _check_one_side(node.matching, one, np.logical_or.reduce(many.present, axis=0), "left" if swapped else "right")
    if len(many_at) == 0:
        return Rows.empty(left.values.shape[1])
    left_at, right_at = (one_at, many_at) if swapped else (many_at, one_at)
    values, kept = apply(node, left.values[left_at], right.values[right_at], left.values[left_at])
    present = many.present[many_at] & one.present[one_at] & kept
    if node.matching.cardinality is Cardinality.ONE_TO_ONE and _meet_twice(group, present):
        raise ExecutionError("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
    labels = [_result_labels(node, many.labels[a], one.labels[b]) for a, b in zip(many_at.tolist(), one_at.tolist(), strict=True)]
    if node.matching.cardinality is not Cardinality.ONE_TO_ONE and _meet_twice(group_by_key(labels)[1], present):
        raise ExecutionError("multiple matches for labels: grouping labels must ensure unique matches")
    return merge_same(labels, values, present)


def _pairs(matching: Matching, many: Rows, one: Rows, max_cells: int) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Indexes of the rows that share a signature, and the number of their signature."""
    by_key: dict[Labels, list[int]] = defaultdict(list)
    for index, labels in enumerate(one.labels):
        by_key[signature(matching, labels)].append(index)
    place = {key: number for number, key in enumerate(by_key)}
    many_at: list[int] = []
    one_at: list[int] = []
    group: list[int] = []
    most = max_cells // max(many.values.shape[1], 1)
    for index, labels in enumerate(many.labels):
        key = signature(matching, labels)
        partners = by_key.get(key, ())
        many_at.extend([index] * len(partners))
        one_at.extend(partners)
        group.extend([place.get(key, 0)] * len(partners))
        if len(many_at) > most:
            raise QueryTooLargeError("vector matching would make too many samples")
    return np.array(many_at, np.int64), np.array(one_at, np.int64), np.array(group, np.int64)


def _check_one_side(matching: Matching, one: Rows, steps: MaskArray, side: str) -> None:
    """Series of the "one" side must differ in signature at the steps (bool[steps]) at which there is anything to meet."""
    keys, group = group_by_key(signature(matching, labels) for labels in one.labels)
    if len(keys) == len(one.labels) or not _meet_twice(group, present := one.present & steps):
        return
    # The first step at which two meet, and there the first two, are told.
    for step in np.flatnonzero(present.any(axis=0)).tolist():
        earlier: dict[int, int] = {}
        for row in np.flatnonzero(present[:, step]).tolist():
            other = earlier.setdefault(int(group[row]), row)
            if other != row:
                series = f"[{labels_text(one.labels[row])}, {labels_text(one.labels[other])}]"
                raise ExecutionError(
                    f"found duplicate series for the match group {labels_text(keys[group[row]])} on the {side} hand-side of the "
                    f"operation: {series};many-to-many matching not allowed: matching labels must be unique on one side"
                )


def _meet_twice(group: IndexArray, present: MaskArray) -> bool:
    """Whether two rows of one group are present at the same step."""
    counts = np.zeros((int(group.max(initial=0)) + 1, present.shape[1]), np.int64)
    np.add.at(counts, group, present)
    return bool((counts > 1).any())


def _result_labels(node: Binary, many: Labels, one: Labels) -> Labels:
    matching = node.matching
    labels = without_name(many) if drops_name(node) else many
    if matching.cardinality is Cardinality.ONE_TO_ONE:
        labels = tuple(pair for pair in labels if (pair[0] in matching.labels) == matching.on)
    for name in matching.include:
        labels = with_label(labels, name, dict(one).get(name, ""))
    return labels
