"""A request read field by field."""

import struct
from dataclasses import dataclass, field
from typing import Final

from services.common.errors import InvalidArgumentError
from services.gateway.domain.batch import BadSampleError, BatchBuilder
from services.gateway.domain.protocols.protobuf_wire import BYTES, FIXED64, VARINT, WireError, fields, signed, varint
from services.gateway.domain.protocols.remote_write.written_labels import LABELS, number_of
from services.gateway.domain.series_table import SeriesTable

MAX_SAMPLES: Final = 1_000_000
"""Samples, and series as well, that one request may hold."""

_TIMESERIES: Final = 1
_METADATA: Final = 3
_SAMPLES: Final = 2
_IGNORED: Final = {3: "exemplar", 4: "histogram"}
_VALUE: Final = 1
_TIMESTAMP: Final = 2
_DOUBLE: Final = struct.Struct("<d")


@dataclass(slots=True)
class Walked:
    """What a request holds: samples in `batch`, and the number of each thing that has no place here."""

    batch: BatchBuilder
    ignored: dict[str, int] = field(default_factory=dict)

    def ignore(self, what: str) -> None:
        """Count one of these things."""
        self.ignored[what] = self.ignored.get(what, 0) + 1


def walk(data: bytes, series: SeriesTable) -> Walked:
    """The samples of a request; a series that is wrong is refused alone.

    Args:
        data: a `WriteRequest`.
        series: those known so far; the new ones are added.

    Raises:
        WireError: it is none, so that nothing in it can be relied on.
        InvalidArgumentError: it holds too much (`TOO_MANY_SAMPLES`).
    """
    found = Walked(BatchBuilder(series))
    count = 0
    for number, kind, begin, end in fields(data, 0, len(data)):
        if number in (_TIMESERIES, _METADATA) and kind != BYTES:
            raise WireError("time series and metadata are messages")
        if number == _TIMESERIES:
            count += 1
            _check_count(count)
            _walk_series(found, data, begin, end)
            _check_count(found.batch.rejected + len(found.batch.values))
        elif number == _METADATA:
            found.ignore("metadata")
    return found


def _walk_series(found: Walked, data: bytes, begin: int, end: int) -> None:
    labels: list[bytes] = []
    samples: list[tuple[float, int]] = []
    at = begin
    for number, kind, start, stop in fields(data, begin, end):
        if number in (LABELS, _SAMPLES, *_IGNORED) and kind != BYTES:
            raise WireError("what a time series has are messages")
        if number == LABELS:
            labels.append(data[at:stop])
        elif number == _SAMPLES:
            samples.append(_sample(data, start, stop))
        elif number in _IGNORED:
            found.ignore(_IGNORED[number])
        at = stop
    batch = found.batch
    written = b"".join(labels)
    first = batch.rejected + len(batch.values)
    try:
        series = number_of(written, batch.series)
    except BadSampleError as error:
        if samples:
            batch.refuse(first, error.reason, error.message, len(samples))
        return
    batch.numbers.extend([series] * len(samples))
    batch.values.extend([value for value, _ in samples])
    batch.timestamps_ms.extend([time_ms for _, time_ms in samples])
    batch.sample_index.extend(range(first, first + len(samples)))


def _sample(data: bytes, begin: int, end: int) -> tuple[float, int]:
    value, time_ms = 0.0, 0
    for number, kind, at, _ in fields(data, begin, end):
        if number == _VALUE:
            if kind != FIXED64:
                raise WireError("the value of a sample is a double")
            (value,) = _DOUBLE.unpack_from(data, at)
        elif number == _TIMESTAMP:
            if kind != VARINT:
                raise WireError("the time of a sample is an int64")
            time_ms = signed(varint(data, at, end)[0])
    return value, time_ms


def _check_count(count: int) -> None:
    if count > MAX_SAMPLES:
        message = f"a request may hold {MAX_SAMPLES:,} samples and as many series; send it in parts"
        raise InvalidArgumentError(message, reason="TOO_MANY_SAMPLES")
