"""Shaping instant vectors: leaving out series without a value, and joining rows that came to have the same labels."""

from collections.abc import Iterable, Sequence

import numpy as np

from services.metrics.domain.ports import Labels, MaskArray, TimeArray, ValueArray
from services.metrics.domain.promql.errors import ExecutionError
from services.metrics.domain.promql.values import IndexArray, Matrix, Rows

_DUPLICATE = "vector cannot contain metrics with the same labelset"


def compact(labels: Sequence[Labels], values: ValueArray, present: MaskArray) -> Rows:
    """Rows that have a value at some step."""
    used = present.any(axis=1)
    if used.all():
        return Rows(list(labels), values, present)
    return Rows([labels[i] for i in np.flatnonzero(used).tolist()], values[used], present[used])


def unique(rows: Rows) -> Rows:
    """The rows, each label set once.

    Raises:
        ExecutionError: two rows have the same labels, even if at different steps.
    """
    if len(set(rows.labels)) != len(rows.labels):
        raise ExecutionError(_DUPLICATE)
    return rows


def merge_same(labels: Sequence[Labels], values: ValueArray, present: MaskArray) -> Rows:
    """Rows that have a value at some step; those with the same labels become one.

    Raises:
        ExecutionError: two rows have the same labels at the same step.
    """
    rows = compact(labels, values, present)
    names, group = group_by_key(rows.labels)
    if len(names) == len(rows.labels):
        return rows
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(names)))
    if (np.add.reduceat(rows.present[order].astype(np.int64), starts, axis=0) > 1).any():
        raise ExecutionError(_DUPLICATE)
    # At most one row of a group has a value, so that the sum picks it.
    picked = np.add.reduceat(np.where(rows.present, rows.values, 0.0)[order], starts, axis=0)
    return Rows(names, picked, np.logical_or.reduceat(rows.present[order], starts, axis=0))


def group_by_key(keys: Iterable[Labels]) -> tuple[list[Labels], IndexArray]:
    """Distinct keys in order of appearance, and for each key its place among them."""
    place: dict[Labels, int] = {}
    group = np.fromiter((place.setdefault(key, len(place)) for key in keys), np.int64)
    return list(place), group


def to_matrix(rows: Rows, times_ms: TimeArray) -> Matrix:
    """The present cells as columns, series in the order of their labels."""
    used = np.flatnonzero(rows.present.any(axis=1)).tolist()
    used.sort(key=rows.labels.__getitem__)
    present = rows.present[used]
    offsets = np.concatenate(([0], np.cumsum(present.sum(axis=1)))).astype(np.int64)
    steps = np.broadcast_to(times_ms, present.shape)
    return Matrix([rows.labels[i] for i in used], offsets, steps[present], rows.values[used][present])
