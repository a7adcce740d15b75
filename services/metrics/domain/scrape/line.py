"""One line of a page of samples.

Grammar: Prometheus text exposition format 0.0.4 and OpenMetrics 1.0, whose samples differ in the time's unit and in exemplars.
"""

import re
from dataclasses import dataclass
from typing import Final

NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*')
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", '"': '"', "\\": "\\"}
_HEXADECIMAL: Final = re.compile(r"[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)p[+-]?\d+", re.IGNORECASE | re.ASCII)
_WHOLE: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_SHOWN: Final = 60
TYPES: Final = frozenset(("counter", "gauge", "histogram", "summary", "untyped"))
OPENMETRICS_TYPES: Final = frozenset(
    ("counter", "gauge", "histogram", "gaugehistogram", "stateset", "info", "summary", "unknown", "untyped")
)


class LineError(ValueError):
    """A line that is no sample; the message says what is wrong with it, without its number."""


@dataclass(frozen=True, slots=True)
class Series:
    """The series part of a line, `name{label="value"}`: its name, and its labels without the name as they stand there."""

    name: str
    labels: tuple[tuple[str, str], ...]


def split(line: str) -> tuple[str, str]:
    """The series part of a line that is neither empty nor a comment, and the rest.

    Raises:
        LineError: labels that are not closed, or no value.
    """
    opened = line.find("{")
    space = _first_space(line)
    if opened < 0 or (0 <= space < opened and line[space:opened].strip(" \t")):
        if space <= 0:
            raise LineError(f"{shown(line)} has no value")
        return line[:space], line[space:]
    end = _end_of_labels(line, opened + 1)
    if end < 0:
        raise LineError(f"the labels of {shown(line)} are not closed")
    return line[: end + 1], line[end + 1 :]


def read_series(text: str) -> Series:
    """The series part of a line.

    Raises:
        LineError: a name or label that cannot be one, or a label that is there twice.
    """
    name, brace, rest = text.strip(" \t").partition("{")
    name = name.rstrip(" \t")
    if not NAME.fullmatch(name):
        raise LineError(f"{shown(name)} is no name of a metric")
    if not brace:
        return Series(name, ())
    body = rest[:-1]
    labels: dict[str, str] = {}
    at = 0
    while body[at:].strip(" \t"):
        found = _LABEL.match(body, at)
        if found is None:
            raise LineError(f'{shown(body[at:])} is no label; one is written name="value"')
        label, value = found[1], found[2]
        if label in labels:
            raise LineError(f"label {label} is there twice")
        labels[label] = _ESCAPE.sub(_unescaped, value) if "\\" in value else value
        at = found.end()
        if at < len(body):
            if body[at] != ",":
                raise LineError(f"a comma is missing before {shown(body[at:])}")
            at += 1
    return Series(name, tuple(labels.items()))


def read_value(text: str) -> float:
    """A value as Go writes it, which is how both formats have it.

    Raises:
        LineError: it is no number.
    """
    if "_" not in text and text.isascii():
        try:
            return float(text)
        except ValueError:
            pass
    if _HEXADECIMAL.fullmatch(text):
        return float.fromhex(text)
    raise LineError(f"{shown(text)} is no number")


def read_time_ms(text: str, *, openmetrics: bool) -> int:
    """A time in Unix milliseconds: written so in the text format, as seconds in OpenMetrics.

    Raises:
        LineError: it is no time.
    """
    if not openmetrics:
        if _WHOLE.fullmatch(text):
            return int(text)
    elif abs(seconds := read_value(text)) < 1e15:
        return round(seconds * 1000)
    raise LineError(f"{shown(text)} is no time")


def check_comment(line: str, *, openmetrics: bool) -> None:
    """Let a comment pass unless it declares a type that there is not.

    Raises:
        LineError: it does.
    """
    words = line.split(None, 3)
    if len(words) < 2 or words[0] != "#" or words[1] != "TYPE":
        return
    if len(words) < 4 or not NAME.fullmatch(words[2]):
        raise LineError(f"{shown(line)} gives no metric a type")
    known = OPENMETRICS_TYPES if openmetrics else TYPES | OPENMETRICS_TYPES
    if words[3].strip() not in known:
        raise LineError(f"{shown(words[3])} is no type of a metric")


def shown(text: str) -> str:
    """The text for a message, shortened."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def _first_space(line: str) -> int:
    places = [place for place in (line.find(" "), line.find("\t")) if place >= 0]
    return min(places, default=-1)


def _end_of_labels(line: str, at: int) -> int:
    """Where the brace is that closes the labels; one within a quoted value does not."""
    while True:
        closing, quote = line.find("}", at), line.find('"', at)
        if quote < 0 or 0 <= closing < quote:
            return closing
        at = quote + 1
        while True:
            quote, escape = line.find('"', at), line.find("\\", at)
            if quote < 0:
                return -1
            if 0 <= escape < quote:
                at = escape + 2
                continue
            at = quote + 1
            break


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1], found[0])
