"""The wire format of Protocol Buffers (protobuf.dev, "Encoding"), read field by field.

It is read here, and not by a library, where every sample would cost an object of its own.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
_SIZES: Final = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT_BYTES: Final = 10

Field: TypeAlias = tuple[int, int, int, int]
"""Number and type of a field, and where its payload begins and ends; that of a varint is its bytes."""


class WireError(ValueError):
    """Bytes that are no message; the text says why, for a person."""


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The unsigned number that begins at `at`, and where it ends.

    Raises:
        WireError: it does not end before `end`, or has more than 64 bits.
    """
    value = shift = 0
    for position in range(at, min(end, at + _MAX_VARINT_BYTES)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, position + 1
        shift += 7
    raise WireError("a number is broken off or has more than 64 bits")


def fields(data: bytes, at: int, end: int) -> Iterator[Field]:
    """The fields of the message in `data[at:end]`.

    Raises:
        WireError: on the way, where the bytes are no message.
    """
    while at < end:
        tag = data[at]
        if tag < 0x80:  # as nearly all are: one byte, for which a call would cost more than the rest
            at += 1
        else:
            tag, at = varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise WireError(f"{number} is no number of a field")
        if kind == BYTES:
            size = data[at] if at < end else 0x80
            if size < 0x80:
                begin = at + 1
            else:
                size, begin = varint(data, at, end)
            at = begin + size
        elif kind == VARINT:
            begin = at
            _, at = varint(data, at, end)
        elif kind in _SIZES:
            begin = at
            at += _SIZES[kind]
        else:
            raise WireError(f"wire type {kind} is not in use")
        if at > end:
            raise WireError("a field is broken off")
        yield number, kind, begin, at


def signed(value: int) -> int:
    """An `int64` as the number that was read stands for it."""
    return value - (1 << 64) if value >> 63 else value
