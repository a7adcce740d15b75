"""Whether two answers in the JSON of the Prometheus HTTP API say the same."""

import math
import re
from typing import Any, Final

RELATIVE: Final = 1e-9
ABSOLUTE: Final = 1e-12
"""For results that would be zero but for the rounding of sums taken in another order."""

Answer = dict[str, Any]


def difference(ours: Answer, theirs: Answer, *, ordered: bool = False) -> str:
    """What differs, for a person; empty when nothing does.

    Args:
        ours: an answer, `{"status": ...}`.
        theirs: the answer of the Prometheus.
        ordered: compare the order of the series, too; which of two equal values comes first is left open.
    """
    if ours["status"] == "error" or theirs["status"] == "error":
        mine, other = _kind_of_error(ours), _kind_of_error(theirs)
        return "" if mine == other else f"ours: {mine}: {ours.get('error', '')}, Prometheus: {other}: {theirs.get('error', '')}"
    mine, other = ours["data"]["resultType"], theirs["data"]["resultType"]
    if mine != other:
        return f"ours is a {mine}, Prometheus has a {other}"
    if mine in ("scalar", "string"):
        return _points([ours["data"]["result"]], [theirs["data"]["result"]])
    field = "value" if mine == "vector" else "values"
    left, right = _rows(ours, field), _rows(theirs, field)
    if ordered and mine == "vector":
        told = _points([point for _, row in left for point in row], [point for _, row in right for point in row])
        if told:
            return f"order: {told}"
    if not ordered or mine == "vector":
        left, right = sorted(left), sorted(right)
    if [labels for labels, _ in left] != [labels for labels, _ in right]:
        only_left, only_right = _missing(left, right), _missing(right, left)
        return f"only ours has {only_left}, only Prometheus {only_right}" if only_left or only_right else f"order: {left}, {right}"
    for (labels, one), (_, two) in zip(left, right, strict=True):
        told = _points(one, two)
        if told:
            return f"{dict(labels)}: {told}"
    return ""


def same_words(ours: Answer, theirs: Answer) -> bool:
    """Whether two errors are told in the same words; true for answers that are none.

    Left out are the name of the parameter, which the HTTP door puts in front, what an engine for regular expressions says of them,
    and a number of the yacc parser that 2.42 shows by mistake.
    """
    if ours["status"] != "error" or theirs["status"] != "error":
        return True
    return _words(ours["error"]) == _words(theirs["error"])


def _words(text: str) -> str:
    text = re.sub(r'^invalid parameter "[a-z]+": ', "", text)
    text = re.sub(r'"<Item [0-9]+>" ', "", text)
    return re.sub(r"(error parsing regexp: ).*", r"\1", text)


def _kind_of_error(answer: Answer) -> str:
    return str(answer["errorType"]) if answer["status"] == "error" else "no error"


def _rows(answer: Answer, field: str) -> list[tuple[tuple[tuple[str, str], ...], list[Any]]]:
    rows = answer["data"]["result"]
    return [(tuple(sorted(row["metric"].items())), [row[field]] if field == "value" else row[field]) for row in rows]


def _missing(left: list[Any], right: list[Any]) -> list[Any]:
    there = {labels for labels, _ in right}
    return [labels for labels, _ in left if labels not in there]


def _points(ours: list[Any], theirs: list[Any]) -> str:
    if [point[0] for point in ours] != [point[0] for point in theirs]:
        return f"times {[p[0] for p in ours][:5]} ({len(ours)}), Prometheus {[p[0] for p in theirs][:5]} ({len(theirs)})"
    for (at, mine), (_, other) in zip(ours, theirs, strict=True):
        if mine != other and not _close(mine, other):
            return f"at {at} ours is {mine}, Prometheus {other}"
    return ""


def _close(mine: str, other: str) -> bool:
    try:
        one, two = float(mine), float(other)
    except ValueError:
        return False
    if math.isnan(one) or math.isnan(two):
        return math.isnan(one) and math.isnan(two)
    return math.isclose(one, two, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
