"""An analysis of rows as the HTTP contract has it."""

from openmanager.ai_agent.v1 import ai_agent_pb2
from services.gateway.adapters.calls import seconds
from services.gateway.domain.ports import Document
from services.gateway.domain.times import format_ms


def analysis_document(response: ai_agent_pb2.AnalyzeResponse) -> Document:
    """The object that `POST /analyze` answers with."""
    return {
        "success": True,
        "analysis": response.analysis,
        "recommendations": list(response.recommendations),
        "confidence": response.confidence,
        "processing_time": seconds(response.processing_time),
        "anomalies": {
            "count": response.anomalies.count,
            "severity": response.anomalies.severity,
            "data": [_anomaly(anomaly) for anomaly in response.anomalies.items],
        },
        "trends": {
            trend.metric: {
                "direction": trend.direction,
                "slope_per_hour": trend.slope_per_hour,
                "p_value": trend.p_value,
                "mean": trend.mean,
                "last": trend.last,
            }
            for trend in response.trends
        },
        "predictions": {prediction.metric: _prediction(prediction) for prediction in response.predictions},
        "engine": response.engine,
        "lang": response.lang,
    }


def _anomaly(anomaly: ai_agent_pb2.Anomaly) -> Document:
    return {
        "index": anomaly.index,
        "timestamp": format_ms(anomaly.timestamp_ms) if anomaly.HasField("timestamp_ms") else None,
        "values": dict(anomaly.values),
        "deviations": [
            {
                "metric": deviation.metric,
                "value": deviation.value,
                "expected_low": deviation.expected_low,
                "expected_high": deviation.expected_high,
            }
            for deviation in anomaly.deviations
        ],
        "score": anomaly.score,
    }


def _prediction(prediction: ai_agent_pb2.Prediction) -> Document:
    if prediction.refusal:
        return {"refusal": prediction.refusal}
    return {
        "method": prediction.method,
        "points": [
            {
                "timestamp": format_ms(point.timestamp_ms) if point.HasField("timestamp_ms") else None,
                "steps_ahead": point.steps_ahead,
                "value": point.value,
                "lower": point.lower,
                "upper": point.upper,
            }
            for point in prediction.points
        ],
    }
