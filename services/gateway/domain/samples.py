"""JSON samples into columns, the wrong ones into errors that name them.

`[{"server": "web-01", "timestamp": "…", "metrics": {"cpu": 12.5}, "labels": {}}, …]` becomes, for its n values, a list of the
distinct series and three columns of length n. Names and labels are checked once for each distinct series and not for each value,
which leaves a dictionary look-up and a type check as the work a value costs.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from services.common.errors import FieldError, InvalidArgumentError

MAX_ERRORS: Final = 100
MAX_SERVER_LENGTH: Final = 253  # of a DNS name, RFC 1035
MAX_NAME_LENGTH: Final = 256
MAX_LABELS: Final = 32
MAX_LABEL_VALUE_LENGTH: Final = 1024
_LAST_SECONDS: Final = 253_402_300_800.0  # the year 10000
_SAMPLE_FIELDS: Final = frozenset(("server", "timestamp", "metrics", "labels"))
_BATCH_FIELDS: Final = frozenset(("batch_id", "samples"))
_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

SeriesLabels = tuple[tuple[str, str], ...]
"""Labels in ascending order of name, `__name__` and `server` among them."""


@dataclass(frozen=True)
class SampleError:
    """Why a sample, or one of its values, was refused; `index` is that of the sample in the request."""

    index: int
    reason: str
    message: str


@dataclass
class SampleBatch:
    """What of a request can be stored.

    Attributes:
        batch_id: as the caller named it; may be empty.
        series: the distinct series.
        series_index: for each value, its place in `series`.
        timestamps_ms: for each value, Unix milliseconds.
        values: for each value, the number; may be infinite, which the store refuses.
        sample_index: for each value, the sample in the request that held it.
        rejected: values refused here; a sample without a readable value counts as one.
        errors: the first 100 of them.
        is_history: whether samples may be older than the newest of their series by more than the live limit.
    """

    batch_id: str = ""
    series: list[SeriesLabels] = field(default_factory=list)
    series_index: list[int] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    sample_index: list[int] = field(default_factory=list)
    rejected: int = 0
    errors: list[SampleError] = field(default_factory=list)
    is_history: bool = False

    def refuse(self, index: int, reason: str, message: str, count: int = 1) -> None:
        """Count `count` values as refused."""
        self.rejected += count
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(SampleError(index, reason, message))


class BadSampleError(Exception):
    """Why one sample cannot be stored."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class _Group:
    """Samples of one server with one set of labels: the place of each name's series."""

    labels: SeriesLabels
    places: dict[str, int]


def parse_batch(document: object, now_ms: int) -> SampleBatch:
    """Columns of a decoded request.

    Args:
        document: what the JSON decoder gave.
        now_ms: time of samples that have none.

    Raises:
        InvalidArgumentError: when the request as a whole has the wrong shape; a wrong sample alone does not raise.
    """
    batch = SampleBatch(batch_id=_batch_id(document))
    groups: dict[Any, _Group] = {}
    times: dict[str, int] = {}
    for index, sample in enumerate(_samples(document)):
        try:
            _add_sample(batch, index, sample, groups, times, now_ms)
        except BadSampleError as error:
            metrics = sample.get("metrics") if type(sample) is dict else None
            batch.refuse(index, error.reason, error.message, max(1, len(metrics)) if type(metrics) is dict else 1)
    return batch


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


def _add_sample(batch: SampleBatch, index: int, sample: Any, groups: dict[Any, _Group], times: dict[str, int], now_ms: int) -> None:
    if type(sample) is not dict:
        raise BadSampleError("INVALID_SAMPLE", "a sample must be an object")
    if not sample.keys() <= _SAMPLE_FIELDS:
        raise BadSampleError("UNKNOWN_FIELD", f"not known: {', '.join(sorted(sample.keys() - _SAMPLE_FIELDS))[:200]}")
    metrics = sample.get("metrics")
    if type(metrics) is not dict or not metrics:
        raise BadSampleError("INVALID_METRICS", "metrics must be an object with at least one number")
    group = _group(sample.get("server"), sample.get("labels"), groups)
    timestamp = sample.get("timestamp")
    if timestamp is None:
        time_ms = now_ms
    elif type(timestamp) is str and (known := times.get(timestamp)) is not None:
        time_ms = known
    else:
        time_ms = _time_ms(timestamp)
        if type(timestamp) is str:
            times[timestamp] = time_ms
    places = group.places
    for name, value in metrics.items():
        kind = type(value)
        if kind is not float and kind is not int:
            batch.refuse(index, "INVALID_VALUE", f"the value of {name[:100]!r} must be a number, not {_described(value)}")
            continue
        place = places.get(name)
        if place is None:
            problem = name_problem(name)
            if problem:
                batch.refuse(index, "INVALID_NAME", problem)
                continue
            place = places[name] = len(batch.series)
            batch.series.append(tuple(sorted((*group.labels, ("__name__", name)))))
        batch.series_index.append(place)
        batch.timestamps_ms.append(time_ms)
        batch.values.append(value)
        batch.sample_index.append(index)


def _group(server: Any, labels: Any, groups: dict[Any, _Group]) -> _Group:
    """The group of a sample; what was checked once is found again by server and labels."""
    try:
        key = server if labels is None else (server, tuple(labels.items()))
        group = groups.get(key)
    except (AttributeError, TypeError):  # labels that are no object, or values that are no text
        group = None
        key = None
    if group is None:
        group = _Group(checked_labels(server, labels), {})
        groups[key] = group
    return group


def checked_labels(server: Any, labels: Any) -> SeriesLabels:
    """The labels of a sample without its name, in ascending order.

    Raises:
        BadSampleError: the server or a label is wrong.
    """
    if type(server) is not str or not server or len(server) > MAX_SERVER_LENGTH or _CONTROL.search(server):
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
    if not name or len(name) > MAX_NAME_LENGTH or _CONTROL.search(name):
        return f"a metric needs a name of 1 to {MAX_NAME_LENGTH} characters without control characters"
    return ""


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
