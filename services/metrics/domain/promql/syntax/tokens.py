"""The tokens of a text for a parser that looks one ahead, and the words for a token that cannot stand where it does."""

from typing import Final

from services.metrics.domain.promql.errors import BadDataError
from services.metrics.domain.promql.syntax.lexer import WORD_OPERATORS, Kind, Lexer, Token, refuse
from services.metrics.domain.promql.syntax.literals import duration_ms, number_of

_NO_LABELS: Final = frozenset({"without"})
_NAMES: Final = frozenset({"by", "without", "offset", "and", "or", "unless"})
"""Words of the language that may name a metric."""


class Tokens:
    """One text, read from left to right.

    Attributes:
        open_aggregations: aggregations whose parentheses are not closed yet; the yacc grammar of Prometheus names them in errors.
        patterns: regular expressions so far.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lexer = Lexer(text)
        self._current: Token | None = None
        self.open_aggregations = 0
        self.patterns = 0

    @property
    def current(self) -> Token:
        """The token at hand. It is cut from the text only when somebody looks, so that of two mistakes the first is told."""
        if self._current is None:
            self._current = self._lexer.next()
        return self._current

    def take(self) -> Token:
        """The token at hand; the next one comes to hand."""
        taken, self._current = self.current, None
        return taken

    def take_sign(self, text: str, where: str = "", expected: str = "") -> Token:
        """As `take`, for a bracket or a comma that has to be there."""
        if not self.at_sign(text):
            raise self.unexpected(where, expected)
        return self.take()

    def at(self, kind: Kind) -> bool:
        """Whether a token of this kind is at hand."""
        return self.current.kind is kind

    def at_sign(self, text: str) -> bool:
        """Whether this bracket or comma is at hand."""
        return self.current.kind is Kind.SIGN and self.current.text == text

    def at_keyword(self, *words: str) -> bool:
        """Whether one of these keywords is at hand."""
        return self.current.kind is Kind.KEYWORD and self.current.word in words

    def at_operator(self, *texts: str) -> bool:
        """Whether one of these operators is at hand."""
        return self.current.kind is Kind.OPERATOR and self.current.text in texts

    def at_label(self) -> bool:
        """Whether the token at hand can be the name of a label in a grouping; most words of the language can."""
        match self.current.kind:
            case Kind.IDENTIFIER | Kind.AGGREGATOR | Kind.PREPROCESSOR:
                return True
            case Kind.KEYWORD:
                return self.current.word not in _NO_LABELS
            case Kind.OPERATOR:
                return self.current.word in WORD_OPERATORS
            case _:
                return False

    def at_expression(self) -> bool:
        """Whether an expression can begin with the token at hand."""
        match self.current.kind:
            case Kind.NUMBER | Kind.STRING | Kind.AGGREGATOR:
                return True
            case Kind.SIGN:
                return self.current.text in ("(", "{")
            case Kind.OPERATOR if self.current.text in ("+", "-"):
                return True
            case _:
                return self.at_name()

    def at_name(self) -> bool:
        """Whether the token at hand can be the name of a metric; that of an aggregation can where none begins."""
        match self.current.kind:
            case Kind.IDENTIFIER | Kind.METRIC_IDENTIFIER | Kind.PREPROCESSOR:
                return True
            case Kind.KEYWORD | Kind.OPERATOR:
                return self.current.word in _NAMES
            case _:
                return False

    def take_number(self) -> float:
        """The value of the number at hand."""
        token = self.current
        try:
            value = number_of(token.text)
        except ValueError as error:
            raise self.wrong(token.start, str(error)) from None
        self.take()
        return value

    def take_duration(self) -> int:
        """The milliseconds of the duration at hand."""
        token = self.current
        try:
            milliseconds = duration_ms(token.text)
        except ValueError as error:
            raise self.wrong(token.start, str(error)) from None
        self.take()
        return milliseconds

    def unexpected(self, where: str = "", expected: str = "") -> BadDataError:
        """The error for the token at hand, which cannot stand here.

        Args:
            where: the rule that it breaks; else the aggregation that is open, if any.
            expected: what could have stood here.
        """
        where = where or ("aggregation" if self.open_aggregations else "")
        told = f"unexpected {self.current.described()}"
        told += f" in {where}" if where else ""
        told += f", expected {expected}" if expected else ""
        return self.wrong(self.current.start, told)

    def wrong(self, position: int, message: str) -> BadDataError:
        """The error for a mistake at a position."""
        return refuse(self._text, position, message)
