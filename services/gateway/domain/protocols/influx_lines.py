r"""InfluxDB line protocol into columns.

    measurement[,tag=value…] field=value[,field=value…] [timestamp]

as InfluxDB documents it ("Line protocol reference", 1.8 and 2.x, which agree): `\` before a comma, a space or, but in measurements,
an equals sign takes its meaning away; texts stand in quotes, where `\"` and `\\` are escapes and lines may end; `#` begins a comment.

A field becomes the series `measurement_field`, the field `value` the series `measurement`: Telegraf's `cpu usage_idle=90` is
`cpu_usage_idle`. True is 1 and false 0. Texts are no samples and are counted.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.common.errors import InvalidArgumentError
from services.gateway.domain.batch import BadSampleError, BatchBuilder, FloatColumn, SampleBatch, float_column, int_column
from services.gateway.domain.protocols.influx_values import Timestamps, field_value, name_text, plain_numbers, shown
from services.gateway.domain.protocols.series_labels import NAME, series_labels
from services.gateway.domain.series_table import SeriesGroup, SeriesTable

MAX_SAMPLES: Final = 1_000_000
"""Fields that one request may hold."""

_VALUE_FIELD: Final = b"value"
_COMMENT: Final = b"#"
_SEPARATORS: Final = b"=,"
_NO_SEPARATORS: Final = bytes(set(range(256)) - set(_SEPARATORS))
_HEAD: Final = re.compile(rb"[ \t]*((?:\\[^\n]|[^\\ \t\n])+)[ \t]+")
_FIELD: Final = re.compile(rb'((?:\\[^\n]|[^\\=, \t\n])+)=("(?:[^"\\]|\\.)*"|[^", \t\r\n]+)', re.DOTALL)
_END: Final = re.compile(rb"(?:[ \t]+([^ \t\r\n]+))?[ \t]*\r?(?:\n|\Z)")
_COMMAS: Final = re.compile(rb"(?<!\\),")
_EQUALS: Final = re.compile(rb"(?<!\\)=")
_ESCAPED: Final = re.compile(r"\\([,= ])")
_ESCAPED_IN_MEASUREMENT: Final = re.compile(r"\\([, ])")


@dataclass(frozen=True, slots=True)
class InfluxBatch:
    """The samples of a request, whose `index_of` gives the line counted from 0, and how many texts were left out."""

    samples: SampleBatch
    texts: int


def parse_lines(body: bytes, precision: str, now_ms: int, series: SeriesTable) -> InfluxBatch:
    """Columns of a body of lines; a wrong line is refused as a whole and does not spoil the others.

    Args:
        body: the lines.
        precision: unit of the timestamps: ns (also n, or empty), us (u, µ), ms, s, m or h.
        now_ms: time of lines that have none.
        series: those known so far; the new ones are added.

    Raises:
        InvalidArgumentError: another precision, or too many fields (`TOO_MANY_SAMPLES`).
    """
    timestamps = Timestamps(precision, now_ms)
    parser = _Parser(body, timestamps, series, is_hasty=True)
    parser.read()
    values = plain_numbers(parser.values)
    if values is None:
        parser = _Parser(body, timestamps, series, is_hasty=False)
        parser.read()
        values = float_column(parser.values)
    return parser.batch(values)


class _Parser:
    """One pass over one body.

    A hasty one takes it that the values of plain lines are numbers as machines write them and leaves them to be read all together;
    where they are not, the body must be read again. What a line has but once is kept once and drawn out at the end.

    Attributes:
        values: numbers or, in haste, the bytes that stand for them.
    """

    def __init__(self, body: bytes, timestamps: Timestamps, series: SeriesTable, *, is_hasty: bool) -> None:
        self._body = body
        self._timestamps = timestamps
        self._series = series
        self._is_hasty = is_hasty
        self.values: list[Any] = []
        self._numbers: list[int] = []
        self._refused = BatchBuilder(series)
        # One a line:
        self._lines: list[int] = []
        self._times: list[int] = []
        self._counts: list[int] = []
        self._texts = 0

    def read(self) -> None:
        """Every line."""
        body, numbers, values = self._body, self._numbers, self.values
        has_marks = b'"' in body or b"\\" in body
        at = line = 0
        while at < len(body):
            end = body.find(b"\n", at)
            end = len(body) if end < 0 else end
            text = body[at:end]
            start, known, texts = at, len(numbers), self._texts
            at = end + 1
            try:
                if has_marks and (b'"' in text or b"\\" in text):
                    time_ms, at = self._any_line(start, at)
                else:
                    time_ms = self._plain_line(text)
                self._counts.append(len(numbers) - known)
                self._times.append(time_ms)
                self._lines.append(line)
            except BadSampleError as error:
                self._texts = texts
                del numbers[known:], values[known:]
                self._refused.refuse(line, error.reason, error.message)
            line += 1 if at == end + 1 else body.count(b"\n", start, at)
            if len(numbers) > MAX_SAMPLES:
                message = f"a request may hold {MAX_SAMPLES:,} fields; send it in parts"
                raise InvalidArgumentError(message, reason="TOO_MANY_SAMPLES")

    def batch(self, values: FloatColumn) -> InfluxBatch:
        """What was read, given the numbers of `values`."""
        batch = SampleBatch(
            self._series,
            int_column(self._numbers),
            np.repeat(int_column(self._times), self._counts),
            values,
            np.repeat(int_column(self._lines), self._counts),
            self._refused.rejected,
            tuple(self._refused.errors),
        )
        return InfluxBatch(batch.only_finite(), self._texts)

    def _plain_line(self, text: bytes) -> int:
        """A line in which nothing is quoted or escaped; gives its time."""
        parts = text.split(b" ")
        if not 2 <= len(parts) <= 3 or not all(parts) or text.endswith(b"\r"):
            parts = text.split()
            if not parts:
                return 0
        head = parts[0]
        if head.startswith(_COMMENT):
            return 0
        if len(parts) == 1:
            raise BadSampleError("INVALID_LINE", f"{shown(text)} has no fields")
        if len(parts) > 3:
            raise BadSampleError("INVALID_LINE", f"{shown(text)} goes on after the timestamp")
        group = self._series.groups.get(head) or self._group(head)
        fields = parts[1]
        tokens = fields.replace(b"=", b",").split(b",")
        numbers: list[Any] = list(map(group.numbers.get, tokens[::2]))
        is_regular = fields.translate(None, _NO_SEPARATORS) == (_SEPARATORS * len(numbers))[:-1]
        if is_regular and self._is_hasty and None not in numbers:
            self._numbers.extend(numbers)
            self.values.extend(tokens[1::2])
        else:
            for item in fields.split(b","):
                name, _, value = item.partition(b"=")
                self._add_field(group, name, value)
        return self._timestamps.milliseconds(parts[2] if len(parts) > 2 else b"")

    def _any_line(self, start: int, following: int) -> tuple[int, int]:
        """Any line; gives its time and where the next one begins, for a text may go over several."""
        body = self._body
        if body[start:following].lstrip(b" \t").startswith(_COMMENT):
            return 0, following
        head = _HEAD.match(body, start, following)
        if head is None:
            raise BadSampleError("INVALID_LINE", f"{shown(body[start:following])} has no measurement with fields behind it")
        group = self._series.groups.get(head[1]) or self._group(head[1])
        at = head.end() - 1
        while at == head.end() - 1 or body[at : at + 1] == b",":
            field = _FIELD.match(body, at + 1)
            if field is None:
                raise BadSampleError("INVALID_LINE", f"{shown(body[at + 1 : at + 200])} is no field with a value")
            self._add_field(group, field[1], field[2])
            at = field.end()
        end = _END.match(body, at)
        if end is None:
            raise BadSampleError("INVALID_LINE", f"{shown(body[at : at + 200])} is no timestamp with a line's end behind it")
        return self._timestamps.milliseconds(end[1] or b""), end.end()

    def _add_field(self, group: SeriesGroup, name: bytes, value: bytes) -> None:
        if not name:
            raise BadSampleError("INVALID_LINE", "a field has no name")
        number = field_value(value)
        if number is None:
            self._texts += 1
            return
        self.values.append(repr(number).encode() if self._is_hasty else number)
        known = group.numbers.get(name)
        self._numbers.append(self._number(group, name) if known is None else known)

    def _group(self, head: bytes) -> SeriesGroup:
        """The group of the series of these tags; its labels have the measurement for a name."""
        measurement, *tags = _COMMAS.split(head)
        labels = [(NAME, name_text(measurement, _ESCAPED_IN_MEASUREMENT))]
        for tag in tags:
            parts = _EQUALS.split(tag)
            if len(parts) != 2 or not all(parts):
                raise BadSampleError("INVALID_LINE", f"{shown(tag)} is no tag with a value")
            labels.append((name_text(parts[0], _ESCAPED), name_text(parts[1], _ESCAPED)))
        return self._series.add_group(head, series_labels(labels))

    def _number(self, group: SeriesGroup, name: bytes) -> int:
        """The number of the series of a field that the group does not know."""
        labels = dict(group.labels)
        if name != _VALUE_FIELD:
            labels[NAME] = f"{labels[NAME]}_{name_text(name, _ESCAPED)}"
        number = group.numbers[name] = self._series.number(series_labels(labels.items()))
        return number
