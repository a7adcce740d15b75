"""Values of PromQL as the Prometheus HTTP API writes them."""

import math
from decimal import Decimal
from typing import Any

from services.gateway.domain.promql import Matrix, Result, Scalar, Text, Vector


def result_json(result: Result) -> dict[str, Any]:
    """`{"resultType": …, "result": …}`."""
    match result:
        case Vector():
            times, values = result.timestamps_ms.tolist(), result.values.tolist()
            rows = [
                {"metric": labels, "value": [time_json(time_ms), number_text(value)]}
                for labels, time_ms, value in zip(result.series, times, values, strict=True)
            ]
            return {"resultType": "vector", "result": rows}
        case Matrix():
            return matrix_json(result)
        case Scalar():
            return {"resultType": "scalar", "result": [time_json(result.timestamp_ms), number_text(result.value)]}
        case Text():
            return {"resultType": "string", "result": [time_json(result.timestamp_ms), result.value]}


def matrix_json(matrix: Matrix) -> dict[str, Any]:
    """A matrix; each row has its own times."""
    rows = []
    for row in matrix.rows:
        points = zip(row.timestamps_ms.tolist(), row.values.tolist(), strict=True)
        rows.append({"metric": row.labels, "values": [[time_json(time_ms), number_text(value)] for time_ms, value in points]})
    return {"resultType": "matrix", "result": rows}


def point_count(result: Result) -> int:
    """How many values the result holds."""
    if isinstance(result, Vector):
        return len(result.values)
    return sum(len(row.values) for row in result.rows) if isinstance(result, Matrix) else 1


def time_json(time_ms: int) -> float | int:
    """Unix seconds, without a fraction when there is none."""
    seconds, rest = divmod(time_ms, 1000)
    return seconds if not rest else time_ms / 1000


def number_text(value: float) -> str:
    """The shortest text that reads back as the same double; an exponent only below 1e-6 and from 1e21 on, as in Prometheus."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    if "e" not in text and "n" not in text:
        # Python writes plain digits from 1e-4 to 1e16 only, which is within the range where Prometheus does.
        return text
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f")
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"
