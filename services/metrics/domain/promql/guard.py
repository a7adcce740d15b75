"""A look at the text before it meets the parser, whose recursion ends the whole process when an expression nests too deep."""

import re
from typing import Final

from services.metrics.domain.promql.errors import BadDataError

MAX_LENGTH: Final = 65_536
MAX_DEPTH: Final = 100
MAX_OPERATORS: Final = 500
"""Chains such as `a + a + ...` nest as deep as they are long."""

_TOKEN: Final = re.compile(
    r"""
    (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*`)
    | (?P<comment>\#[^\n]*)
    | (?P<open>[(\[{]) | (?P<close>[)\]}])
    | (?P<operator>[-+*/%^] | [=!<>]=? | \b(?:and|or|unless|atan2)\b)
    | (?P<at>@\s*-)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def check_text(text: str) -> None:
    """Refuse text that the parser should not see.

    Raises:
        BadDataError: too long, too deep, or a time before 1970 in an `@` modifier.
    """
    if len(text) > MAX_LENGTH:
        raise BadDataError(f"the expression is longer than {MAX_LENGTH} characters")
    depth = operators = 0
    in_braces = False
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        where = f"at position {token.start() + 1}"
        if kind == "open":
            depth += 1
            in_braces = token.group() == "{"
            if depth > MAX_DEPTH:
                raise BadDataError(f"the expression nests deeper than {MAX_DEPTH} levels ({where})")
        elif kind == "close":
            depth -= 1
            in_braces = False
        elif kind == "operator" and not in_braces:
            operators += 1
            if operators > MAX_OPERATORS:
                raise BadDataError(f"the expression has more than {MAX_OPERATORS} operators ({where})")
        elif kind == "at":
            raise BadDataError(f"an @ modifier before 1970 is not supported ({where})")
