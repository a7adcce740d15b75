"""Values of PromQL as the Prometheus HTTP API writes them.

The text is put together from the texts of times and numbers: an object for each point would cost more than the query itself.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain, repeat
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from services.gateway.domain.promql import Labels, Matrix, Result, Scalar, Text, Vector

_AFTER_VALUE: Final = '"],'


def result_json(result: Result) -> str:
    """`{"resultType": …, "result": …}`."""
    match result:
        case Vector():
            points = zip(_beginnings(result.timestamps_ms), number_texts(result.values), strict=True)
            rows = (
                f'{{"metric":{_labels(labels)},"value":{at}{value}"]}}'
                for labels, (at, value) in zip(result.series, points, strict=True)
            )
            return _of_kind("vector", f"[{','.join(rows)}]")
        case Matrix():
            return _of_kind("matrix", f"[{','.join(_matrix_rows(result))}]")
        case Scalar():
            return _of_kind("scalar", f'[{time_json(result.timestamp_ms)},"{number_text(result.value)}"]')
        case Text():
            return _of_kind("string", orjson.dumps([time_json(result.timestamp_ms), result.value]).decode())


def _matrix_rows(matrix: Matrix) -> Iterable[str]:
    # Rows of a range query have the same times, or at least many of them.
    beginnings: dict[bytes, list[str]] = {}
    for row in matrix.rows:
        times = row.timestamps_ms.tobytes()
        if times not in beginnings:
            beginnings[times] = _beginnings(row.timestamps_ms)
        points = "".join(chain.from_iterable(zip(beginnings[times], number_texts(row.values), repeat(_AFTER_VALUE), strict=False)))
        yield f'{{"metric":{_labels(row.labels)},"values":[{points[:-1]}]}}'


def _of_kind(kind: str, result: str) -> str:
    return f'{{"resultType":"{kind}","result":{result}}}'


def _labels(labels: Labels) -> str:
    return orjson.dumps(labels).decode()


def _beginnings(times_ms: NDArray[np.int64]) -> list[str]:
    """The text of each point up to its value."""
    return [f'[{at},"' for at in times_json(times_ms)]


def point_count(result: Result) -> int:
    """How many values the result holds."""
    if isinstance(result, Vector):
        return len(result.values)
    return sum(len(row.values) for row in result.rows) if isinstance(result, Matrix) else 1


def time_json(time_ms: int) -> float | int:
    """Unix seconds, without a fraction when there is none."""
    seconds, rest = divmod(time_ms, 1000)
    return seconds if not rest else time_ms / 1000


def times_json(times_ms: NDArray[np.int64]) -> Sequence[float | int]:
    """`time_json` of each time, i64[n]."""
    if not (times_ms % 1000).any():
        seconds: list[int] = (times_ms // 1000).tolist()
        return seconds
    return [time_json(time_ms) for time_ms in times_ms.tolist()]


def number_texts(values: NDArray[np.float64]) -> list[str]:
    """`number_text` of each value, f64[n]; all at once where no value needs an exponent, as nearly always."""
    if not len(values):
        return []
    lines = "\n".join(map(repr, values.tolist())) + "\n"
    if "e" in lines or "n" in lines:
        return [number_text(value) for value in values.tolist()]
    return lines.replace(".0\n", "\n").split("\n")[:-1]


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
