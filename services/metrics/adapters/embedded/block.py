"""Blocks: a few hundred to some thousand samples of up to 64 like series, compressed together.

Like series (one metric on many servers) share their scale, their rhythm and often their very timestamps, so a block stores the
times once when all its series have the same, and the codec sees one long column of similar differences.

The bytes of a block are: a header, then the sections `directory`, `times`, `integers` and `doubles`. The directory is a zlib
column of int64: ids (as differences), counts, decimals, first times and first integers of the series.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.codec import Codec, CodecError, compress, decompress
from services.metrics.adapters.embedded.decimals import RAW, to_doubles, to_integers
from services.metrics.adapters.embedded.segments import offsets_of
from services.metrics.domain.ports import IdArray, TimeArray, ValueArray

_HEADER: Final = struct.Struct("<BBBxIIIII")
_VERSION: Final = 1
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

    @property
    def size_bytes(self) -> int:
        """Memory that the block takes."""
        return int(self.ids.nbytes + self.offsets.nbytes + self.timestamps_ms.nbytes + self.values.nbytes)


def encode(block: Block, places: NDArray[np.uint8], codec: Codec) -> bytes:
    """The block as bytes, given the decimals of each series (`decimal_places`)."""
    starts, counts = block.offsets[:-1], np.diff(block.offsets)
    times, shared = block.timestamps_ms, False
    if bool((counts == counts[0]).all()):
        table = times.reshape(len(counts), -1)
        shared = bool((table == table[0]).all())
        times = table[0] if shared else times
    first_times = times[:1] if shared else times[starts]
    time_steps = _steps(times, np.zeros(1, np.int64) if shared else starts)

    decimal = places != RAW
    if decimal.all():
        decimal_rows: NDArray[np.bool_] | slice = slice(None)
    else:
        decimal_rows = np.repeat(decimal, counts)
    decimal_counts = counts[decimal]
    integers = to_integers(block.values[decimal_rows], np.repeat(places[decimal], decimal_counts))
    integer_starts = np.cumsum(decimal_counts) - decimal_counts
    first_integers = integers[integer_starts]
    doubles = np.empty(0) if isinstance(decimal_rows, slice) else block.values[~decimal_rows]

    id_steps = np.diff(block.ids.astype(np.int64), prepend=0)
    directory = np.concatenate([id_steps, counts, places.astype(np.int64), first_times, first_integers])
    sections = [
        zlib.compress(directory.tobytes(), 1),
        compress(time_steps, codec),
        compress(_steps(integers, integer_starts), codec),
        compress(doubles, codec),
    ]
    header = _HEADER.pack(_VERSION, codec, _SHARED_TIMES if shared else 0, len(counts), *(len(section) for section in sections))
    return b"".join([header, *sections])


def decode(data: bytes) -> Block:
    """The block again.

    Raises:
        BadBlockError: damaged bytes, or a codec that this machine does not have.
    """
    try:
        return _decode(data)
    except (CodecError, struct.error, zlib.error, ValueError, IndexError, MemoryError) as error:
        raise BadBlockError(str(error)) from error


def checksum(data: bytes) -> int:
    """CRC-32 of the bytes of a block, unsigned."""
    return zlib.crc32(data)


def _decode(data: bytes) -> Block:
    version, codec, flags, series, *lengths = _HEADER.unpack_from(data)
    if version != _VERSION or _HEADER.size + sum(lengths) != len(data):
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


def _steps(column: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Differences along each run; 0 at its start, whose value the directory has."""
    steps = np.empty_like(column)
    if len(column):
        np.subtract(column[1:], column[:-1], out=steps[1:])
        steps[starts] = 0
    return steps


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
