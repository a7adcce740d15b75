"""`label_replace`, `label_join`, and what a label may be called."""

import re
from collections.abc import Sequence
from typing import Any, Final

from services.metrics.domain.matching import Pattern
from services.metrics.domain.ports import Labels
from services.metrics.domain.promql.errors import ExecutionError

_LABEL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIGITS: Final = re.compile(r"([0-9]+)")
_REFERENCE: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


def check_label_name(name: str, complaint: str) -> None:
    """Refuse what cannot be the name of a label.

    Raises:
        ExecutionError: it cannot; says the complaint, with the name in place of `{}`.
    """
    if _LABEL_NAME.fullmatch(name) is None:
        raise ExecutionError(complaint.format(name))


def with_label(labels: Labels, name: str, value: str) -> Labels:
    """The labels with one set anew; an empty value removes it."""
    others = [pair for pair in labels if pair[0] != name]
    return tuple(sorted([*others, (name, value)])) if value else tuple(others)


def replace(labels: Sequence[Labels], target: str, template: str, source: str, pattern: Pattern) -> list[Labels]:
    """Set `target` to the expanded template wherever the whole of label `source` matches; `$1` and `${name}` are groups."""

    def one(series: Labels) -> Labels:
        found = pattern.fullmatch(dict(series).get(source, ""))
        return series if found is None else with_label(series, target, _expand(template, found))

    return [one(series) for series in labels]


def join(labels: Sequence[Labels], target: str, separator: str, sources: Sequence[str]) -> list[Labels]:
    """Set `target` to the values of other labels with a separator between them."""

    def one(series: Labels) -> Labels:
        values = dict(series)
        return with_label(series, target, separator.join(values.get(source, "") for source in sources))

    return [one(series) for series in labels]


def sorting_key(labels: Labels, names: Sequence[str]) -> tuple[object, ...]:
    """Order of a series by the values of these labels, digits as numbers (`node-9` before `node-10`), then by all its labels."""
    values = dict(labels)
    return (*(_natural(values.get(name, "")) for name in names), labels)


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    # A number comes before a text where one stands against the other.
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(text) if part)


def _expand(template: str, found: Any) -> str:
    """References to groups replaced; one that does not exist is empty, `$$` is a dollar sign."""

    def group(reference: re.Match[str]) -> str:
        dollar, braced, bare = reference.groups()
        name = braced or bare
        if dollar:
            return "$"
        if name.isdecimal():
            return (found.group(int(name)) or "") if int(name) <= found.re.groups else ""
        return (found.group(name) or "") if name in found.re.groupindex else ""

    return _REFERENCE.sub(group, template)
