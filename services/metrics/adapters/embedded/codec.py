"""Compression of number columns: pcodec, or shuffled zlib where pcodec is not installed."""

import enum
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

try:
    from pcodec import standalone

    HAS_PCODEC = True
except ImportError:  # no wheel for this platform
    HAS_PCODEC = False

FAST: Final = 2
"""For blocks that will be packed again: two to three times as fast as `GOOD`, and 5 to 10 % larger."""
GOOD: Final = 4
"""Levels above cost up to four times the time for one percent of size (measured on gauges, counters and noise)."""


class Codec(enum.IntEnum):
    """How the columns of a block are compressed; stored with each block."""

    PCODEC = 1
    ZLIB = 2


class CodecError(ValueError):
    """Compressed bytes that do not give the column they should."""


def best_codec() -> Codec:
    """The codec for new blocks on this machine."""
    return Codec.PCODEC if HAS_PCODEC else Codec.ZLIB


def check_available(codec: int) -> None:
    """Make sure that blocks of this codec can be read here.

    Raises:
        CodecError: they cannot.
    """
    if codec != Codec.ZLIB and (codec != Codec.PCODEC or not HAS_PCODEC):
        raise CodecError(f"codec {codec} is not available here; install pcodec")


def shuffle(column: NDArray[Any]) -> bytes:
    """A column of int64 or float64 made small without pcodec: first all first bytes, then all second bytes, and so on."""
    shuffled = np.ascontiguousarray(column).view(np.uint8).reshape(-1, 8).T
    return zlib.compress(shuffled.tobytes(), 6)


def decompress(data: bytes, codec: int, dtype: type[np.int64] | type[np.float64], length: int) -> NDArray[Any]:
    """The column again.

    Raises:
        CodecError: damaged bytes, or a codec that this machine does not have.
    """
    if not length:
        return np.empty(0, dtype)
    check_available(codec)
    if codec == Codec.ZLIB:
        return _unshuffle(data, dtype, length)
    column = np.empty(length, dtype)
    try:
        progress = standalone.simple_decompress_into(data, column)
    except (RuntimeError, TypeError) as error:
        raise CodecError(str(error)) from error
    if progress.n_processed != length or not progress.finished:
        raise CodecError(f"column has {progress.n_processed} values instead of {length}")
    return column


def _unshuffle(data: bytes, dtype: type[np.int64] | type[np.float64], length: int) -> NDArray[Any]:
    try:
        raw = zlib.decompress(data)
    except zlib.error as error:
        raise CodecError(str(error)) from error
    if len(raw) != 8 * length:
        raise CodecError(f"column has {len(raw)} bytes instead of {8 * length}")
    return np.ascontiguousarray(np.frombuffer(raw, np.uint8).reshape(8, -1).T).view(dtype).reshape(-1)
