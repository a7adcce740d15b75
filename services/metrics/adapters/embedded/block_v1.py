"""Blocks as the first version of the store wrote them: read still, not written any more.

A header, then the sections `directory`, `times`, `integers` and `doubles`, each compressed as a whole.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.codec import CodecError, decompress
from services.metrics.adapters.embedded.decimals import RAW, to_doubles
from services.metrics.adapters.embedded.segments import offsets_of
from services.metrics.domain.ports import IdArray, TimeArray, ValueArray

_HEADER: Final = struct.Struct("<BBBxIIIII")
VERSION: Final = 1
_SHARED_TIMES: Final = 1


class BadBlockError(ValueError):
    """Bytes that are not the block that was written."""


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of k series, each ascending in time: ids u64[k] ascending, offsets i64[k + 1], times i64[m], values f64[m]."""

    ids: IdArray
    offsets: NDArray[np.int64]
    timestamps_ms: TimeArray
    values: ValueArray


def decode(data: bytes) -> Block:
    """The block again.

    Raises:
        BadBlockError: damaged bytes, or a codec that this machine does not have.
    """
    try:
        return _decode(data)
    except (CodecError, struct.error, zlib.error, ValueError, IndexError, MemoryError) as error:
        raise BadBlockError(str(error)) from error


def _decode(data: bytes) -> Block:
    version, codec, flags, series, *lengths = _HEADER.unpack_from(data)
    if version != VERSION or _HEADER.size + sum(lengths) != len(data):
        raise BadBlockError("not a block of this version")
    sections = []
    start = _HEADER.size
    for length in lengths:
        sections.append(data[start : start + length])
        start += length
    directory = np.frombuffer(zlib.decompress(sections[0]), np.int64)
    ids = np.cumsum(directory[:series]).astype(np.uint64)
    counts = directory[series : 2 * series]
    places = directory[2 * series : 3 * series].astype(np.uint8)
    shared = bool(flags & _SHARED_TIMES)
    first_integers_at = 3 * series + (1 if shared else series)
    offsets = offsets_of(counts)
    total = int(offsets[-1])

    times = _unstep(
        decompress(sections[1], codec, np.int64, int(counts[0]) if shared else total),
        directory[3 * series : first_integers_at],
        counts[:1] if shared else counts,
    )
    if shared:
        times = np.tile(times, series)

    decimal = places != RAW
    decimal_counts = counts[decimal]
    integer_total = int(decimal_counts.sum())
    integers = _unstep(decompress(sections[2], codec, np.int64, integer_total), directory[first_integers_at:], decimal_counts)
    row_places = np.repeat(places[decimal], decimal_counts)
    decimals = to_doubles(integers, row_places)
    if integer_total == total:
        return Block(ids, offsets, times, decimals)
    values = np.empty(total)
    decimal_rows = np.repeat(decimal, counts)
    values[decimal_rows] = decimals
    values[~decimal_rows] = decompress(sections[3], codec, np.float64, total - integer_total)
    return Block(ids, offsets, times, values)


def _unstep(steps: NDArray[np.int64], first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The inverse of `_steps`; sums may wrap around, which the second addition undoes."""
    if len(first) != len(counts):
        raise BadBlockError("the directory does not fit the columns")
    if not len(counts):
        return steps
    if len(counts) == 1:
        return np.cumsum(steps) + first
    sums = np.cumsum(steps)
    starts = np.cumsum(counts) - counts
    column: NDArray[np.int64] = sums + np.repeat(first - sums[starts], counts)
    return column
