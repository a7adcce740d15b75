"""How label sets are written in InfluxDB, and read back.

The metric name is the measurement and every other label a tag. Some names and values need another form:

- A label whose name means something else to InfluxDB (`time`, the names of our fields, …) becomes `label.NAME`; no label name has
  a dot, so this cannot meet another.
- Line protocol has no way to write a line break or a backslash before a separator, and some servers drop points with unprintable
  characters. Values with such characters, and those that begin with `%:`, are written as `%:` and the value percent-encoded.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from services.metrics.domain.ports import NAME_LABEL, Labels

VALUE_FIELD: Final = "value"
BITS_FIELD: Final = "bits"
"""Has the bits of doubles that InfluxDB cannot hold as numbers: NaN in all its forms, the infinities, minus zero."""

MAX_KEY_BYTES: Final = 65_535
"""Longest measurement with tags that InfluxDB takes."""

_RESERVED: Final = frozenset(
    {"time", VALUE_FIELD, BITS_FIELD, "_field", "_measurement", "_time", "_value", "_start", "_stop", "_tagKey"}
)
_PREFIX: Final = "label."
_MARK: Final = "%:"
_PLAIN: Final = re.compile(r"[0-9A-Za-z_.:/@+\-]*")
_ESCAPES: Final = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})


def tag_key(name: str) -> str:
    """The tag of a label."""
    return _PREFIX + name if name in _RESERVED else name


def tag_value(value: str) -> str:
    """The value of a tag."""
    if _PLAIN.fullmatch(value):
        return value
    if not value.startswith(_MARK) and not any(map(_needs_code, value)):
        return value
    return _MARK + "".join(
        quote(character, safe="") if character == "%" or _needs_code(character) else character for character in value
    )


def labels_of(measurement: str, tags: Mapping[str, str]) -> Labels:
    """The label set of a series as InfluxDB tells it; tags that the series does not have come as empty."""
    pairs = [
        (key.removeprefix(_PREFIX), unquote(value[2:]) if value.startswith(_MARK) else value)
        for key, value in tags.items()
        if value
    ]
    return tuple(sorted([(NAME_LABEL, measurement), *pairs]))


def line_key(labels: Labels) -> str:
    """The series as line protocol begins a line: measurement, then tags in ascending order, which servers index fastest."""
    measurement = ""
    tags = []
    for name, value in labels:
        if name == NAME_LABEL:
            measurement = value
        else:
            tags.append(f",{tag_key(name)}={tag_value(value).translate(_ESCAPES)}")
    return measurement + "".join(sorted(tags))


def quoted(name: str) -> str:
    """A name of a measurement or a tag in InfluxQL."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text(value: str) -> str:
    """A string in InfluxQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _needs_code(character: str) -> bool:
    return character in "\\\ufffd" or not (character.isprintable())
