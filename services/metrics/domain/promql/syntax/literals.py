"""Values of numbers, durations and strings as they are written in an expression.

Source: Prometheus 2.42, `parser.number` and `util/strutil.Unquote`; prometheus/common `model.ParseDuration`.
"""

import re
from typing import Final

_MAX_DURATION_MS: Final = (2**63 - 1) // 1_000_000
"""Prometheus counts nanoseconds in 64 bits: 292 years."""

_UNITS_MS: Final = (
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
)
_DURATION: Final = re.compile("".join(f"(?:([0-9]+){unit})?" for unit, _ in _UNITS_MS))
_INTEGER: Final = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
_FLOAT: Final = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ESCAPE: Final = re.compile(r"\\(?:x(?P<byte>..)|(?P<octal>[0-7]{3})|u(?P<short>.{4})|U(?P<long>.{8})|(?P<letter>.))", re.DOTALL)
_LETTERS: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def number_of(text: str) -> float:
    """The value of a number.

    Raises:
        ValueError: it is none; the message is for the error.
    """
    if text.lower() in ("inf", "nan"):
        return float(text)
    if _INTEGER.fullmatch(text):
        base = 16 if text[:2] in ("0x", "0X") else 8 if text.startswith("0") else 10
        whole = int(text, base)
        # Beyond 64 bits a number is read as a decimal fraction, which knows no octal digits.
        return float(whole) if whole < 2**63 else float(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value == float("inf"):
            raise ValueError(f'error parsing number: strconv.ParseFloat: parsing "{text}": value out of range')
        return value
    raise ValueError(f'error parsing number: strconv.ParseFloat: parsing "{text}": invalid syntax')


def duration_ms(text: str) -> int:
    """A duration such as `1h30m`; more than zero.

    Raises:
        ValueError: it is none; the message is for the error.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f'not a valid duration string: "{text}"')
    total = sum(int(count) * unit_ms for count, (_, unit_ms) in zip(found.groups(), _UNITS_MS, strict=True) if count)
    if total > _MAX_DURATION_MS:
        raise ValueError("duration out of range")
    if total == 0:
        raise ValueError("duration must be greater than 0")
    return total


def text_of(literal: str) -> str:
    """The value of a string whose quotes and escapes the lexer has checked."""
    inside = literal[1:-1]
    if literal[0] == "`" or "\\" not in inside:
        return inside
    parts, done = [], 0
    for escape in _ESCAPE.finditer(inside):
        parts += [inside[done : escape.start()].encode(), _escaped(escape)]
        done = escape.end()
    parts.append(inside[done:].encode())
    return b"".join(parts).decode(errors="replace")


def _escaped(escape: re.Match[str]) -> bytes:
    if escape["byte"]:
        return bytes([int(escape["byte"], 16)])
    if escape["octal"]:
        return bytes([int(escape["octal"], 8)])
    code = escape["short"] or escape["long"]
    if code:
        return chr(int(code, 16)).encode()
    return _LETTERS.get(escape["letter"], escape["letter"]).encode()
