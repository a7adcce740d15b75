"""From text to tokens, as Prometheus 2.x cuts them; tokens are made one by one, so that the first mistake is the one told.

Source of the rules and of the words of the errors: Prometheus 2.42, `promql/parser/lex.go`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.metrics.domain.promql.errors import BadDataError
from services.metrics.domain.promql.syntax.quoting import quote, quote_character

AGGREGATORS: Final = frozenset(
    {"sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values", "quantile"}
)
WORD_OPERATORS: Final = frozenset({"and", "or", "unless", "atan2"})
KEYWORDS: Final = frozenset({"offset", "by", "without", "on", "ignoring", "group_left", "group_right", "bool"})
PREPROCESSORS: Final = frozenset({"start", "end"})
NUMBER_WORDS: Final = frozenset({"inf", "nan"})

_WORD: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER: Final = re.compile(r"(?:0[xX][0-9a-fA-F]*(?:\.[0-9a-fA-F]*)?|[0-9]*(?:\.[0-9]*)?)(?:[eE][+-]?[0-9]*)?")
_DURATION_REST: Final = re.compile(r"[smhdwy]s?(?:[0-9]+[smhdw]s?)*(?![A-Za-z0-9_])")
_DURATION_GIVEN: Final = re.compile(r"(?P<units>[smhdwy]s?(?:[0-9]+[smhdw]s?)*)?(?P<digits>[0-9]*)")
_SPACE: Final = re.compile(r"(?:[ \t\r\n]|\#[^\r\n]*)+")
_PLAIN_SPACE: Final = re.compile(r"[ \t\r\n]*")
_ESCAPED: Final = {"x": (2, 16), "u": (4, 16), "U": (8, 16)} | dict.fromkeys("01234567", (3, 8))
_SIMPLE_ESCAPES: Final = "abfnrtv\\"


class Kind(StrEnum):
    """What a token is; for signs and brackets the text says which."""

    END = "end of input"
    IDENTIFIER = "identifier"
    METRIC_IDENTIFIER = "metric identifier"
    STRING = "string"
    NUMBER = "number"
    DURATION = "duration"
    SIGN = "sign"
    OPERATOR = "operator"
    AGGREGATOR = "aggregator"
    KEYWORD = "keyword"
    PREPROCESSOR = "preprocessor"


@dataclass(frozen=True, slots=True)
class Token:
    """One word; words of the language are kept as written, `word` is their lower case."""

    kind: Kind
    text: str
    start: int

    @property
    def word(self) -> str:
        """The text by which words of the language are known."""
        return self.text.lower()

    @property
    def end(self) -> int:
        """Where the text ends."""
        return self.start + len(self.text)

    def described(self) -> str:
        """The token as an error message calls it."""
        match self.kind:
            case Kind.END:
                return "end of input"
            case Kind.IDENTIFIER | Kind.METRIC_IDENTIFIER:
                return f"{self.kind} {quote(self.text)}"
            case Kind.STRING | Kind.NUMBER | Kind.DURATION:
                return f"{self.kind} {quote(self.text[:10])}{'...' if len(self.text) > 10 else ''}"
            case Kind.OPERATOR:
                return f"<op:{self.text}>"
            case Kind.AGGREGATOR:
                return f"<aggr:{self.text}>"
            case Kind.KEYWORD:
                return f"<{self.text}>"
            case _:
                return quote(self.text)


def refuse(text: str, position: int, message: str) -> BadDataError:
    """The error for a mistake at a position, with line and column as Prometheus counts them."""
    line_start = text.rfind("\n", 0, position) + 1
    column = len(text[line_start:position].encode()) + 1
    return BadDataError(f"{text.count(chr(10), 0, position) + 1}:{column}: parse error: {message}")


class Lexer:
    """Cuts one text.

    Args:
        text: a PromQL expression.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._in_braces = False
        self._in_brackets = False
        self._seen_colon = False
        self._expects_duration = False

    def next(self) -> Token:
        """The next token; the end of the text over and over at the end.

        Raises:
            BadDataError: no token begins here.
        """
        if self._expects_duration:
            return self._duration_in_brackets()
        blank = _SPACE.match(self._text, self._at)
        if blank is not None:
            self._at = blank.end()
        return self._inside_braces() if self._in_braces else self._outside()

    def _outside(self) -> Token:
        at, sign = self._at, self._text[self._at : self._at + 1]
        following = self._text[at + 1 : at + 2]
        if not sign:
            if self._depth:
                raise self._error("unclosed left parenthesis")
            if self._in_brackets:
                raise self._error("unclosed left bracket")
            return Token(Kind.END, "", at)
        if sign in "0123456789" or (sign == "." and following in set("0123456789")):
            return self._number_or_duration()
        if sign in "\"'`":
            return self._string()
        if sign == ":" or (sign.isascii() and (sign.isalpha() or sign == "_")):
            return self._colon() if self._in_brackets else self._word()
        match sign:
            case "," | "@":
                return self._token(Kind.SIGN if sign == "," else Kind.OPERATOR, 1)
            case "*" | "/" | "%" | "+" | "-" | "^":
                return self._token(Kind.OPERATOR, 1)
            case "=" | "!" | "<" | ">":
                return self._comparison(sign, following)
            case "(":
                self._depth += 1
            case ")":
                self._depth -= 1
                if self._depth < 0:
                    raise refuse(self._text, at + 1, f"unexpected right parenthesis {quote_character(sign)}")
            case "{":
                self._in_braces = True
            case "[":
                return self._open_bracket()
            case "]":
                if not self._in_brackets:
                    raise self._error(f"unexpected right bracket {quote_character(sign)}")
                self._in_brackets = False
            case _:
                raise self._error(f"unexpected character: {quote_character(sign)}")
        return self._token(Kind.SIGN, 1)

    def _comparison(self, sign: str, following: str) -> Token:
        if following == "=":
            return self._token(Kind.OPERATOR, 2)
        if sign == "!" or (sign == "=" and following == "~"):
            raise self._error(f"unexpected character after '{sign}': {quote_character(following)}")
        return self._token(Kind.SIGN if sign == "=" else Kind.OPERATOR, 1)

    def _inside_braces(self) -> Token:
        at, sign = self._at, self._text[self._at : self._at + 1]
        following = self._text[at + 1 : at + 2]
        if not sign:
            raise self._error("unexpected end of input inside braces")
        word = _LABEL.match(self._text, at)
        if word is not None:
            return self._token(Kind.IDENTIFIER, word.end() - at)
        if sign in "\"'`":
            return self._string()
        match sign:
            case ",":
                return self._token(Kind.SIGN, 1)
            case "=":
                return self._token(Kind.OPERATOR, 2) if following == "~" else self._token(Kind.SIGN, 1)
            case "!":
                if not following or following not in "=~":
                    raise self._error(f"unexpected character after '!' inside braces: {quote_character(following)}")
                return self._token(Kind.OPERATOR, 2)
            case "{":
                raise self._error(f"unexpected left brace {quote_character(sign)}")
            case "}":
                self._in_braces = False
                return self._token(Kind.SIGN, 1)
            case _:
                raise self._error(f"unexpected character inside braces: {quote_character(sign)}")

    def _open_bracket(self) -> Token:
        if self._in_brackets:
            raise self._error("unexpected left bracket '['")
        self._in_brackets, self._seen_colon, self._expects_duration = True, False, True
        return self._token(Kind.SIGN, 1)

    def _duration_in_brackets(self) -> Token:
        self._expects_duration = False
        self._at = _end_of(_PLAIN_SPACE, self._text, self._at)
        if self._number_end() is not None:
            raise self._error("missing unit character in duration")
        return self._duration("bad duration syntax")

    def _number_end(self) -> int | None:
        """Where the number ends that begins here; None when a letter follows, so that it is none."""
        end = _end_of(_NUMBER, self._text, self._at)
        following = self._text[end : end + 1]
        return None if following.isascii() and (following.isalnum() or following == "_") else end

    def _duration(self, complaint: str) -> Token:
        end = _end_of(_NUMBER, self._text, self._at)
        rest = _DURATION_REST.match(self._text, end)
        if rest is None:
            given = _DURATION_GIVEN.match(self._text, end)
            seen = end if given is None else given.end()
            # After a unit the letter is looked at that spoils it; after a digit it is not.
            seen += given is not None and bool(given["units"]) and not given["digits"]
            raise self._error(f"{complaint}: {quote(self._text[self._at : seen])}")
        return self._token(Kind.DURATION, rest.end() - self._at)

    def _colon(self) -> Token:
        if self._seen_colon:
            raise self._error(f"unexpected colon {quote_character(self._text[self._at])}")
        self._seen_colon = True
        return self._token(Kind.SIGN, 1)

    def _word(self) -> Token:
        found = _WORD.match(self._text, self._at)
        text = found[0] if found else ""
        lower = text.lower()
        if lower in WORD_OPERATORS:
            kind = Kind.OPERATOR
        elif lower in AGGREGATORS:
            kind = Kind.AGGREGATOR
        elif lower in KEYWORDS:
            kind = Kind.KEYWORD
        elif lower in PREPROCESSORS:
            kind = Kind.PREPROCESSOR
        elif lower in NUMBER_WORDS:
            kind = Kind.NUMBER
        else:
            kind = Kind.METRIC_IDENTIFIER if ":" in text else Kind.IDENTIFIER
        return self._token(kind, len(text))

    def _number_or_duration(self) -> Token:
        end = self._number_end()
        if end is not None:
            return self._token(Kind.NUMBER, end - self._at)
        return self._duration("bad number or duration syntax")

    def _string(self) -> Token:
        start, sign = self._at, self._text[self._at]
        if sign == "`":
            end = self._text.find("`", start + 1)
            if end < 0:
                raise self._error("unterminated raw string")
            return self._token(Kind.STRING, end + 1 - start)
        at = start + 1
        while at < len(self._text) and self._text[at] not in (sign, "\n"):
            at = self._escape(at + 1, sign) if self._text[at] == "\\" else at + 1
        if self._text[at : at + 1] != sign:
            raise self._error("unterminated quoted string")
        return self._token(Kind.STRING, at + 1 - start)

    def _escape(self, at: int, sign: str) -> int:
        """Where the escape sequence ends that has a backslash before `at`."""
        letter = self._text[at : at + 1]
        if letter and (letter in _SIMPLE_ESCAPES or letter == sign):
            return at + 1
        if not letter:
            raise self._error("escape sequence not terminated")
        if letter not in _ESCAPED:
            raise self._error(f"unknown escape sequence U+{ord(letter):04X} {quote_character(letter)}")
        count, base = _ESCAPED[letter]
        first = at if base == 8 else at + 1
        digits = self._text[first : first + count]
        for digit in digits:
            if not (digit.isascii() and digit.isalnum() and int(digit, 36) < base):
                raise self._error(f"illegal character U+{ord(digit):04X} {quote_character(digit)} in escape sequence")
        if len(digits) < count:
            raise self._error("escape sequence not terminated")
        value = int(digits, base)
        if value > (0xFF if letter not in "uU" else 0x10FFFF) or 0xD800 <= value < 0xE000:
            raise self._error("escape sequence is an invalid Unicode code point")
        return first + count

    def _token(self, kind: Kind, length: int) -> Token:
        token = Token(kind, self._text[self._at : self._at + length], self._at)
        self._at += length
        return token

    def _error(self, message: str) -> BadDataError:
        return refuse(self._text, self._at, message)


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a pattern that may be empty ends."""
    found = pattern.match(text, at)
    return found.end() if found is not None else at
