"""Matchers made ready to run against the values of a label."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from services.common.errors import InvalidArgumentError
from services.metrics.domain.ports import Labels, Matcher, MatchOp

MAX_PATTERN_CHARACTERS: Final = 1_000

_FOREIGN: Final = re.compile(r"\(\?(?:<?[=!]|P=|\()|\\[1-9]|\\g<")
"""Lookaround, back references and conditions: what RE2, whose syntax selectors have, leaves out."""

_REPEAT: Final = re.compile(r"[*+]|\{\d+,\}")


def predicate(matcher: Matcher) -> Callable[[str], bool]:
    """A function that says whether a value meets the matcher.

    Raises:
        InvalidArgumentError: a regular expression that cannot be used (`INVALID_REGEX`).
    """
    wanted = matcher.value
    if matcher.op is MatchOp.EQUAL:
        return lambda value: value == wanted
    if matcher.op is MatchOp.NOT_EQUAL:
        return lambda value: value != wanted
    pattern = compile_pattern(wanted)
    if matcher.op is MatchOp.REGEX:
        return lambda value: pattern.fullmatch(value) is not None
    return lambda value: pattern.fullmatch(value) is None


def matches(matchers: tuple[Matcher, ...] | list[Matcher], labels: Labels) -> bool:
    """Whether a label set meets every matcher; a label that it does not have counts as empty."""
    values = dict(labels)
    return all(predicate(matcher)(values.get(matcher.name, "")) for matcher in matchers)


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> re.Pattern[str]:
    """The expression, after refusing what could make a backtracking engine run away.

    Raises:
        InvalidArgumentError: too long, malformed, or outside what is supported (`INVALID_REGEX`).
    """
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise _refused(text, f"longer than {MAX_PATTERN_CHARACTERS} characters")
    if _FOREIGN.search(text):
        raise _refused(text, "lookaround and back references are not supported")
    if _repeats_a_choice(text):
        raise _refused(text, "repeating a group that itself repeats or has alternatives is not supported")
    try:
        return re.compile(text, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise _refused(text, str(error)) from None


def _repeats_a_choice(text: str) -> bool:
    """Whether a group with a repetition or alternatives inside is repeated without bound, as in `(a+)+` or `(a|ab)*`."""
    groups = [False]
    index = 0
    while index < len(text):
        character = text[index]
        if character == "\\":
            index += 2
            continue
        if character == "[":
            index = _end_of_class(text, index)
        elif character == "(":
            groups.append(False)
        elif character == ")" and len(groups) > 1:
            branching = groups.pop()
            repeated = _REPEAT.match(text, index + 1) is not None
            if branching and repeated:
                return True
            groups[-1] = groups[-1] or branching or repeated
        elif character == "|" or _REPEAT.match(text, index):
            groups[-1] = True
        index += 1
    return False


def _end_of_class(text: str, start: int) -> int:
    index = start + 1
    if text[index : index + 1] == "^":
        index += 1
    index += 1  # a bracket that comes first is a literal
    while index < len(text) and text[index] != "]":
        index += 2 if text[index] == "\\" else 1
    return index


def _refused(text: str, why: str) -> InvalidArgumentError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return InvalidArgumentError(f"regular expression {shown!r}: {why}", reason="INVALID_REGEX")
