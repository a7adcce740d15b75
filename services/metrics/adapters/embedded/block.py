"""Blocks: some hundred to some ten thousand samples of up to 64 like series, compressed together.

Like series (one metric on many servers) share their scale, their rhythm and often their very timestamps, so a block stores the
times once when all its series have the same, and the codec sees one long column of similar differences. The columns are cut into
pages of some series each, so that one series of a block is read without the others.

The bytes of a block are: a header, then the sections `directory`, `times`, `integers` and `doubles`. The directory is a zlib
column of int64: ids (as differences), counts, decimals, first times and first integers of the series.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded import block_v1
from services.metrics.adapters.embedded.codec import Codec, CodecError
from services.metrics.adapters.embedded.decimals import RAW, to_doubles, to_integers
from services.metrics.adapters.embedded.paged import decode_pages, encode_pages
from services.metrics.adapters.embedded.segments import offsets_of, row_numbers
from services.metrics.domain.ports import IdArray, TimeArray, ValueArray

_HEADER: Final = struct.Struct("<BBBBIIIIII")
VERSION: Final = 2
_SHARED_TIMES: Final = 1
_PAGE_VALUES: Final = 2_048
"""A page holds whole series, and at least this many values unless the block has fewer."""

BadBlockError = block_v1.BadBlockError
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packed:
    """Samples of k series as they are compressed: every column as differences along time.

    Attributes:
        ids: u64[k], ascending.
        counts: i64[k], samples of each.
        places: u8[k], decimals of each, or `RAW`.
        first_times: i64[k], or i64[1] when all series have the same times.
        time_steps: i64[samples], or i64[counts[0]] when the times are the same; 0 at the start of each series.
        first_integers, integer_steps: the same of the values of decimal series.
        doubles: f64, values of the other series.
    """

    ids: IdArray
    counts: Integers
    places: NDArray[np.uint8]
    shared: bool
    first_times: Integers
    time_steps: Integers
    first_integers: Integers
    integer_steps: Integers
    doubles: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of k series, each ascending in time: ids u64[k] ascending, offsets i64[k + 1], values f64[m].

    `times` is i64[m], or i64[offsets[1]] where all series have the same (`shared`).
    """

    ids: IdArray
    offsets: Integers
    times: TimeArray
    values: ValueArray
    shared: bool = False

    @property
    def size_bytes(self) -> int:
        """Memory that the block takes."""
        return int(self.ids.nbytes + self.offsets.nbytes + self.times.nbytes + self.values.nbytes)

    @property
    def timestamps_ms(self) -> TimeArray:
        """Time of each sample."""
        return np.tile(self.times, len(self.ids)) if self.shared else self.times


def checksum(data: bytes) -> int:
    """CRC-32 of the bytes of a block, unsigned."""
    return zlib.crc32(data)


def pack(block: Block, places: NDArray[np.uint8]) -> Packed:
    """The block as it is compressed, given the decimals that hold the values of each series (`decimal_places`)."""
    counts = np.diff(block.offsets)
    times, shared = block.times, block.shared
    if not shared and bool((counts == counts[0]).all()):
        table = times.reshape(len(counts), -1)
        if bool((table == table[0]).all()):
            times, shared = table[0], True
    starts = np.zeros(1, np.int64) if shared else block.offsets[:-1]
    decimal = places != RAW
    decimal_counts = counts[decimal]
    if decimal.all():
        integers, doubles = to_integers(block.values, np.repeat(places, counts)), np.empty(0)
    else:
        rows = np.repeat(decimal, counts)
        integers = to_integers(block.values[rows], np.repeat(places[decimal], decimal_counts))
        doubles = block.values[~rows]
    integer_starts = np.cumsum(decimal_counts) - decimal_counts
    return Packed(
        block.ids,
        counts,
        places,
        shared,
        times[starts],
        _steps(times, starts),
        integers[integer_starts],
        _steps(integers, integer_starts),
        doubles,
    )


def encode(packed: Packed, codec: Codec, level: int) -> bytes:
    """The bytes of a block."""
    decimal = packed.places != RAW
    page_runs = _page_runs(packed.counts)
    counts = packed.counts
    directory = np.concatenate(
        [
            np.diff(packed.ids.astype(np.int64), prepend=0),
            counts,
            packed.places.astype(np.int64),
            packed.first_times,
            packed.first_integers,
        ]
    )
    time_rows = counts[:1].tolist() if packed.shared else _page_rows(counts, page_runs)
    sections = [
        zlib.compress(directory.tobytes(), 1),
        encode_pages(packed.time_steps, time_rows, codec, level),
        encode_pages(packed.integer_steps, _page_rows(counts[decimal], page_runs), codec, level),
        encode_pages(packed.doubles, _page_rows(counts[~decimal], page_runs), codec, level),
    ]
    flags = _SHARED_TIMES if packed.shared else 0
    header = _HEADER.pack(VERSION, codec, flags, 0, len(counts), page_runs, *map(len, sections))
    return b"".join([header, *sections])


def decode(data: bytes, wanted: IdArray | None = None) -> Block:
    """The samples of a block, those of the wanted ids alone if given.

    Raises:
        BadBlockError: damaged bytes, or a codec that this machine does not have.
    """
    try:
        if data[:1] == bytes([block_v1.VERSION]):
            return _of_v1(data, wanted)
        return unpack(decode_packed(data, wanted))
    except (CodecError, struct.error, zlib.error, ValueError, IndexError, MemoryError) as error:
        raise BadBlockError(str(error)) from error


