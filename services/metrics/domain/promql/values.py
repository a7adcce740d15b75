"""What a query takes in (`Reader`, `QueryLimits`), what it gives, and what passes between its parts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.metrics.domain.ports import NAME_LABEL, Labels, MaskArray, Matcher, SeriesData, TimeArray, ValueArray

IndexArray: TypeAlias = NDArray[np.int64]

Checkpoint: TypeAlias = Callable[[], None]
"""Raises when nobody waits for the answer any more."""

_PART_CELLS: Final = 65_536
"""Samples and windows that are worked on at once; a few arrays of this size fit into a cache of the second level."""

LOOKBACK_MS: Final = 300_000
"""An instant selector takes the newest sample that is not older than this (inclusive, as Prometheus 2.x)."""


class Reader(Protocol):
    """Where samples come from; `SampleStore` is one."""

    async def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, *, max_samples: int | None = None
    ) -> SeriesData:
        """Samples with start_ms <= time <= end_ms of the series that meet every matcher."""
        ...


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may cost.

    Attributes:
        max_samples: samples read.
        max_cells: series x steps of any intermediate result; one takes about 50 bytes while it is worked on.
        max_steps: steps of a range query.
        max_series: series read by one selector.
    """

    max_samples: int = 50_000_000
    max_cells: int = 10_000_000
    max_steps: int = 11_000
    max_series: int = 200_000


DEFAULT_LIMITS: Final = QueryLimits()


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number without labels."""

    timestamp_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal."""

    timestamp_ms: int
    value: str


@dataclass(frozen=True, slots=True)
class Vector:
    """One sample a series: k labels, timestamps_ms i64[k] (all the evaluation time), values f64[k]."""

    labels: list[Labels]
    timestamps_ms: TimeArray
    values: ValueArray


@dataclass(frozen=True, slots=True)
class Matrix:
    """Samples of k series, one after the other: row i is `offsets[i]:offsets[i + 1]` of the columns.

    offsets i64[k + 1], timestamps_ms i64[m] ascending in a row, values f64[m].
    """

    labels: list[Labels]
    offsets: IndexArray
    timestamps_ms: TimeArray
    values: ValueArray


@dataclass(frozen=True, slots=True)
class InstantResult:
    """Value of an expression at one time, and how many stored samples were read for it."""

    value: Vector | Scalar | Matrix | Text
    samples_read: int


@dataclass(frozen=True, slots=True)
class RangeResult:
    """Values of an expression at each step, ordered by labels; a scalar is one row without labels."""

    matrix: Matrix
    samples_read: int


@dataclass(frozen=True, slots=True)
class Rows:
    """An instant vector at each step of a grid: labels [n], values f64[n, steps], present bool[n, steps].

    NaN is a value like any other; `present` alone says where there is one. Cells that are not present hold anything.
    """

    labels: list[Labels]
    values: ValueArray
    present: MaskArray

    @staticmethod
    def empty(steps: int) -> "Rows":
        """No series."""
        return Rows([], np.empty((0, steps)), np.empty((0, steps), np.bool_))


@dataclass(frozen=True, slots=True)
class Windows:
    """A range vector at each step: the samples of n series, and for each step a slice of them.

    Attributes:
        labels: n label sets.
        timestamps_ms: i64[m], ascending within a series.
        values: f64[m], without staleness markers.
        low: i64[n, steps], index of the first sample in the window.
        high: i64[n, steps], index after the last one.
        starts_ms: i64[steps], start of each window, inclusive.
        ends_ms: i64[steps], end of each window, inclusive.
        times_ms: i64[steps], evaluation times; the ends before offset and `@`.
    """

    labels: list[Labels]
    timestamps_ms: TimeArray
    values: ValueArray
    low: IndexArray
    high: IndexArray
    starts_ms: TimeArray
    ends_ms: TimeArray
    times_ms: TimeArray

    @property
    def counts(self) -> IndexArray:
        """Samples in each window, i64[n, steps]."""
        return self.high - self.low

    def parts(self) -> Iterator[tuple[slice, "Windows"]]:
        """The windows of some series at a time, as rows and what is in them, each part small enough for the processor's cache."""
        series, steps = self.low.shape
        if series == 0:
            return
        firsts, ends = self.low.min(axis=1), self.high.max(axis=1)
        # Series follow each other, so that where the next one begins is where a part may end.
        sizes = np.cumsum(np.maximum(ends - firsts, 0) + steps)
        bounds = np.searchsorted(sizes, np.arange(_PART_CELLS, int(sizes[-1]), _PART_CELLS))
        for begin, end in pairwise(np.unique([0, *bounds.tolist(), series]).tolist()):
            rows, first, last = slice(begin, end), int(firsts[begin:end].min()), int(ends[begin:end].max())
            low, high = self.low[rows] - first, self.high[rows] - first
            samples = slice(first, max(first, last))
            part = Windows(
                self.labels[rows],
                self.timestamps_ms[samples],
                self.values[samples],
                low,
                high,
                self.starts_ms,
                self.ends_ms,
                self.times_ms,
            )
            yield rows, part


Grid: TypeAlias = tuple[ValueArray, MaskArray]
"""Values and presence of equal shape [n, steps]."""

Value: TypeAlias = Rows | Windows | ValueArray | str
"""What an expression evaluates to; an array f64[steps] is a scalar."""


def without_name(labels: Labels) -> Labels:
    """The labels but the name of the metric."""
    return tuple(pair for pair in labels if pair[0] != NAME_LABEL)
