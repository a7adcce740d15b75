"""What stands in a line of InfluxDB's protocol: values of fields, timestamps, names."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import orjson

from services.common.errors import FieldError, InvalidArgumentError
from services.gateway.domain.batch import PIECE, BadSampleError, FloatColumn

_UNITS_MS: Final = {
    "": (1, 1_000_000),
    "n": (1, 1_000_000),
    "ns": (1, 1_000_000),
    "u": (1, 1000),
    "µ": (1, 1000),
    "us": (1, 1000),
    "ms": (1, 1),
    "s": (1000, 1),
    "m": (60_000, 1),
    "h": (3_600_000, 1),
}
"""Factor and divisor that make a timestamp milliseconds."""
_LAST_MS: Final = 2**62
_BOOLEANS: Final = {
    **dict.fromkeys((b"t", b"T", b"true", b"True", b"TRUE"), 1.0),
    **dict.fromkeys((b"f", b"F", b"false", b"False", b"FALSE"), 0.0),
}
_FLOAT: Final = re.compile(rb"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_INTEGER: Final = re.compile(rb"([-+]?[0-9]{1,19})i|(\+?[0-9]{1,20})u")
_INTEGER_LIMIT: Final = 2.0**63
"""Beyond it an integer is out of range; a float may be, but hardly ever is."""
_TIMESTAMP: Final = re.compile(rb"[-+]?[0-9]{1,19}")


def plain_numbers(values: Sequence[bytes]) -> FloatColumn | None:
    """The numbers that many values stand for, when all are written as machines write them: f64, one a value.

    It accepts nothing that `field_value` refuses and costs a tenth; None leaves the values to that.
    """
    pieces: list[FloatColumn] = []
    for start in range(0, len(values), PIECE):
        piece = _plain_numbers(values[start : start + PIECE])
        if piece is None:
            return None
        pieces.append(piece)
    return np.concatenate([np.empty(0), *pieces])


def _plain_numbers(values: Sequence[bytes]) -> FloatColumn | None:
    text = b",".join([*values, b""])
    if b"\t" in text or b"\r" in text or b"\n" in text:  # space to JSON
        return None
    if b"i," in text:
        # An integer has nothing but digits before its mark.
        marks = text.translate(None, b"-+0123456789")
        if b".i," in marks or b"ei," in marks or b"Ei," in marks:
            return None
        text = text.replace(b"i,", b",")
    try:
        numbers = orjson.loads(b"[%b0]" % text)
    except orjson.JSONDecodeError:
        return None
    if len(numbers) != len(values) + 1 or not {int, float, bool}.issuperset(map(type, numbers)):
        return None
    column = np.array(numbers[:-1], np.float64)
    return column if float(np.abs(column).max()) < _INTEGER_LIMIT else None


def field_value(value: bytes) -> float | None:
    """The number that a field's value stands for, None for a text.

    Raises:
        BadSampleError: it is no value.
    """
    if _FLOAT.fullmatch(value):
        return float(value)
    if value in _BOOLEANS:
        return _BOOLEANS[value]
    if len(value) > 1 and value.startswith(b'"') and value.endswith(b'"'):
        return None
    whole = _INTEGER.fullmatch(value)
    if whole is None:
        raise BadSampleError("INVALID_VALUE", f"{shown(value)} is no value of a field")
    integer = int(whole[1] or whole[2])
    if not (-(2**63) <= integer < 2**63 if whole[1] else integer < 2**64):
        raise BadSampleError("INVALID_VALUE", f"{shown(value)} is out of the range of its type")
    return float(integer)


class Timestamps:
    """Reads the timestamps of one request.

    Args:
        precision: their unit: ns (also n, or empty), us (u, µ), ms, s, m or h.
        now_ms: the time of a line without one.

    Raises:
        InvalidArgumentError: there is no such unit.
    """

    def __init__(self, precision: str, now_ms: int) -> None:
        if precision not in _UNITS_MS:
            problem = "must be one of ns, us, ms, s, m, h"
            raise InvalidArgumentError(f"precision {problem}", fields=[FieldError("precision", problem)])
        self._factor, self._divisor = _UNITS_MS[precision]
        self._known = {b"": now_ms}  # most lines of a request share theirs

    def milliseconds(self, text: bytes) -> int:
        """Unix milliseconds.

        Raises:
            BadSampleError: it is no timestamp.
        """
        time_ms = self._known.get(text)
        if time_ms is None:
            if not _TIMESTAMP.fullmatch(text):
                raise BadSampleError("INVALID_TIMESTAMP", f"{shown(text)} is no timestamp, which is a whole number")
            time_ms = int(text) * self._factor // self._divisor
            if abs(time_ms) > _LAST_MS:
                raise BadSampleError("INVALID_TIMESTAMP", f"{shown(text)} is out of range; is the precision right?")
            self._known[text] = time_ms
        return time_ms


def name_text(raw: bytes, escaped: re.Pattern[str]) -> str:
    """A name or the value of a tag without the backslashes before characters that `escaped` finds.

    Raises:
        BadSampleError: it is not in UTF-8.
    """
    try:
        return escaped.sub(r"\1", raw.decode())
    except UnicodeDecodeError:
        raise BadSampleError("INVALID_UTF8", f"{shown(raw)} is not in UTF-8") from None


def shown(raw: bytes) -> str:
    """The beginning of some bytes, for a message."""
    return repr(raw[:60].decode("utf-8", "replace"))
