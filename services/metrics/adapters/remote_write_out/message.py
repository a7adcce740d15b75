"""The protobuf message of Prometheus remote write 1.0, `prometheus.WriteRequest`.

Written by hand, because almost all of it repeats: the labels of a series are encoded once, and a sample of our time has always the
same length, so that all samples of a request are laid out at once.
"""

import struct
from typing import Final

import cramjam
import numpy as np

from services.metrics.domain.ports import Columns, Labels, TimeArray, ValueArray

_SAMPLE_BYTES: Final = 18
"""A sample whose time takes six bytes: two of tag and length, nine of value, seven of time."""
_FROM_MS, _TO_MS = 1 << 35, 1 << 42
"""Times that take six bytes as varint: 1971 to 2109."""
_NEGATIVE: Final = 1 << 64
_MAX_CACHED: Final = 500_000


class MessageEncoder:
    """Encodes samples; keeps the encoded labels of the series that it has met."""

    def __init__(self) -> None:
        self._labels: dict[int, bytes] = {}

    def knows(self, series_id: int) -> bool:
        """Whether the labels of the series are here already."""
        return series_id in self._labels

    def learn(self, series_id: int, labels: Labels) -> None:
        """Take the labels of a series; ids never change their meaning."""
        if len(self._labels) >= _MAX_CACHED:
            self._labels.clear()
        self._labels[series_id] = b"".join(_pair(name, value) for name, value in labels)

    def encode(self, columns: Columns) -> bytes:
        """The request for samples of known series, which stand together and ascend in time within each; compressed by snappy."""
        starts = np.flatnonzero(np.r_[True, columns.ids[1:] != columns.ids[:-1]])
        ends = np.append(starts[1:], len(columns))
        samples, offsets = _samples(columns.timestamps_ms, columns.values)
        parts = []
        of_series = zip(columns.ids[starts].tolist(), offsets[starts].tolist(), offsets[ends].tolist(), strict=True)
        for series_id, start, end in of_series:
            labels = self._labels[series_id]
            parts.append(b"\x0a" + _varint(len(labels) + end - start))
            parts.append(labels)
            parts.append(samples[start:end])
        return bytes(cramjam.snappy.compress_raw(b"".join(parts)))


def _samples(times: TimeArray, values: ValueArray) -> tuple[bytes, TimeArray]:
    """All samples as fields of their series, and where each begins: i64[n + 1]."""
    if len(times) and int(times.min()) >= _FROM_MS and int(times.max()) < _TO_MS:
        rows = np.empty((len(times), _SAMPLE_BYTES), np.uint8)
        rows[:, :3] = (0x12, _SAMPLE_BYTES - 2, 0x09)
        rows[:, 3:11] = np.ascontiguousarray(values).view(np.uint8).reshape(-1, 8)
        rows[:, 11] = 0x10
        for byte in range(6):
            more = 0x80 if byte < 5 else 0
            rows[:, 12 + byte] = ((times >> (7 * byte)) & 0x7F) | more
        return rows.tobytes(), np.arange(len(times) + 1, dtype=np.int64) * _SAMPLE_BYTES
    pieces = []
    for time, value in zip(times.tolist(), values.tolist(), strict=True):
        body = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(time % _NEGATIVE)
        pieces.append(b"\x12" + _varint(len(body)) + body)
    return b"".join(pieces), np.cumsum([0, *map(len, pieces)], dtype=np.int64)


def _pair(name: str, value: str) -> bytes:
    body = b"".join(tag + _varint(len(text)) + text for tag, text in ((b"\x0a", name.encode()), (b"\x12", value.encode())))
    return b"\x0a" + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _ONE_BYTE[number]
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_ONE_BYTE: Final = [bytes([number]) for number in range(0x80)]
