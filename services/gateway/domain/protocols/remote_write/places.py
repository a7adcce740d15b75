"""Where the samples of a request stand, and reading them there with array operations."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.gateway.domain.batch import FloatColumn, IntColumn

WIDE_BYTES: Final = 18
"""A sample with value and time: 0x12 0x10, 0x09 and 8 bytes of value, 0x10 and 6 bytes of time."""
NARROW_BYTES: Final = 9
"""A sample whose value is 0, which encoders leave out: 0x12 0x07, 0x10 and 6 bytes of time."""
TIME_BYTES: Final = 6
"""Unix milliseconds take so many bytes of 7 bits from 2004 to 2109."""

Words: TypeAlias = NDArray[np.uint64]
_LOW_BITS: Final = np.uint64(0x7F)


def words(data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> Words:
    """The 8 bytes from each position on as one little-endian word, without a copy; at least 8 bytes."""
    return np.ndarray((len(data) - 7,), "<u8", data, 0, (1,))


@dataclass(frozen=True, slots=True)
class Places:
    """The m samples of a request in the order of their bytes.

    Attributes:
        ends: i64[m], where each sample ends, which is the end of its time.
        wide_rows: which samples have a value, i64; None when all have one.
        value_at: i64, where these values begin.
    """

    ends: IntColumn
    wide_rows: IntColumn | None
    value_at: IntColumn

    @staticmethod
    def of(ends: IntColumn, is_wide: NDArray[np.bool_]) -> "Places":
        """The places of samples that end there, each wide or narrow."""
        if is_wide.all():
            return Places(ends, None, ends - (TIME_BYTES + 9))
        rows = np.flatnonzero(is_wide)
        return Places(ends, rows, ends[rows] - (TIME_BYTES + 9))

    def values(self, of_words: Words) -> FloatColumn:
        """f64[m]."""
        given = of_words[self.value_at].view(np.float64)
        if self.wide_rows is None:
            return given
        values = np.zeros(len(self.ends))
        values[self.wide_rows] = given
        return values

    def times(self, of_words: Words) -> IntColumn:
        """i64[m], Unix milliseconds."""
        return unpacked_times(of_words[self.ends - 8] >> np.uint64(16))


def unpacked_times(packed: Words) -> IntColumn:
    """Numbers from their 6 bytes as a varint, which are the low ones of each word; there are no others."""
    if len(packed) and bool((packed == packed[0]).all()):
        return np.full(len(packed), int(_unpacked(packed[:1])[0]), np.int64)
    return _unpacked(packed)


def _unpacked(packed: Words) -> IntColumn:
    numbers = packed & _LOW_BITS
    for byte in range(1, TIME_BYTES):
        numbers |= ((packed >> np.uint64(8 * byte)) & _LOW_BITS) << np.uint64(7 * byte)
    return numbers.view(np.int64)
