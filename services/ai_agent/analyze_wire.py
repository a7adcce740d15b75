"""Between protobuf messages and the values of the analysis."""

import math

import numpy as np
import numpy.typing as npt
from google.protobuf import duration_pb2

from openmanager.ai_agent.v1 import ai_agent_pb2 as pb
from services.ai_agent.domain.analyze.model import AnalysisRequest, AnalysisResult, Anomaly, Prediction, PredictionPoint
from services.common.errors import FieldError, InvalidArgumentError

MAX_QUERY_CHARACTERS = 2_000
_VALUE_BYTES = 8


def analysis_of(request: pb.AnalyzeRequest) -> AnalysisRequest:
    """The rows of a request.

    Raises:
        InvalidArgumentError: a column that is no whole number of values, or is there twice, or a question that is too long.
    """
    if len(request.query) > MAX_QUERY_CHARACTERS:
        raise _wrong("query", f"has {len(request.query)} characters; at most {MAX_QUERY_CHARACTERS} are read")
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for column in request.columns:
        if column.name in columns:
            raise _wrong(f"columns.{column.name}", "is there twice")
        columns[column.name] = _array(f"columns.{column.name}", column.values, "<f8").astype(np.float64, copy=False)
    times = _array("timestamps_ms", request.timestamps_ms, "<i8").astype(np.int64, copy=False) if request.timestamps_ms else None
    return AnalysisRequest(request.query, times, columns, request.lang, dict(request.context))


def analysis_message(result: AnalysisResult) -> pb.AnalyzeResponse:
    """The message of a result."""
    nanos = round(result.processing_seconds * 1e9)
    return pb.AnalyzeResponse(
        analysis=result.analysis,
        recommendations=result.recommendations,
        confidence=result.confidence,
        processing_time=duration_pb2.Duration(seconds=nanos // 10**9, nanos=nanos % 10**9),
        anomalies=pb.AnomalyReport(
            count=result.anomalies.count,
            severity=result.anomalies.severity,
            items=[_anomaly(anomaly) for anomaly in result.anomalies.items],
        ),
        trends=[
            pb.Trend(
                metric=trend.metric,
                direction=trend.direction,
                slope_per_hour=trend.slope_per_hour,
                p_value=trend.p_value,
                mean=trend.mean,
                last=trend.last,
            )
            for trend in result.trends
        ],
        predictions=[_prediction(prediction) for prediction in result.predictions],
        engine=result.engine,
        lang=result.lang,
    )


def _anomaly(anomaly: Anomaly) -> pb.Anomaly:
    return pb.Anomaly(
        index=anomaly.index,
        timestamp_ms=anomaly.timestamp_ms,
        values={name: value for name, value in anomaly.values.items() if not math.isnan(value)},
        deviations=[
            pb.Deviation(metric=each.metric, value=each.value, expected_low=each.expected_low, expected_high=each.expected_high)
            for each in anomaly.deviations
        ],
        score=anomaly.score,
    )


def _prediction(prediction: Prediction) -> pb.Prediction:
    return pb.Prediction(
        metric=prediction.metric,
        method=prediction.method,
        refusal=prediction.refusal,
        points=[_point(point) for point in prediction.points],
    )


def _point(point: PredictionPoint) -> pb.PredictionPoint:
    return pb.PredictionPoint(
        timestamp_ms=point.timestamp_ms,
        steps_ahead=point.steps_ahead,
        value=point.value,
        lower=point.lower,
        upper=point.upper,
    )


def _array(field: str, data: bytes, dtype: str) -> npt.NDArray[np.generic]:
    if len(data) % _VALUE_BYTES:
        raise _wrong(field, f"{len(data)} bytes are not a whole number of 8-byte values")
    return np.frombuffer(data, dtype)


def _wrong(field: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{field} {message}", reason="INVALID_COLUMNS", fields=[FieldError(field, message)])
