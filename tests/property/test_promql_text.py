"""Whatever the text is, it is an expression or refused with a place; nothing else comes out of the parser."""

import re

from hypothesis import given
from hypothesis import strategies as st

from services.metrics.domain.promql import BadDataError, parse
from tests.support.promql_corpus.queries import expressions, refused_texts

TEXTS = [*expressions(), *refused_texts()]
WORDS = sorted({word for text in TEXTS for word in re.findall(r"\w+|[^\w\s]", text)})
SIGNS = "()[]{}\"'`,:@=!~<>+-*/%^.#\\ \n\t0x1e5mshdwy_ab서\x00\ud7ff"


def parsed_or_refused(text: str) -> bool:
    """Whether the text is an expression; an error is one of a bad text, and says where."""
    try:
        parse(text)
    except BadDataError as error:
        if re.match(r"\d+:\d+: parse error: .", error.message):
            return False
        raise
    return True


@given(st.text(alphabet=SIGNS, max_size=60))
def test_any_signs(text: str) -> None:
    parsed_or_refused(text)


@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join))
def test_any_words(text: str) -> None:
    parsed_or_refused(text)


@given(st.sampled_from(TEXTS), st.data())
def test_expressions_with_one_sign_changed(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, max(len(text) - 1, 0)))
    parsed_or_refused(text[:at] + data.draw(st.sampled_from(["", *SIGNS])) + text[at + 1 :])


@given(st.sampled_from(expressions()))
def test_space_and_comments_change_nothing(text: str) -> None:
    if "'" not in text and '"' not in text and "`" not in text and parsed_or_refused(text):
        assert repr(parse(f" # a comment (\n{text}\t\r\n# another")) == repr(parse(text))  # NaN is not equal to itself
