"""Reads documents of YAML or JSON field by field, and gathers everything that is wrong with them."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from services.common.errors import FieldError

T = TypeVar("T")
_DURATION: Final = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_DURATION_SECONDS: Final = (365 * 86_400.0, 7 * 86_400.0, 86_400.0, 3600.0, 60.0, 1.0, 0.001)
_SIZE: Final = re.compile(r"(\d+)(?:([KMGTPE])i?)?B?", re.ASCII)
_SIZE_UNITS: Final = "KMGTPE"
MAX_SECONDS: Final = 366 * 86_400.0


class Fields:
    """One object of a document. Each reader takes a field and gives its value, or the default after noting what is wrong.

    Args:
        document: what the decoder gave.
        path: where it stands, for the problems.
        problems: is added to.
    """

    def __init__(self, document: object, path: str, problems: list[FieldError]) -> None:
        self.path = path
        self.problems = problems
        self._left: dict[str, Any] = {}
        if isinstance(document, Mapping):
            self._left = {str(name): value for name, value in document.items() if value is not None}
        elif document is not None:
            self.complain("", "must be an object")

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def skip(self, name: str) -> None:
        """Let a field be."""
        self._left.pop(name, None)

    def complain(self, name: str, message: str) -> None:
        """Note what is wrong with a field, or with the whole object where the name is empty."""
        self.problems.append(FieldError(self.at(name), message))

    def at(self, name: str) -> str:
        """The path of a field."""
        return ".".join(part for part in (self.path, name) if part)

    def text(self, name: str, default: str = "") -> str:
        """A text; a number counts as one, as it does in YAML."""
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.complain(name, "must be a text")
            return default
        return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._left.pop(name, default)
        if not isinstance(value, bool):
            self.complain(name, "must be true or false")
            return default
        return value

    def count(self, name: str, default: int = 0) -> int:
        """A whole number, 0 or more."""
        value = self._left.pop(name, default)
        if isinstance(value, float) and value.is_integer():  # as JSON may write it
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
            self.complain(name, "must be a whole number, 0 or more")
            return default
        return int(value)

    def size(self, name: str) -> int:
        """A number of bytes, or a text such as 10MB, whose units are powers of 1024."""
        if not isinstance(self._left.get(name), str):
            return self.count(name)
        value = self._left.pop(name)
        found = _SIZE.fullmatch(value)
        if found is None or len(value) > 20:
            self.complain(name, "must be a size such as 10MB")
            return 0
        return int(found[1]) << (10 * (_SIZE_UNITS.index(found[2]) + 1) if found[2] else 0)

    def seconds(self, name: str, default: float) -> float:
        """A duration such as 1m30s, or a number of seconds; more than none."""
        value = self._left.pop(name, default)
        seconds = duration_seconds(value)
        if seconds is None or not 0.0 < seconds <= MAX_SECONDS:
            self.complain(name, "must be a duration such as 15s or 1m30s, longer than none")
            return default
        return seconds

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._left.pop(name, ())
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            self.complain(name, "must be a list of texts")
            return ()
        return tuple(value)

    def labels(self, name: str, is_name: Callable[[str], bool]) -> dict[str, str]:
        """Names and texts; names are checked with `is_name`."""
        found = Fields(self._left.pop(name, None), self.at(name), self.problems)
        for label in found._left:
            if not is_name(label):
                found.complain(label, "is no name of a label")
        return {label: found.text(label) for label in list(found._left)}

    def parameters(self, name: str) -> dict[str, tuple[str, ...]]:
        """Names and lists of texts."""
        found = Fields(self._left.pop(name, None), self.at(name), self.problems)
        return {parameter: found.texts(parameter) for parameter in list(found._left)}

    def child(self, name: str) -> "Fields | None":
        """An object; None when there is none."""
        return Fields(self._left.pop(name), self.at(name), self.problems) if name in self._left else None

    def children(self, name: str, most: int) -> Iterator["Fields"]:
        """A list of at most so many objects."""
        value = self._left.pop(name, ())
        if not isinstance(value, list | tuple):
            self.complain(name, "must be a list of objects")
            return
        if len(value) > most:
            self.complain(name, f"has {len(value)} entries and at most {most} are taken")
        for number, item in enumerate(value[:most]):
            yield Fields(item, f"{self.at(name)}[{number}]", self.problems)

    def finish(self, explain: Callable[[str], str]) -> None:
        """Complain of every field that nobody has read; `explain` says why it cannot be there."""
        for name in self._left:
            self.complain(name, explain(name))


def duration_seconds(value: object) -> float | None:
    """Seconds of a duration as Prometheus writes it, or of a number; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    found = _DURATION.fullmatch(value) if isinstance(value, str) and 0 < len(value) <= 40 else None
    if found is None:
        return 0.0 if value == "0" else None
    return sum(int(count) * seconds for count, seconds in zip(found.groups(), _DURATION_SECONDS, strict=True) if count)
