"""JSON samples into columns, the wrong ones into errors that name them.

`[{"server": "web-01", "timestamp": "…", "metrics": {"cpu": 12.5}, "labels": {}}, …]` becomes, for its n values, three columns of
length n. Names and labels are checked when a series comes for the first time and are known by it in every later request, which leaves
a few look-ups as the work that a sample costs, however many values it has.
"""

import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.common.errors import FieldError, InvalidArgumentError
from services.gateway.domain.batch import BadSampleError, BatchBuilder, SampleBatch
from services.gateway.domain.series_table import SeriesGroup, SeriesLabels, SeriesTable

MAX_SERVER_LENGTH: Final = 253  # of a DNS name, RFC 1035
MAX_NAME_LENGTH: Final = 256
MAX_LABELS: Final = 32
MAX_LABEL_VALUE_LENGTH: Final = 1024
_LAST_SECONDS: Final = 253_402_300_800.0  # the year 10000
_SAMPLE_FIELDS: Final = frozenset(("server", "timestamp", "metrics", "labels"))
_BATCH_FIELDS: Final = frozenset(("batch_id", "samples"))
_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NUMBERS: Final = frozenset((int, float))  # and not bool, which is an int to isinstance
_TIMES: Final = frozenset((int, float, str))


def parse_batch(document: object, now_ms: int, series: SeriesTable) -> SampleBatch:
    """Columns of a decoded request.

    Args:
        document: what the JSON decoder gave.
        now_ms: time of samples that have none.
        series: the series known so far; those that are new are added to it.

    Raises:
        InvalidArgumentError: when the request as a whole has the wrong shape; a wrong sample alone does not raise.
    """
    batch_id = _batch_id(document)
    batch = BatchBuilder(series)
    times: dict[Any, int] = {}
    for index, sample in enumerate(_samples(document)):
        try:
            _add_sample(batch, index, sample, times, now_ms)
        except BadSampleError as error:
            metrics = sample.get("metrics") if type(sample) is dict else None
            batch.refuse(index, error.reason, error.message, max(1, len(metrics)) if type(metrics) is dict else 1)
    return batch.build(batch_id=batch_id).only_finite()


def _batch_id(document: object) -> str:
    if type(document) is not dict:
        raise InvalidArgumentError("the body must be an object with `samples`", fields=[FieldError("body", "must be an object")])
    unknown = [FieldError(str(name), "is not known") for name in document.keys() - _BATCH_FIELDS]
    if unknown:
        raise InvalidArgumentError("the body has fields that are not known", reason="UNKNOWN_FIELD", fields=unknown)
    batch_id = document.get("batch_id", "")
    if type(batch_id) is not str or len(batch_id) > 200:
        raise InvalidArgumentError("batch_id is wrong", fields=[FieldError("batch_id", "must be a text of at most 200 characters")])
    return batch_id


def _samples(document: Any) -> Sequence[Any]:
    samples = document.get("samples")
    if type(samples) is not list:
        problem = "is missing" if samples is None else "must be a list of objects"
        raise InvalidArgumentError(f"samples {problem}", fields=[FieldError("samples", problem)])
    return samples


def _add_sample(batch: BatchBuilder, index: int, sample: Any, times: dict[Any, int], now_ms: int) -> None:
    if type(sample) is not dict:
        raise BadSampleError("INVALID_SAMPLE", "a sample must be an object")
    if not sample.keys() <= _SAMPLE_FIELDS:
        raise BadSampleError("UNKNOWN_FIELD", f"not known: {', '.join(sorted(sample.keys() - _SAMPLE_FIELDS))[:200]}")
    metrics = sample.get("metrics")
    if type(metrics) is not dict or not metrics:
        raise BadSampleError("INVALID_METRICS", "metrics must be an object with at least one number")
    group = _group(sample.get("server"), sample.get("labels"), batch.series)
    timestamp = sample.get("timestamp")
    time_ms = now_ms if timestamp is None else _known_time_ms(timestamp, times)
    if not metrics.keys() <= group.numbers.keys() or not _NUMBERS.issuperset(map(type, metrics.values())):
        metrics = _sound(batch, index, metrics, group)
    batch.numbers.extend(map(group.numbers.__getitem__, metrics))
    batch.timestamps_ms.extend([time_ms] * len(metrics))
    batch.values.extend(metrics.values())
    batch.sample_index.extend([index] * len(metrics))


