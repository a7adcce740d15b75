"""Remote write 1.0, as little of it as a test needs: protobuf by hand, and snappy that does not compress.

Formats: prometheus/prompb `WriteRequest`; google/snappy `format_description.txt` (blocks of literals alone are valid).
"""

import struct
from collections.abc import Iterable, Sequence

from services.metrics.domain.ports import Labels


def write_request(samples: Iterable[tuple[Labels, int, int]]) -> bytes:
    """The body of a request: samples (labels, Unix ms, bits of the double) in their order, one time series each."""
    return snappy_literals(b"".join(_field(1, _time_series(*sample)) for sample in samples))


def snappy_literals(data: bytes) -> bytes:
    """A snappy block that holds the data as it is."""
    pieces = [_varint(len(data))]
    for begin in range(0, len(data), 65_536):
        piece = data[begin : begin + 65_536]
        pieces += [b"\xf4", struct.pack("<H", len(piece) - 1), piece]
    return b"".join(pieces)


def _time_series(labels: Labels, time_ms: int, bits: int) -> bytes:
    sample = b"\x09" + struct.pack("<Q", bits) + b"\x10" + _varint(time_ms)
    return b"".join([*(_field(1, _label(pair)) for pair in labels), _field(2, sample)])


def _label(pair: Sequence[str]) -> bytes:
    return _field(1, pair[0].encode()) + _field(2, pair[1].encode())


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
