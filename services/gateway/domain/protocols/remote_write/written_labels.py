"""Series by their labels as the sender wrote them."""

from services.gateway.domain.batch import BadSampleError
from services.gateway.domain.protocols.protobuf_wire import BYTES, WireError, fields
from services.gateway.domain.protocols.series_labels import series_labels
from services.gateway.domain.series_table import SeriesTable

LABELS: int = 1
"""Number of the field of `TimeSeries` that holds a label."""


def number_of(written: bytes, series: SeriesTable) -> int:
    """The number of the series whose labels these fields of a `TimeSeries` hold; made when it is new.

    Args:
        written: fields `labels` and nothing else, one after the other.
        series: those known so far.

    Raises:
        WireError: the bytes are something else.
        BadSampleError: no series can have these labels.
    """
    number = series.written.get(written)
    if number is None:
        number = series.add_written(written, series_labels(_pairs(written)))
    return number


def _pairs(written: bytes) -> list[tuple[str, str]]:
    spans = []
    for number, kind, begin, end in fields(written, 0, len(written)):
        if number != LABELS or kind != BYTES:
            raise WireError("there is something else among the labels")
        spans.append(_spans(written, begin, end))
    try:
        # Only now, so that bytes that are no labels are told from labels that are wrong.
        return [(name.decode(), value.decode()) for name, value in spans]
    except UnicodeDecodeError:
        raise BadSampleError("INVALID_UTF8", "a label is not in UTF-8") from None


def _spans(data: bytes, begin: int, end: int) -> tuple[bytes, bytes]:
    name = value = b""
    for number, kind, at, stop in fields(data, begin, end):
        if number in (1, 2) and kind != BYTES:
            raise WireError("name and value of a label are texts")
        if number == 1:
            name = data[at:stop]
        elif number == 2:
            value = data[at:stop]
    return name, value
