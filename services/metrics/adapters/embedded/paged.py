"""A column cut into pages that are compressed together and can be read one by one.

The pages share what the codec found out about the whole column, so that small ones cost next to nothing; who needs one series of a
block decodes its page alone.
"""

import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.codec import Codec, CodecError, check_available, decompress, shuffle

with suppress(ImportError):  # no wheel for this platform: pages are of the other codec
    from pcodec import ChunkConfig, DeltaSpec, ModeSpec, PagingSpec, wrapped

_HEAD: Final = struct.Struct("<BBHI")
"""Kind of the numbers, bytes of the codec's own header, of its description of the column, and number of pages."""

_EMPTY, _ZEROS, _INT32, _INT64, _FLOAT64 = range(5)
_DTYPES: Final[dict[int, type[Any]]] = {_ZEROS: np.int64, _INT32: np.int32, _INT64: np.int64, _FLOAT64: np.float64}
_NAMES: Final = {_INT32: "i32", _INT64: "i64", _FLOAT64: "f64"}
_INT32_MAX: Final = 2**31 - 1


def encode_pages(column: NDArray[Any], page_rows: Sequence[int], codec: Codec, level: int) -> bytes:
    """A column of int64 or float64 as bytes.

    Args:
        column: the numbers.
        page_rows: numbers of each page, all of them together.
        codec: how to compress.
        level: how hard to try, where the codec knows levels.
    """
    if not len(column):
        return _HEAD.pack(_EMPTY, 0, 0, 0)
    kind = _FLOAT64
    if column.dtype.kind == "i":
        low, high = int(column.min()), int(column.max())
        if low == high == 0:
            return _HEAD.pack(_ZEROS, 0, 0, 0)
        kind = _INT32 if low >= -_INT32_MAX and high <= _INT32_MAX else _INT64
    if codec is Codec.ZLIB:
        kind = _INT64 if kind == _INT32 else kind
        return _joined(kind, b"", b"", [shuffle(part) for part in _split(column, page_rows)])
    # Classic: integers come in as differences along time already, and doubles that are multiples of something as integers.
    spec = ChunkConfig(
        compression_level=level,
        mode_spec=ModeSpec.classic(),
        delta_spec=DeltaSpec.no_op(),
        paging_spec=PagingSpec.exact_page_sizes(list(page_rows)),
    )
    made = wrapped.FileCompressor()
    chunk = made.chunk_compressor(column.astype(_DTYPES[kind], copy=False), spec)
    return _joined(kind, made.write_header(), chunk.write_meta(), [chunk.write_page(page) for page in range(len(page_rows))])


def decode_pages(data: bytes, page_rows: Sequence[int], codec: int, dtype: type[Any], wanted: Sequence[int]) -> NDArray[Any]:
    """The numbers of the wanted pages, one page after the other.

    Raises:
        CodecError: damaged bytes, or a codec that this machine does not have.
    """
    kind, header_size, meta_size, pages = _HEAD.unpack_from(data)
    check_available(codec)
    total = sum(page_rows[page] for page in wanted)
    if kind in (_EMPTY, _ZEROS):
        return np.zeros(total, dtype)
    if kind not in _DTYPES or pages != len(page_rows):
        raise CodecError("the pages do not fit the block")
    sizes = np.frombuffer(data, "<u4", pages, _HEAD.size)
    start = _HEAD.size + 4 * pages + header_size + meta_size
    ends = start + np.cumsum(sizes)
    if int(ends[-1]) != len(data):
        raise CodecError("the pages do not fit the block")
    parts = [(data[ends[page] - sizes[page] : ends[page]], page_rows[page]) for page in wanted]
    if codec == Codec.ZLIB:
        return _filled(total, dtype, (decompress(part, codec, dtype, rows) for part, rows in parts))
    meta = start - meta_size
    return _decode_pcodec(data[meta - header_size : meta], data[meta:start], kind, parts, total).astype(dtype, copy=False)


def _decode_pcodec(header: bytes, meta: bytes, kind: int, parts: Sequence[tuple[bytes, int]], total: int) -> NDArray[Any]:
    column = np.empty(total, _DTYPES[kind])
    try:
        opened, _ = wrapped.FileDecompressor.new(header)
        chunk, _ = opened.chunk_decompressor(meta, _NAMES[kind])
        start = 0
        for part, rows in parts:
            progress, _ = chunk.read_page_into(part, rows, column[start : start + rows])
            if progress.n_processed != rows:
                raise CodecError(f"a page has {progress.n_processed} values instead of {rows}")
            start += rows
    except (RuntimeError, TypeError, KeyError) as error:
        raise CodecError(str(error)) from error
    return column


def _joined(kind: int, header: bytes, meta: bytes, pages: list[bytes]) -> bytes:
    sizes = np.array([len(page) for page in pages], "<u4").tobytes()
    return b"".join((_HEAD.pack(kind, len(header), len(meta), len(pages)), sizes, header, meta, *pages))


def _split(column: NDArray[Any], page_rows: Sequence[int]) -> list[NDArray[Any]]:
    return np.split(column, np.cumsum(page_rows)[:-1])


def _filled(total: int, dtype: type[Any], parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    column = np.empty(total, dtype)
    start = 0
    for part in parts:
        column[start : start + len(part)] = part
        start += len(part)
    return column
