"""Compressed bodies of requests: taken apart within a limit, and never half of one.

aiohttp can do this itself, but takes the beginning of a gzip body that breaks off for the whole of it.
"""

import zlib
from typing import Final

import cramjam

CODINGS: Final = ("gzip", "deflate")
_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15
_RAW_BITS: Final = -15
_PIECE_BYTES: Final = 16 * 1024
_MAX_SNAPPY_LENGTH_BYTES: Final = 5
_MAX_SNAPPY_RATIO: Final = 32
"""The format gets 64 bytes out of two at most: a copy of the longest kind."""
_MAX_MEMBERS: Final = 1000
"""A gzip body may be several one after the other; each costs some microseconds, so that their number is limited."""


class BrokenBodyError(Exception):
    """The body is broken off or not compressed as it says."""


class TooLargeBodyError(Exception):
    """The body is larger than allowed once it is decompressed."""


def decompress(body: bytes, coding: str, limit: int) -> bytes:
    """The body as it was before it was compressed.

    Args:
        body: the compressed bytes; an empty body stays one.
        coding: one of `CODINGS` (RFC 9110, section 8.4.1); deflate without its zlib header is taken as well.
        limit: how many bytes it may come to.

    Raises:
        BrokenBodyError: it does not end as it should.
        TooLargeBodyError: it is larger than `limit`, of which no more is made.
    """
    view = memoryview(body)
    parts: list[bytes] = []
    size = at = members = 0
    while at < len(view):
        members += 1
        if members > (_MAX_MEMBERS if coding == "gzip" else 1):
            raise BrokenBodyError
        member = zlib.decompressobj(_window_bits(body, coding))
        while not member.eof:
            piece = view[at : at + _PIECE_BYTES]
            if not piece:
                raise BrokenBodyError
            try:
                part = member.decompress(piece, limit - size + 1)
            except zlib.error:
                raise BrokenBodyError from None
            size += len(part)
            if size > limit:
                raise TooLargeBodyError
            parts.append(part)
            at += len(piece) - len(member.unused_data)
    return b"".join(parts)


def snappy_size(body: bytes) -> int:
    """How many bytes a body in snappy's block format comes to, which stands at its beginning.

    Raises:
        BrokenBodyError: it is no such body, or says more than there can be.
    """
    size = 0
    for k, byte in enumerate(body[:_MAX_SNAPPY_LENGTH_BYTES]):
        size |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            if size > _MAX_SNAPPY_RATIO * len(body):
                raise BrokenBodyError
            return size
    raise BrokenBodyError


def decompress_snappy(body: bytes) -> memoryview:
    """A body in snappy's block format as it was before; the caller has looked at `snappy_size`.

    Raises:
        BrokenBodyError: it is no such body.
    """
    try:
        return memoryview(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError:
        raise BrokenBodyError from None


def _window_bits(body: bytes, coding: str) -> int:
    if coding == "gzip":
        return _GZIP_BITS
    # The header of RFC 1950: method 8, and the first two bytes a multiple of 31.
    has_header = len(body) > 1 and body[0] & 0x0F == zlib.DEFLATED and (body[0] << 8 | body[1]) % 31 == 0
    return _ZLIB_BITS if has_header else _RAW_BITS
