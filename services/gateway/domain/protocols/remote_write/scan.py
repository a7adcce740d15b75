"""A request read by the shape of its bytes.

A sample as every encoder writes it is `12 10 09 <value> 10 <time>`, or `12 07 10 <time>` when its value is 0 (see `places`). So the
samples are looked for in the whole request at once; what lies between two of them must be the head of a time series and its labels,
which a table knows byte for byte. Since a byte sequence of that shape may also be part of a label, everything is checked: each head
must announce exactly the bytes up to the next one, and labels that the table does not know must be labels from end to end. Whatever
does not hold leaves the request to `walk`.
"""

from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.gateway.domain.batch import MAX_ERRORS, PIECE, BadSampleError, IntColumn, SampleBatch, SampleError
from services.gateway.domain.protocols.protobuf_wire import WireError
from services.gateway.domain.protocols.remote_write.places import NARROW_BYTES, WIDE_BYTES, Places, words
from services.gateway.domain.protocols.remote_write.walk import MAX_SAMPLES
from services.gateway.domain.protocols.remote_write.written_labels import number_of
from services.gateway.domain.series_table import SeriesTable

_SAMPLES_TAG: Final = 0x12
_WIDE_START: Final = 0x0910  # the two bytes after the tag as a little-endian number: length 16, tag of a double
_NARROW_START: Final = 0x1007  # length 7, tag of a number
# Of the 8 bytes before the end: any, the tag 0x10 of the time, five bytes of it that go on and one that does not.
_TIME_MASK: Final = np.uint64(0x80_80_80_80_80_80_FF_00)
_TIME_BITS: Final = np.uint64(0x00_80_80_80_80_80_10_00)
_UNKNOWN: Final = -1
_REFUSED: Final = -2


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a request holds, and where: `places` and `numbers` have one row a sample, the refused ones among them."""

    batch: SampleBatch
    places: Places
    numbers: IntColumn


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where s time series and m samples stand.

    Attributes:
        places: of the samples.
        labels_at: i64[s], where the labels of each time series begin.
        labels_end: i64[s], where they end and its first sample begins.
        counts: i64[s], samples of each time series; None when each has one.
    """

    places: Places
    labels_at: IntColumn
    labels_end: IntColumn
    counts: IntColumn | None


def scan(data: bytes, series: SeriesTable, *, only_known: bool = False) -> Scanned | None:
    """The samples of a request, None when it has another shape than is known here.

    Args:
        data: a `WriteRequest`.
        series: those known so far; the new ones are added.
        only_known: None also when there is a new one, for its labels take some twenty times as long as a look-up.
    """
    shape = _shape(data)
    if shape is None:
        return None
    spans = zip(shape.labels_at.tolist(), shape.labels_end.tolist(), strict=True)
    written = [data[begin:end] for begin, end in spans]
    numbers = np.empty(len(written), np.int64)
    for start in range(0, len(written), PIECE):
        piece = written[start : start + PIECE]
        numbers[start : start + PIECE] = np.fromiter(map(series.written.get, piece, repeat(_UNKNOWN)), np.int64, len(piece))
    refused: dict[int, BadSampleError] = {}
    unknown = np.flatnonzero(numbers == _UNKNOWN)
    if only_known and len(unknown):
        return None
    for row in unknown.tolist():
        try:
            numbers[row] = number_of(written[row], series)
        except BadSampleError as error:
            numbers[row] = _REFUSED
            if len(refused) < MAX_ERRORS:
                refused[row] = error
        except WireError:
            return None
    if shape.counts is not None:
        numbers = np.repeat(numbers, shape.counts)
    of_words = words(data)
    times, values = shape.places.times(of_words), shape.places.values(of_words)
    if not refused:
        return Scanned(SampleBatch(series, numbers, times, values), shape.places, numbers)
    kept = np.flatnonzero(numbers != _REFUSED)
    errors = tuple(_errors(refused, shape.counts))
    batch = SampleBatch(series, numbers[kept], times[kept], values[kept], kept, len(numbers) - len(kept), errors)
    return Scanned(batch, shape.places, numbers)


def _errors(refused: dict[int, BadSampleError], counts: IntColumn | None) -> list[SampleError]:
    """One error a time series, which names its first sample."""
    first = None if counts is None else np.cumsum(counts) - counts
    return [SampleError(row if first is None else int(first[row]), error.reason, error.message) for row, error in refused.items()]


def _shape(data: bytes) -> _Shape | None:
    size = len(data)
    if size < NARROW_BYTES + 2:
        return None
    octets = np.frombuffer(data, np.uint8)
    found = _samples(data, octets)
    if found is None:
        return None
    begins, ends, is_wide = found
    if len(begins) > MAX_SAMPLES or int(ends[-1]) != size:
        return None
    before = np.zeros_like(ends)
    before[1:] = ends[:-1]
    gaps = begins - before
    if int(gaps.min()) < 0 or gaps[0] == 0:
        return None
    is_first = gaps > 0
    places = Places.of(ends, is_wide)
    if is_first.all():
        heads, labels_end, stops, counts = before, begins, ends, None
    else:
        first = np.flatnonzero(is_first)
        counts = np.diff(first, append=len(begins))
        heads, labels_end, stops = before[first], begins[first], ends[first + counts - 1]
    labels_at = _announced(octets, heads, stops)
    if labels_at is None or bool((labels_at > labels_end).any()):
        return None
    return _Shape(places, labels_at, labels_end, counts)


def _samples(data: bytes, octets: NDArray[np.uint8]) -> tuple[IntColumn, IntColumn, NDArray[np.bool_]] | None:
    """Where what looks like a sample begins and ends, and whether it has a value; None when nothing does."""
    candidates = np.flatnonzero(octets[: len(data) - NARROW_BYTES + 1] == _SAMPLES_TAG)
    starts = np.ndarray((len(data) - 1,), "<u2", data, 0, (1,))[candidates + 1]
    is_wide = starts == _WIDE_START
    chosen = is_wide | (starts == _NARROW_START)
    begins, is_wide = candidates[chosen], is_wide[chosen]
    ends = begins + np.where(is_wide, WIDE_BYTES, NARROW_BYTES)
    inside = ends <= len(data)
    if not inside.all():
        begins, ends, is_wide = begins[inside], ends[inside], is_wide[inside]
    times = words(data)[ends - 8]
    sound = (times & _TIME_MASK) == _TIME_BITS
    if not sound.all():
        begins, ends, is_wide = begins[sound], ends[sound], is_wide[sound]
    return (begins, ends, is_wide) if len(begins) else None


def _announced(octets: NDArray[np.uint8], heads: IntColumn, stops: IntColumn) -> IntColumn | None:
    """Where the payloads of time series begin whose heads stand there; None unless each ends where it should.

    A head is the tag 0x0A and a length of one or two bytes.
    """
    if not bool((octets[heads] == 0x0A).all()):
        return None
    low = octets[heads + 1].astype(np.int64)
    high = octets[heads + 2].astype(np.int64)
    is_short = low < 0x80
    if not bool((is_short | (high < 0x80)).all()):
        return None
    sizes = np.where(is_short, low, (low & 0x7F) | (high << 7))
    payloads = heads + np.where(is_short, 2, 3)
    return payloads if bool((payloads + sizes == stops).all()) else None