def _sound(batch: BatchBuilder, index: int, metrics: dict[str, Any], group: SeriesGroup) -> dict[str, float]:
    """The values that can be stored, their series numbered; the others are refused."""
    sound: dict[str, float] = {}
    for name, value in metrics.items():
        if type(value) not in _NUMBERS:
            batch.refuse(index, "INVALID_VALUE", f"the value of {name[:100]!r} must be a number, not {_described(value)}")
            continue
        if name not in group.numbers:
            if problem := name_problem(name):
                batch.refuse(index, "INVALID_NAME", problem)
                continue
            group.numbers[name] = batch.series.number(tuple(sorted((*group.labels, ("__name__", name)))))
        sound[name] = value
    return sound


def _group(server: Any, labels: Any, series: SeriesTable) -> SeriesGroup:
    """The group of a sample; what was checked once is found again by server and labels."""
    try:
        key = server if labels is None else (server, tuple(labels.items()))
        group = series.groups.get(key)
    except (AttributeError, TypeError):  # labels that are no object, or values that are no text
        group = None
        key = None
    return group or series.add_group(key, checked_labels(server, labels))


def checked_labels(server: Any, labels: Any) -> SeriesLabels:
    """The labels of a sample without its name, in ascending order.

    Raises:
        BadSampleError: the server or a label is wrong.
    """
    if type(server) is not str or not server or len(server) > MAX_SERVER_LENGTH or CONTROL.search(server):
        raise BadSampleError("INVALID_SERVER", f"server must be a text of 1 to {MAX_SERVER_LENGTH} characters")
    if labels is None:
        labels = {}
    if type(labels) is not dict or len(labels) > MAX_LABELS:
        raise BadSampleError("INVALID_LABELS", f"labels must be an object of at most {MAX_LABELS} texts")
    for name, value in labels.items():
        if not _LABEL_NAME.fullmatch(name) or name.startswith("__") or len(name) > MAX_NAME_LENGTH:
            raise BadSampleError("INVALID_LABELS", f"{name[:100]!r} cannot be the name of a label")
        if type(value) is not str or len(value) > MAX_LABEL_VALUE_LENGTH:
            message = f"label {name} must be a text of at most {MAX_LABEL_VALUE_LENGTH} characters"
            raise BadSampleError("INVALID_LABELS", message)
    if labels.get("server", server) != server:
        raise BadSampleError("INVALID_LABELS", "label server differs from the sample's server")
    # An empty value is the same as no label at all, as in Prometheus.
    return tuple(sorted({name: value for name, value in labels.items() if value}.items() | {("server", server)}))


def name_problem(name: str) -> str:
    """Why this cannot be the name of a metric; empty when it can."""
    if not name or len(name) > MAX_NAME_LENGTH or CONTROL.search(name):
        return f"a metric needs a name of 1 to {MAX_NAME_LENGTH} characters without control characters"
    return ""


def _known_time_ms(timestamp: Any, times: dict[Any, int]) -> int:
    """The time; samples of one request often share it, so those read before are kept in `times`."""
    known = times.get(timestamp) if type(timestamp) in _TIMES else None
    if known is None:
        known = _time_ms(timestamp)
        times[timestamp] = known
    return known


def _time_ms(timestamp: Any) -> int:
    seconds = math.nan
    if type(timestamp) is str:
        try:
            moment = datetime.fromisoformat(timestamp)
            if moment.tzinfo is None:
                raise BadSampleError("INVALID_TIMESTAMP", "timestamp has no zone; end it with Z or an offset such as +09:00")
            seconds = moment.timestamp()
        except (ValueError, OverflowError):
            raise BadSampleError("INVALID_TIMESTAMP", f"{timestamp[:40]!r} is not a time in RFC 3339") from None
    elif type(timestamp) in (int, float):
        seconds = timestamp
    if not -_LAST_SECONDS < seconds < _LAST_SECONDS:
        raise BadSampleError("INVALID_TIMESTAMP", "timestamp must be a time in RFC 3339 or Unix seconds")
    return round(seconds * 1000)


def _described(value: object) -> str:
    if value is None:
        return "null"
    return {bool: "a boolean", str: "a text", dict: "an object", list: "a list"}.get(type(value), type(value).__name__)