def decode_packed(data: bytes, wanted: IdArray | None = None) -> Packed:
    """A block as it is compressed, the wanted ids alone if given.

    Raises:
        CodecError, struct.error, zlib.error, ValueError, IndexError, MemoryError: damaged bytes.
    """
    version, codec, flags, _, series, page_runs, *lengths = _HEADER.unpack_from(data)
    if version != VERSION or _HEADER.size + sum(lengths) != len(data):
        raise BadBlockError("not a block of this version")
    sections = []
    start = _HEADER.size
    for length in lengths:
        sections.append(data[start : start + length])
        start += length
    directory = np.frombuffer(zlib.decompress(sections[0]), np.int64)
    shared = bool(flags & _SHARED_TIMES)
    ids = np.cumsum(directory[:series]).astype(np.uint64)
    counts = directory[series : 2 * series]
    places = directory[2 * series : 3 * series].astype(np.uint8)
    first_integers_at = 3 * series + (1 if shared else series)
    first_times, first_integers = directory[3 * series : first_integers_at], directory[first_integers_at:]
    decimal = places != RAW
    if len(first_integers) != np.count_nonzero(decimal):
        raise BadBlockError("the directory does not fit the columns")
    chosen = None if wanted is None else np.isin(ids, wanted)
    if shared:
        time_rows = counts[:1].tolist()
        time_steps = decode_pages(sections[1], time_rows, codec, np.int64, range(len(time_rows)))
    else:
        time_steps = _column(sections[1], codec, np.int64, counts, page_runs, chosen)
    integer_steps = _column(sections[2], codec, np.int64, counts[decimal], page_runs, None if chosen is None else chosen[decimal])
    doubles = _column(sections[3], codec, np.float64, counts[~decimal], page_runs, None if chosen is None else chosen[~decimal])
    if chosen is not None:
        ids, counts, places = ids[chosen], counts[chosen], places[chosen]
        first_times = first_times if shared else first_times[chosen]
        first_integers = first_integers[chosen[decimal]]
    return Packed(ids, counts, places, shared, first_times, time_steps, first_integers, integer_steps, doubles)


def unpack(packed: Packed) -> Block:
    """The samples again."""
    counts, places = packed.counts, packed.places
    offsets = offsets_of(counts)
    if not len(counts):
        return Block(packed.ids, offsets, np.empty(0, np.int64), np.empty(0))
    times = _unstep(packed.time_steps, packed.first_times, counts[:1] if packed.shared else counts)
    decimal = places != RAW
    decimal_counts = counts[decimal]
    integers = _unstep(packed.integer_steps, packed.first_integers, decimal_counts)
    decimals = to_doubles(integers, np.repeat(places[decimal], decimal_counts))
    if decimal.all():
        return Block(packed.ids, offsets, times, decimals, packed.shared)
    values = np.empty(int(offsets[-1]))
    rows = np.repeat(decimal, counts)
    values[rows] = decimals
    values[~rows] = packed.doubles
    return Block(packed.ids, offsets, times, values, packed.shared)


def _of_v1(data: bytes, wanted: IdArray | None) -> Block:
    old = block_v1.decode(data)
    block = Block(old.ids, old.offsets, old.timestamps_ms, old.values)
    if wanted is None:
        return block
    runs = np.flatnonzero(np.isin(block.ids, wanted))
    counts = np.diff(block.offsets)[runs]
    rows = row_numbers(block.offsets[runs], counts)
    return Block(block.ids[runs], offsets_of(counts), block.times[rows], block.values[rows])


def _column(
    data: bytes, codec: int, dtype: type[Any], counts: Integers, page_runs: int, chosen: NDArray[np.bool_] | None
) -> NDArray[Any]:
    """The chosen runs of a column; pages without any are not looked at."""
    rows = _page_rows(counts, page_runs)
    if chosen is None:
        return decode_pages(data, rows, codec, dtype, range(len(rows)))
    runs = np.flatnonzero(chosen)
    if not len(runs):
        return np.empty(0, dtype)
    pages = np.unique(runs // page_runs)
    read = decode_pages(data, rows, codec, dtype, pages.tolist())
    held = (pages[:, None] * page_runs + np.arange(page_runs)).ravel()
    held = held[held < len(counts)]
    starts = np.cumsum(counts[held]) - counts[held]
    return read[row_numbers(starts[np.searchsorted(held, runs)], counts[runs])]


def _page_runs(counts: Integers) -> int:
    """Series a page has."""
    return max(1, _PAGE_VALUES * len(counts) // max(1, int(counts.sum())))


def _page_rows(counts: Integers, page_runs: int) -> list[int]:
    """Values of each page."""
    if not len(counts):
        return []
    rows: list[int] = np.add.reduceat(counts, np.arange(0, len(counts), page_runs)).tolist()
    return rows


def _steps(column: Integers, starts: Integers) -> Integers:
    """Differences along each run; 0 at its start, whose value the directory has."""
    steps = np.empty_like(column)
    if len(column):
        np.subtract(column[1:], column[:-1], out=steps[1:])
        steps[starts] = 0
    return steps


def _unstep(steps: Integers, first: Integers, counts: Integers) -> Integers:
    """The inverse of `_steps`; sums may wrap around, which the second addition undoes."""
    if len(first) != len(counts) or int(counts.sum()) != len(steps):
        raise BadBlockError("the directory does not fit the columns")
    if not len(counts):
        return steps
    if len(counts) == 1:
        return np.cumsum(steps) + first
    if bool((counts == counts[0]).all()):
        table = steps.reshape(len(counts), -1).copy()
        table[:, 0] = first
        return np.cumsum(table, axis=1).ravel()
    sums = np.cumsum(steps)
    starts = np.cumsum(counts) - counts
    column: Integers = sums + np.repeat(first - sums[starts], counts)
    return column
