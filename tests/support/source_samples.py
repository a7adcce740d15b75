"""Series as each source of metrics sends them, from the files in the folder `source_data`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.metrics.domain.ports import Columns, Labels, SampleStore, WriteMode

FOLDER = Path(__file__).parent / "source_data"
INTERVAL_MS = 15_000
_LINE = re.compile(r"(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>[-\d.]+)(?: \+(?P<growth>[\d.]+))?")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Course:
    """One series: its value at the start, and the growth a second of a counter."""

    labels: Labels
    value: float
    growth: float

    def values(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values so many seconds after the start."""
        return self.value + self.growth * seconds


def courses(source: str, server: str, extra: Mapping[str, str] | None = None) -> Iterator[Course]:
    """The series of one source as the series of this server."""
    for line in (FOLDER / f"{source}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        assert match is not None, line
        labels = {"__name__": match["name"], "server": server, **dict(_LABEL.findall(match["labels"] or "")), **(extra or {})}
        yield Course(tuple(sorted(labels.items())), float(match["value"]), float(match["growth"] or 0))


async def send(
    store: SampleStore,
    source: str,
    server: str,
    *,
    now_ms: int,
    seconds: int = 600,
    until_ms: int | None = None,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Store the series of a source for this server, a sample every 15 seconds up to now or to an earlier time."""
    end_ms = now_ms if until_ms is None else until_ms
    times = np.arange(end_ms - seconds * 1000, end_ms + 1, INTERVAL_MS, dtype=np.int64)
    for course in courses(source, server, extra):
        ids = (await store.register([course.labels])).ids
        rows = Columns(np.repeat(ids, len(times)), times.copy(), course.values((times - times[0]) / 1000.0))
        receipt = await store.append(rows, mode=WriteMode.IMPORT, now_ms=now_ms)
        assert receipt.accepted == len(times), receipt
