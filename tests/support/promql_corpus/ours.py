"""Our own answers in the JSON of the Prometheus HTTP API."""

import json
from typing import Any, Final

from services.common.errors import OpenManagerError
from services.gateway.domain.promql import Matrix as GatewayMatrix
from services.gateway.domain.promql import MatrixRow, Result
from services.gateway.domain.promql import Scalar as GatewayScalar
from services.gateway.domain.promql import Text as GatewayText
from services.gateway.domain.promql import Vector as GatewayVector
from services.gateway.web.prometheus_json import result_json
from services.metrics.domain.promql import Matrix, Reader, Scalar, Text, Vector, evaluate_instant, evaluate_range

_TYPES: Final = {"BAD_DATA": "bad_data", "EXECUTION": "execution", "QUERY_TOO_LARGE": "execution"}


async def ask(reader: Reader, expr: str, time_ms: int) -> dict[str, Any]:
    """The answer to an instant query."""
    try:
        return _success((await evaluate_instant(expr, reader, time_ms)).value)
    except OpenManagerError as error:
        return _failure(error)


async def ask_range(reader: Reader, expr: str, start_ms: int, end_ms: int, step_ms: int) -> dict[str, Any]:
    """The answer to a range query."""
    try:
        return _success((await evaluate_range(expr, reader, start_ms, end_ms, step_ms)).matrix)
    except OpenManagerError as error:
        return _failure(error)


def _failure(error: OpenManagerError) -> dict[str, Any]:
    return {"status": "error", "errorType": _TYPES.get(error.reason, error.reason), "error": error.message}


def _success(value: Vector | Scalar | Matrix | Text) -> dict[str, Any]:
    return {"status": "success", "data": json.loads(result_json(result_of(value)))}


def result_of(value: Vector | Scalar | Matrix | Text) -> Result:
    """A value as the gateway has it."""
    match value:
        case Vector():
            return GatewayVector([dict(one) for one in value.labels], value.timestamps_ms, value.values)
        case Scalar():
            return GatewayScalar(value.timestamp_ms, value.value)
        case Text():
            return GatewayText(value.timestamp_ms, value.value)
        case Matrix():
            bounds = zip(value.labels, value.offsets[:-1].tolist(), value.offsets[1:].tolist(), strict=True)
            return GatewayMatrix([MatrixRow(dict(one), value.timestamps_ms[a:b], value.values[a:b]) for one, a, b in bounds])
