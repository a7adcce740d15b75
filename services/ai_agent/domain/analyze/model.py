"""What `/analyze` is asked and what it answers, in arrays and plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Severity = Literal["normal", "low", "medium", "high"]
Direction = Literal["rising", "falling", "stable", "unknown"]


@dataclass(frozen=True)
class AnalysisRequest:
    """Rows of one server as columns of equal length, and a question about them.

    Attributes:
        query: the question; its language is that of the answer unless `lang` says otherwise.
        timestamps_ms: int64[rows], Unix time in milliseconds, in any order; None when the rows had none.
        columns: float64[rows] by name; NaN where a row has no value.
        lang: ko, en or empty.
        context: what the caller knows besides.
    """

    query: str
    timestamps_ms: npt.NDArray[np.int64] | None
    columns: Mapping[str, npt.NDArray[np.float64]]
    lang: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deviation:
    """How far a value is from what was expected.

    Where a new level begins, `value` is that level and not the single row's value.
    """

    metric: str
    value: float
    expected_low: float
    expected_high: float


@dataclass(frozen=True)
class Anomaly:
    """One unusual row; `score` is -log10 of the chance of it in calm data.

    `kind` is point (values far out), shift (a new level begins here) or joint (only the combination is unusual).
    """

    index: int
    timestamp_ms: int | None
    values: dict[str, float]
    deviations: list[Deviation]
    score: float
    kind: Literal["point", "shift", "joint"] = "point"


@dataclass(frozen=True)
class AnomalyReport:
    """All unusual rows counted, and the most unusual of them in order of row."""

    count: int
    severity: Severity
    items: list[Anomaly]


@dataclass(frozen=True)
class Trend:
    """How a column moves; `slope_per_hour` counts 60 rows as an hour when the rows had no times."""

    metric: str
    direction: Direction
    slope_per_hour: float
    p_value: float
    mean: float
    last: float


@dataclass(frozen=True)
class PredictionPoint:
    """One predicted value with its 95 % interval."""

    timestamp_ms: int | None
    steps_ahead: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Prediction:
    """What a column will be; exactly one of `method` and `refusal` is not empty."""

    metric: str
    method: str
    refusal: str
    points: list[PredictionPoint]


@dataclass(frozen=True)
class AnalysisResult:
    """What the rows show.

    `confidence` is, when something is unusual, one minus the chance that calm rows hold anything as unusual; when all is calm, how
    small a jump would have been noticed: 1 for one of ten times the noise or less, 0.5 for one of twenty. Either way it is
    multiplied by the share of values that are present. With too few rows to judge it is 0.1, in the fallback at most 0.3.
    """

    analysis: str
    recommendations: list[str]
    confidence: float
    processing_seconds: float
    anomalies: AnomalyReport
    trends: list[Trend]
    predictions: list[Prediction]
    engine: Literal["optimized", "fallback"]
    lang: Literal["ko", "en"]
