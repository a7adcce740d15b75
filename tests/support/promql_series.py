"""Series written in a line, and a reader of them: `cpu{server="a"} 0+10x3 _ 5 stale` is 0 10 20 30, a gap, 5 and a staleness marker.

Samples are one interval apart, the first at time 0. `a+bxn` stands for a, a+b, ... a+n*b (n + 1 samples), `axn` for a, n + 1 times.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.metrics.domain.ports import Labels, Matcher, MatchOp, SeriesData, TimeArray, ValueArray
from services.metrics.domain.promql import Matrix, Reader, Scalar, Text, Vector, evaluate_instant, evaluate_range

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
_RAMP = re.compile(r"(?P<start>[-+]?[\d.]+(?:e[-+]?\d+)?)(?:(?P<step>[-+][\d.]+(?:e[-+]?\d+)?))?x(?P<times>\d+)")


@dataclass(frozen=True)
class Series:
    """One series: labels, timestamps_ms i64[m], values f64[m]."""

    labels: Labels
    timestamps_ms: TimeArray
    values: ValueArray


class MemoryReader:
    """Series in memory, read as a store would be; `reads` keeps what was asked."""

    def __init__(self, series: Iterable[Series]) -> None:
        self.series = sorted(series, key=lambda one: one.labels)
        self.reads: list[tuple[tuple[Matcher, ...], int, int]] = []
        self._values = [dict(one.labels) for one in self.series]

    async def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, *, max_samples: int | None = None
    ) -> SeriesData:
        self.reads.append((tuple(matchers), start_ms, end_ms))
        labels, sizes, times, values, ids = [], [0], [np.empty(0, np.int64)], [np.empty(0)], []
        for number, (one, of_series) in enumerate(zip(self.series, self._values, strict=True), start=1):
            if not all(_meets(matcher, of_series) for matcher in matchers):
                continue
            inside = (one.timestamps_ms >= start_ms) & (one.timestamps_ms <= end_ms)
            if inside.any():
                ids.append(number)
                labels.append(one.labels)
                sizes.append(int(inside.sum()))
                times.append(one.timestamps_ms[inside])
                values.append(one.values[inside])
        offsets = np.cumsum(sizes, dtype=np.int64)
        return SeriesData(np.array(ids, np.uint64), labels, offsets, np.concatenate(times), np.concatenate(values))


def load(text: str, interval_ms: int = 60_000) -> MemoryReader:
    """A reader of the series in the text, one a line."""
    return MemoryReader(parse_series(line, interval_ms) for line in text.strip().splitlines() if line.strip())


def parse_series(line: str, interval_ms: int) -> Series:
    """One line of the notation."""
    labels_text, _, values_text = line.strip().rpartition("}") if "}" in line else line.strip().partition(" ")
    values = [value for word in values_text.split() for value in _values(word)]
    at = np.array([index * interval_ms for index, value in enumerate(values) if value is not None], np.int64)
    return Series(labels_of(labels_text), at, np.array([value for value in values if value is not None], np.float64))


def labels_of(text: str) -> Labels:
    """Labels of `name{a="b"}`, the closing brace optional."""
    name, _, rest = text.strip().partition("{")
    pairs = [(key, value) for key, value in re.findall(r'(\w+)="([^"]*)"', rest) if value]
    return tuple(sorted([("__name__", name), *pairs] if name else pairs))


def _values(word: str) -> list[float | None]:
    if word == "stale":
        return [STALE]
    if re.fullmatch(r"_(x\d+)?", word):
        return [None] * int(word[2:] or 1)
    ramp = _RAMP.fullmatch(word)
    if ramp is None:
        return [float(word)]
    step = float(ramp["step"] or 0)
    return [float(ramp["start"]) + step * index for index in range(int(ramp["times"]) + 1)]


def _meets(matcher: Matcher, labels: dict[str, str]) -> bool:
    value = labels.get(matcher.name, "")
    match matcher.op:
        case MatchOp.EQUAL:
            return value == matcher.value
        case MatchOp.NOT_EQUAL:
            return value != matcher.value
        case MatchOp.REGEX:
            return re.fullmatch(matcher.value, value) is not None
        case MatchOp.NOT_REGEX:
            return re.fullmatch(matcher.value, value) is None


def text_of(labels: Labels) -> str:
    """Labels as `name{a="b"}`; without any, `{}`."""
    name = dict(labels).get("__name__", "")
    rest = ",".join(f'{key}="{value}"' for key, value in labels if key != "__name__")
    return f"{name}{{{rest}}}" if rest or not name else name


async def ask(reader: Reader, expr: str, at_seconds: float) -> Any:
    """Value of an expression at one time: a number, a text, or a dict with the value of each series."""
    value = (await evaluate_instant(expr, reader, round(at_seconds * 1000))).value
    match value:
        case Scalar() | Text():
            return value.value
        case Vector():
            assert len(set(value.labels)) == len(value.labels)
            return dict(zip(map(text_of, value.labels), value.values.tolist(), strict=True))
        case Matrix():
            raise AssertionError(f"{expr} is a range vector")


async def ask_range(
    reader: Reader, expr: str, start_seconds: float, end_seconds: float, step_seconds: float
) -> dict[str, list[tuple[float, float]]]:
    """Points (seconds, value) of each series over a range."""
    result = await evaluate_range(expr, reader, *(round(part * 1000) for part in (start_seconds, end_seconds, step_seconds)))
    return points_of(result.matrix)


def points_of(matrix: Matrix) -> dict[str, list[tuple[float, float]]]:
    """Points (seconds, value) of each row."""
    points = list(zip((matrix.timestamps_ms / 1000).tolist(), matrix.values.tolist(), strict=True))
    bounds = zip(map(text_of, matrix.labels), matrix.offsets[:-1].tolist(), matrix.offsets[1:].tolist(), strict=True)
    return {labels: points[start:end] for labels, start, end in bounds}
