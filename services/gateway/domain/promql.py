"""Values of PromQL expressions, as columns."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Labels: TypeAlias = dict[str, str]


@dataclass(frozen=True)
class Vector:
    """One sample for each of n series: timestamps_ms i64[n], values f64[n]."""

    series: list[Labels]
    timestamps_ms: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class MatrixRow:
    """The m samples of one series: timestamps_ms i64[m] ascending, values f64[m]."""

    labels: Labels
    timestamps_ms: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Matrix:
    """Several samples for each series."""

    rows: list[MatrixRow]


@dataclass(frozen=True)
class Scalar:
    """A number without a series."""

    timestamp_ms: int
    value: float


@dataclass(frozen=True)
class Text:
    """A string literal."""

    timestamp_ms: int
    value: str


Result: TypeAlias = Vector | Matrix | Scalar | Text
