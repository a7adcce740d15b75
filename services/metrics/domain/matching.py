"""Matchers made ready to run against the values of a label.

Regular expressions run on RE2, the engine whose syntax Prometheus selectors have: it matches in time linear in the value, so no
expression of a caller can make it run away.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import re2

from services.common.errors import InvalidArgumentError
from services.metrics.domain.ports import Labels, Matcher, MatchOp

MAX_PATTERN_CHARACTERS: Final = 32_768
MAX_PATTERN_BYTES: Final = 8 << 20
"""Memory that RE2 may take for one expression; a larger automaton is refused."""

Pattern = Any
"""A compiled expression: `fullmatch(value)` gives a match with `group`, or None. RE2's binding has no types of its own."""

_LITERALS: Final = re.compile(r"[\w \-:/@%,=~<>!#&;'\"|]*")
"""Plain texts separated by `|`, which need no engine."""


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
    test = _regex_test(wanted)
    if matcher.op is MatchOp.REGEX:
        return test
    return lambda value: not test(value)


def matches(matchers: tuple[Matcher, ...] | list[Matcher], labels: Labels) -> bool:
    """Whether a label set meets every matcher; a label that it does not have counts as empty."""
    values = dict(labels)
    return all(predicate(matcher)(values.get(matcher.name, "")) for matcher in matchers)


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Pattern:
    """The expression for RE2; it is matched against whole values.

    Raises:
        InvalidArgumentError: too long, malformed, or too large once compiled (`INVALID_REGEX`).
    """
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise _refused(text, f"longer than {MAX_PATTERN_CHARACTERS:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PATTERN_BYTES
    try:
        return re2.compile(text, options)
    except re2.error as error:
        why = error.args[0] if error.args else ""
        raise _refused(text, why.decode(errors="replace") if isinstance(why, bytes) else str(why)) from None


def _regex_test(text: str) -> Callable[[str], bool]:
    """As `compile_pattern`, without the engine for alternatives of plain texts, the commonest kind by far."""
    if len(text) <= MAX_PATTERN_CHARACTERS and _LITERALS.fullmatch(text):
        return frozenset(text.split("|")).__contains__
    pattern = compile_pattern(text)
    return lambda value: pattern.fullmatch(value) is not None


def _refused(text: str, why: str) -> InvalidArgumentError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return InvalidArgumentError(f"regular expression {shown!r}: {why}", reason="INVALID_REGEX")
