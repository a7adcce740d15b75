"""Samples on their way to the store: columns for those that can be stored, and a word about each that cannot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.gateway.domain.series_table import SeriesTable

MAX_ERRORS: Final = 100
"""A receipt describes this many refused samples at most; its counts are complete."""

PIECE: Final = 32_768
"""Values that are worked on at a time where no other thread can run meanwhile: a millisecond or two."""

IntColumn: TypeAlias = NDArray[np.int64]
FloatColumn: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampleError:
    """Why a sample, or one of its values, was refused; `index` is that of the sample in the request."""

    index: int
    reason: str
    message: str


class BadSampleError(Exception):
    """Why one sample cannot be stored."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """What of a request can be stored: n values as columns of length n, which nobody writes to again.

    Attributes:
        series: labels of series by number.
        numbers: i64[n], the number of each value's series.
        timestamps_ms: i64[n], Unix milliseconds.
        values: f64[n]; any double, for the store keeps what it is given.
        sample_index: i64[n], the sample in the request that held each value; None when value k is sample k.
        rejected: values refused already; a sample without a readable value counts as one.
        errors: the first 100 of them.
        batch_id: as the caller named it; may be empty.
        is_history: whether samples may be older than the newest of their series by more than the live limit.
    """

    series: SeriesTable
    numbers: IntColumn
    timestamps_ms: IntColumn
    values: FloatColumn
    sample_index: IntColumn | None = None
    rejected: int = 0
    errors: tuple[SampleError, ...] = ()
    batch_id: str = ""
    is_history: bool = False

    def __len__(self) -> int:
        return len(self.values)

    def index_of(self, row: int) -> int:
        """The sample in the request that held the value of this row."""
        return row if self.sample_index is None else int(self.sample_index[row])

    def only_finite(self) -> "SampleBatch":
        """The batch with NaN and infinities refused, for a format that has no way to mean them."""
        finite = np.isfinite(self.values)
        if finite.all():
            return self
        wrong, kept = np.flatnonzero(~finite), np.flatnonzero(finite)
        errors = [
            SampleError(self.index_of(row), "NOT_FINITE", f"value {float(self.values[row])!r} is not a finite number")
            for row in wrong[: MAX_ERRORS - len(self.errors)].tolist()
        ]
        return replace(
            self,
            numbers=self.numbers[kept],
            timestamps_ms=self.timestamps_ms[kept],
            values=self.values[kept],
            sample_index=kept if self.sample_index is None else self.sample_index[kept],
            rejected=self.rejected + len(wrong),
            errors=(*self.errors, *errors),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the values of a request.

    Attributes:
        accepted: durable now.
        rejected: refused for what they are.
        duplicate: the store has one of that series at that time; the first one stays.
        late: more than the live limit older than the newest of their series.
        errors: the first 100 that were refused or late, ascending by index.
    """

    accepted: int
    rejected: int
    duplicate: int
    late: int
    errors: tuple[SampleError, ...] = ()


@dataclass(slots=True)
class BatchBuilder:
    """Collects a batch value by value; the lists, of one length, are as the columns of `SampleBatch`."""

    series: SeriesTable
    numbers: list[int] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    sample_index: list[int] = field(default_factory=list)
    rejected: int = 0
    errors: list[SampleError] = field(default_factory=list)

    def refuse(self, index: int, reason: str, message: str, count: int = 1) -> None:
        """Count `count` values as refused."""
        self.rejected += count
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(SampleError(index, reason, message))

    def build(self, *, batch_id: str = "", is_history: bool = False) -> SampleBatch:
        """The batch; see its attributes."""
        return SampleBatch(
            self.series,
            int_column(self.numbers),
            int_column(self.timestamps_ms),
            float_column(self.values),
            int_column(self.sample_index),
            self.rejected,
            tuple(self.errors),
            batch_id,
            is_history,
        )


def int_column(values: Sequence[int]) -> IntColumn:
    """The numbers as a column; made in pieces, between which other threads get their turn."""
    pieces = [np.array(values[start : start + PIECE], np.int64) for start in range(0, len(values), PIECE)]
    return pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, np.int64), *pieces])


def float_column(values: Sequence[float]) -> FloatColumn:
    """As `int_column`; a whole number that no double can hold is infinite."""
    pieces = [_doubles(values[start : start + PIECE]) for start in range(0, len(values), PIECE)]
    return pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0), *pieces])


def _doubles(values: Sequence[float]) -> FloatColumn:
    try:
        return np.array(values, np.float64)
    except OverflowError:  # a whole number with more than 308 digits
        return np.array([_double(value) for value in values], np.float64)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
