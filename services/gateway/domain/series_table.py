"""The series that requests have brought so far, each with a number, so that what was checked once need not be checked again."""

import threading
from dataclasses import dataclass, field
from typing import Any, Final

SeriesLabels = tuple[tuple[str, str], ...]
"""Labels in ascending order of name, `__name__` and `server` among them."""

MAX_CHARACTERS: Final = 256 * 1024 * 1024
_ENTRY_CHARACTERS: Final = 250
"""What a series, a group, a label or the bytes of one take beside their text, about."""


@dataclass(frozen=True, slots=True)
class SeriesGroup:
    """Samples of one server with one set of labels, which have been checked.

    Attributes:
        labels: those of its series but the name.
        numbers: number of the series by its name as the format writes it; every name in it has been checked.
    """

    labels: SeriesLabels
    numbers: dict[Any, int] = field(default_factory=dict)


class SeriesTable:
    """Numbers series in the order in which they come; only grows, and is replaced as a whole once it is full.

    Large requests are taken apart in threads, so several may add at once: what is there is read without a lock, and a group that
    two of them make at the same time leads to the same numbers.

    Args:
        max_characters: about how much text it holds before it is full. The request that fills it still gets its numbers.
    """

    def __init__(self, max_characters: int = MAX_CHARACTERS) -> None:
        self.labels: list[SeriesLabels] = []
        self.groups: dict[Any, SeriesGroup] = {}
        self.written: dict[bytes, int] = {}
        """Numbers of series by their labels as a sender wrote them, for formats that write them out in every request."""
        self._numbers: dict[SeriesLabels, int] = {}
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self._room = max_characters
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_full(self) -> bool:
        """Whether another table should be begun."""
        return self._room < 0

    def number(self, labels: SeriesLabels) -> int:
        """The number of a series."""
        number = self._numbers.get(labels)
        if number is None:
            with self._lock:
                number = self._numbers.get(labels)
                if number is None:
                    number = len(self.labels)
                    shared = tuple([self._shared(pair) for pair in labels])
                    self.labels.append(shared)  # first, so that whoever finds the number finds the labels
                    self._numbers[shared] = number
                    self._room -= _ENTRY_CHARACTERS
        return number

    def add_group(self, key: Any, labels: SeriesLabels) -> SeriesGroup:
        """Keep a group under the key with which it will be looked for."""
        group = self.groups[key] = SeriesGroup(labels)
        with self._lock:
            self._room -= _ENTRY_CHARACTERS + sum(len(name) + len(value) for name, value in labels)
        return group

    def add_written(self, written: bytes, labels: SeriesLabels) -> int:
        """Keep the number of a series under the bytes with which it will be looked for in `written`."""
        number = self.written[written] = self.number(labels)
        with self._lock:
            self._room -= _ENTRY_CHARACTERS + len(written)
        return number

    def _shared(self, pair: tuple[str, str]) -> tuple[str, str]:
        """One copy of each label, for most are those of many series."""
        known = self._pairs.setdefault(pair, pair)
        if known is pair:
            self._room -= _ENTRY_CHARACTERS + len(pair[0]) + len(pair[1])
        return known
