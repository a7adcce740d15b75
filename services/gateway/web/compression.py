"""Compressed bodies of requests: taken apart within a limit, and never half of one.

aiohttp can do this itself, but takes the beginning of a gzip body that breaks off for the whole of it.
"""

import zlib
from typing import Final

CODINGS: Final = ("gzip", "deflate")
_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15
_RAW_BITS: Final = -15
_PIECE_BYTES: Final = 16 * 1024
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


def _window_bits(body: bytes, coding: str) -> int:
    if coding == "gzip":
        return _GZIP_BITS
    # The header of RFC 1950: method 8, and the first two bytes a multiple of 31.
    has_header = len(body) > 1 and body[0] & 0x0F == zlib.DEFLATED and (body[0] << 8 | body[1]) % 31 == 0
    return _ZLIB_BITS if has_header else _RAW_BITS
