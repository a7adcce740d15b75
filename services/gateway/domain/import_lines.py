"""History, one series a line, into columns.

Each line is a JSON object `{"metric": {"__name__": "cpu", "server": "web-01"}, "timestamps": [Unix ms, …], "values": [number, …]}`, the
form in which VictoriaMetrics imports and exports (its `/api/v1/import`), so that its dumps can be brought along.
"""

from typing import Any, Final

import orjson

from services.common.errors import FieldError, InvalidArgumentError
from services.gateway.domain.batch import BadSampleError, BatchBuilder, SampleBatch
from services.gateway.domain.samples import checked_labels, name_problem
from services.gateway.domain.series_table import SeriesTable

MAX_LINES: Final = 100_000
_FIELDS: Final = frozenset(("metric", "timestamps", "values"))
_LAST_MS: Final = 253_402_300_800_000  # the year 10000


def parse_lines(body: bytes, series: SeriesTable) -> SampleBatch:
    """Columns of a body of lines; a wrong line is refused as a whole and does not spoil the others.

    Args:
        body: the lines.
        series: the series known so far; those that are new are added to it.

    Raises:
        InvalidArgumentError: there is no line, or there are too many.
    """
    lines = [line for line in body.splitlines() if line.strip()]
    if not 0 < len(lines) <= MAX_LINES:
        problem = f"must have 1 to {MAX_LINES:,} lines, each a JSON object"
        raise InvalidArgumentError(f"the body {problem}", fields=[FieldError("body", problem)])
    batch = BatchBuilder(series)
    for index, line in enumerate(lines):
        try:
            _add_line(batch, index, orjson.loads(line))
        except orjson.JSONDecodeError as error:
            batch.refuse(index, "INVALID_JSON", f"line {index + 1} is no JSON: {error}")
        except BadSampleError as error:
            batch.refuse(index, error.reason, error.message)
    return batch.build(is_history=True).only_finite()


def _add_line(batch: BatchBuilder, index: int, line: Any) -> None:
    if type(line) is not dict or line.keys() != _FIELDS:
        raise BadSampleError("INVALID_SAMPLE", "a line must be an object of metric, timestamps and values")
    metric, times, values = line["metric"], line["timestamps"], line["values"]
    if type(metric) is not dict or type(metric.get("__name__")) is not str:
        raise BadSampleError("INVALID_LABELS", "metric must be an object of texts with __name__ and server")
    name = metric["__name__"]
    if problem := name_problem(name):
        raise BadSampleError("INVALID_NAME", problem)
    others = {label: value for label, value in metric.items() if label not in ("__name__", "server")}
    labels = checked_labels(metric.get("server"), others)
    if type(times) is not list or type(values) is not list or len(times) != len(values):
        raise BadSampleError("INVALID_VALUE", "timestamps and values must be lists of one length")
    if not set(map(type, times)) <= {int} or not all(-_LAST_MS < time < _LAST_MS for time in times):
        raise BadSampleError("INVALID_TIMESTAMP", "timestamps must be Unix milliseconds, whole numbers")
    if not set(map(type, values)) <= {int, float}:
        raise BadSampleError("INVALID_VALUE", "values must be numbers")
    number = batch.series.number(tuple(sorted((*labels, ("__name__", name)))))
    batch.numbers.extend([number] * len(times))
    batch.timestamps_ms.extend(times)
    batch.values.extend(values)
    batch.sample_index.extend([index] * len(times))
