"""Remote write 1.0, as little of it as a test needs: protobuf by hand, and snappy that does not compress.

Formats: prometheus/prompb `WriteRequest`; google/snappy `format_description.txt` (blocks of literals alone are valid).
"""

import struct
from collections.abc import Callable, Iterable, Sequence

from services.metrics.domain.ports import Labels


def write_request(samples: Iterable[tuple[Labels, int, int]]) -> bytes:
    """The body of a request: samples (labels, Unix ms, bits of the double) in their order, one time series each."""
    return snappy_literals(b"".join(encode_series(labels)(struct.pack("<Q", bits), time_ms) for labels, time_ms, bits in samples))


def encode_series(labels: Labels) -> Callable[[bytes, int], bytes]:
    """A function that makes a time series of one sample, from the bytes of its double and its Unix ms; labels are encoded once."""
    encoded = b"".join(_field(1, _label(pair)) for pair in labels)

    def one(value: bytes, time_ms: int) -> bytes:
        return _field(1, encoded + _field(2, b"\x09" + value + b"\x10" + _varint(time_ms)))

    return one


def snappy_literals(data: bytes) -> bytes:
    """A snappy block that holds the data as it is."""
    pieces = [_varint(len(data))]
    for begin in range(0, len(data), 65_536):
        piece = data[begin : begin + 65_536]
        pieces += [b"\xf4", struct.pack("<H", len(piece) - 1), piece]
    return b"".join(pieces)


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
