"""Reads the pages of one target, remembering what a page looked like.

Pages of a target differ from one scrape to the next in their numbers and in little else. Two things are remembered: for each series
part of a line the slot that it stands for, so that a line known by its text costs a look into a dictionary; and the layout of the last
page, so that a page of the same lines in the same order costs a subtraction of known prefixes, all of it in loops of the interpreter's
own. Whatever does not fit falls back to the careful way, which finds what is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.domain.ports import TimeArray, ValueArray
from services.metrics.domain.scrape.line import (
    LineError,
    Series,
    check_comment,
    read_series,
    read_time_ms,
    read_value,
    shown,
    split,
)

NO_TIME_MS: Final = -(2**63)
"""Stands for the time of a sample whose line has none."""
_LEFT_OUT: Final = -1
_END: Final = "# EOF"
_WITH_CREATION: Final = frozenset(("counter", "histogram", "gaugehistogram", "summary"))


class PageError(ValueError):
    """A page that is not in the format; the message names the line."""


@dataclass(frozen=True, slots=True)
class PageSamples:
    """The samples of a page, in its order.

    Attributes:
        slots: i64[n], the same array as in the page before where the layout is the same.
        values: f64[n].
        times_ms: i64[n] with `NO_TIME_MS` where a line has no time; None when no line has one.
    """

    slots: NDArray[np.int64]
    values: ValueArray
    times_ms: TimeArray | None


@dataclass(frozen=True, slots=True)
class _Layout:
    """A page without its numbers.

    Attributes:
        prefixes: what stands before the value of each line; all of a comment.
        characters: of all prefixes.
        has_value: which lines have one.
        slots: of those lines.
        timed: all of them have a time, too; else none has.
    """

    prefixes: list[str]
    characters: int
    has_value: list[bool]
    slots: NDArray[np.int64]
    timed: bool


class PageReader:
    """Reads page after page of one target. May run in any thread, but in one at a time.

    Args:
        slot_of: gives a series its slot, a number from 0; asked once for each series, and again once it was away for a page.
    """

    def __init__(self, slot_of: Callable[[Series], int]) -> None:
        self._slot_of = slot_of
        self._slots: dict[str, int] = {}
        self._layout: _Layout | None = None
        self._openmetrics = False

    def forget(self) -> None:
        """Ask for every slot anew."""
        self._slots = {}
        self._layout = None

    def read(self, text: str, *, openmetrics: bool) -> PageSamples:
        """The samples of a page.

        Raises:
            PageError: it is not in the format.
        """
        if openmetrics != self._openmetrics:
            self.forget()
            self._openmetrics = openmetrics
        lines = text.split("\n")
        if self._layout is not None:
            samples = _known_layout(lines, len(text), self._layout)
            if samples is not None:
                return samples
        reading = _CarefulReading(self._slot_of, self._slots, openmetrics)
        samples, self._slots, self._layout = reading.run(lines)
        return samples


def _known_layout(lines: list[str], characters: int, layout: _Layout) -> PageSamples | None:
    """The samples of a page of the known layout; None when it is another."""
    if len(lines) != len(layout.prefixes):
        return None
    rests = list(map(str.removeprefix, lines, layout.prefixes))
    joined = "".join(rests)
    # A prefix that is not there leaves its line as it is, which shows in the length. The rest is what Python reads and Go does not.
    if len(joined) + layout.characters + len(lines) - 1 != characters:
        return None
    if "_" in joined or not joined.isascii() or not joined.isprintable():
        return None
    size = len(layout.slots)
    numbers = compress(rests, layout.has_value)
    try:
        if not layout.timed:
            return PageSamples(layout.slots, np.fromiter(map(float, numbers), np.float64, size), None)
        words = " ".join(numbers).split(" ")
        if len(words) != 2 * size:
            return None
        values = np.fromiter(map(float, words[::2]), np.float64, size)
        return PageSamples(layout.slots, values, np.fromiter(map(int, words[1::2]), np.int64, size))
    except (ValueError, OverflowError):
        return None


class _CarefulReading:
    """One page, line by line."""

    def __init__(self, slot_of: Callable[[Series], int], known: dict[str, int], openmetrics: bool) -> None:
        self._slot_of = slot_of
        self._known = known
        self._openmetrics = openmetrics
        self._seen: dict[str, int] = {}
        self._types: dict[str, str] = {}
        self._slots: list[int] = []
        self._values: list[float] = []
        self._times: list[int] = []
        self._rests: list[int] = []
        self._ended = False

    def run(self, lines: list[str]) -> tuple[PageSamples, dict[str, int], _Layout | None]:
        """The samples, the slots of the series that were there, and the layout if the next page may have it, too."""
        number = 0
        try:
            for number, line in enumerate(lines, start=1):  # noqa: B007
                self._rests.append(self._take(line))
        except LineError as error:
            raise PageError(f"line {number}: {error}") from None
        if self._openmetrics and not self._ended:
            raise PageError(f"line {number}: the page is broken off, for it does not end with {_END}")
        times = np.array(self._times, np.int64)
        without = int(np.count_nonzero(times == NO_TIME_MS))
        samples = PageSamples(
            np.array(self._slots, np.int64), np.array(self._values, np.float64), times if without < len(times) else None
        )
        is_plain = without == len(times) or (without == 0 and not self._openmetrics)
        return samples, self._seen, self._layout(lines, samples) if is_plain else None

    def _layout(self, lines: list[str], samples: PageSamples) -> _Layout | None:
        has_value = [rest > 0 for rest in self._rests]
        if sum(has_value) != len(samples.slots):
            return None  # lines that are left out have values, too
        prefixes = [line[: len(line) - rest] for line, rest in zip(lines, self._rests, strict=True)]
        return _Layout(prefixes, sum(map(len, prefixes)), has_value, samples.slots, samples.times_ms is not None)

    def _take(self, line: str) -> int:
        """Take a line; gives how many characters of it, at its end, differ from scrape to scrape."""
        plain = line.strip(" \t")
        if self._ended and plain:
            raise LineError(f"something follows {_END}")
        if not plain or plain[0] == "#":
            self._take_comment(plain)
            return 0
        # In the text format nothing has a brace after the labels; in OpenMetrics exemplars have.
        end = -1 if self._openmetrics else plain.rfind("}") + 1 or plain.find(" ")
        key = plain[:end]
        slot = self._known.get(key) if end > 0 else None
        if slot is None:
            key, rest = split(plain)
            slot = self._new_slot(key)
        else:
            rest = plain[end:]
        figures = rest.partition(" # ")[0] if self._openmetrics else rest
        if not figures.isprintable() and not figures.replace("\t", " ").isprintable():
            raise LineError(f"{shown(figures)} has a character that has no place there")
        words = figures.split()
        if not 1 <= len(words) <= 2:
            raise LineError(f"{shown(key)} is followed by {len(words)} words and not by a value and perhaps a time")
        self._seen[key] = slot
        value = read_value(words[0])
        time_ms = read_time_ms(words[1], openmetrics=self._openmetrics) if len(words) == 2 else NO_TIME_MS
        if slot != _LEFT_OUT:
            self._slots.append(slot)
            self._values.append(value)
            self._times.append(time_ms)
        return len(rest.lstrip()) + len(line) - len(plain)

    def _new_slot(self, key: str) -> int:
        slot = self._seen.get(key)
        if slot is None:
            slot = self._known.get(key)
        if slot is None:
            series = read_series(key)
            return _LEFT_OUT if self._is_creation(series.name) else self._slot_of(series)
        return slot

    def _is_creation(self, name: str) -> bool:
        """Whether it tells when a series of OpenMetrics was made: a figure about the figures, one more for each of them."""
        return self._openmetrics and name.endswith("_created") and self._types.get(name[: -len("_created")]) in _WITH_CREATION

    def _take_comment(self, line: str) -> None:
        if not line.startswith("# TYPE") and not self._openmetrics:
            return
        check_comment(line, openmetrics=self._openmetrics)
        self._ended = self._ended or (self._openmetrics and line == _END)
        words = line.split()
        if len(words) == 4 and words[1] == "TYPE":
            self._types[words[2]] = words[3]
