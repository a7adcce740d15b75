"""Compression of number columns: pcodec, or shuffled zlib where pcodec is not installed."""

import enum
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

try:
    from pcodec import ChunkConfig, DeltaSpec, ModeSpec, standalone

    HAS_PCODEC = True
except ImportError:  # no wheel for this platform
    HAS_PCODEC = False

_LEVEL: Final = 4
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


def compress(column: NDArray[Any], codec: Codec) -> bytes:
    """A column of int64 or float64, made small."""
    if not len(column):
        return b""
    if codec is Codec.ZLIB:
        shuffled = np.ascontiguousarray(column).view(np.uint8).reshape(-1, 8).T
        return zlib.compress(shuffled.tobytes(), 6)
    packed: bytes = standalone.simple_compress(np.ascontiguousarray(column), _config(column.dtype.kind))
    return packed


def decompress(data: bytes, codec: int, dtype: type[np.int64] | type[np.float64], length: int) -> NDArray[Any]:
    """The column again.

    Raises:
        CodecError: damaged bytes, or a codec that this machine does not have.
    """
    if not length:
        return np.empty(0, dtype)
    if codec == Codec.ZLIB:
        return _unshuffle(data, dtype, length)
    if codec != Codec.PCODEC or not HAS_PCODEC:
        raise CodecError(f"codec {codec} is not available here; install pcodec")
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


def _config(kind: str) -> Any:
    # Integers come in as differences along time already; doubles may be multiples of something, which pcodec finds out.
    mode = ModeSpec.classic() if kind == "i" else ModeSpec.auto()
    return ChunkConfig(compression_level=_LEVEL, mode_spec=mode, delta_spec=DeltaSpec.no_op())
