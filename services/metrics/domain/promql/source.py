"""The text of an expression, looked at and made safe before it meets the parser.

The parser recurses over what it reads, and too deep an expression ends the whole process; it compiles every regular expression,
each of which may take 0.2 s; and it reads escapes in raw (backtick) strings. So depth is bounded here, regular expressions are
taken out, and raw strings become quoted ones.
"""

import re
from dataclasses import dataclass
from typing import Final

import promql_parser as pp

from services.metrics.domain.promql.errors import BadDataError

MAX_LENGTH: Final = 65_536
MAX_DEPTH: Final = 64
MAX_OPERATORS: Final = 150
"""Chains such as `a + a + ...` nest as deep as they are long."""
MAX_PATTERNS: Final = 200

_GAP: Final = r"(?:\s|\#[^\n]*\n)*"
_STRING: Final = r""" "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*` """
_TOKEN: Final = re.compile(
    rf"""
    (?P<match>[=!]~{_GAP})(?P<pattern>{_STRING})
    | (?P<string>{_STRING})
    | (?P<stray>["'`])
    | (?P<comment>\#[^\n]*)
    | (?P<open>[(\[{{]) | (?P<close>[)\]}}])
    | (?P<at>@{_GAP}-)
    | (?P<operator>[-+*/%^] | [=!<>]=? | \b(?:and|or|unless|atan2)\b)
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Source:
    """Text for the parser; the n-th regular expression stands in `patterns`, and in its place `placeholder(n)`."""

    text: str
    patterns: tuple[str, ...]


def placeholder(number: int, sign: str) -> str:
    """What stands in the text for a regular expression after `=~` or `!~`.

    Neither lets a label be empty: whether a selector lets all be empty is for the adapter to judge, which knows the patterns.
    """
    return f"pattern-{number}" if sign == "=~" else f"pattern-{number}|"


def prepare(text: str) -> Source:
    """The text as the parser may see it.

    Raises:
        BadDataError: too long, too deep, too many operators or regular expressions, an open string, or a time before 1970 in
            an `@` modifier.
    """
    if len(text) > MAX_LENGTH:
        raise BadDataError(f"the expression is longer than {MAX_LENGTH} characters")
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        raise BadDataError(f"a carriage return at position {text.index(chr(13)) + 1}")
    depth = operators = done = 0
    in_braces = False
    patterns: list[str] = []
    parts: list[str] = []
    for token in _TOKEN.finditer(text):
        where = f"at position {token.start() + 1}"
        match token.lastgroup:
            case "pattern":
                parts += [text[done : token.start()], token["match"], f'"{placeholder(len(patterns), token["match"][:2])}"']
                done = token.end()
                patterns.append(_unquoted(token["pattern"]))
            case "string" if token["string"].startswith("`"):
                parts += [text[done : token.start()], _quoted(token["string"][1:-1])]
                done = token.end()
            case "stray":
                raise BadDataError(f"unterminated quoted string {where}")
            case "at":
                raise BadDataError(f"an @ modifier before 1970 is not supported ({where})")
            case "open":
                depth += 1
                in_braces = token.group() == "{"
            case "close":
                depth -= 1
                in_braces = False
            case "operator":
                operators += not in_braces
        if depth > MAX_DEPTH:
            raise BadDataError(f"the expression nests deeper than {MAX_DEPTH} levels ({where})")
        if operators > MAX_OPERATORS:
            raise BadDataError(f"the expression has more than {MAX_OPERATORS} operators ({where})")
        if len(patterns) > MAX_PATTERNS:
            raise BadDataError(f"the expression has more than {MAX_PATTERNS} regular expressions ({where})")
    parts.append(text[done:])
    return Source("".join(parts), tuple(patterns))


def _quoted(raw: str) -> str:
    escaped = raw.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _unquoted(literal: str) -> str:
    """Value of a string literal; escapes are read by the parser itself."""
    if literal.startswith("`"):
        return literal[1:-1]
    try:
        parsed = pp.parse(literal)
    except ValueError as error:
        raise BadDataError(f"parse error: {error}") from error
    return parsed.val if isinstance(parsed, pp.StringLiteral) else ""
