"""docs/promql.md says what holds."""

import pathlib
import re

import pytest

from services.gateway.web.prometheus import MAX_STEPS, QUERY_TIMEOUT_SECONDS
from services.metrics.domain.promql import BadDataError, QueryLimits, parse
from services.metrics.domain.promql.aggregation import AGGREGATIONS
from services.metrics.domain.promql.functions import FUNCTIONS
from services.metrics.domain.promql.syntax.parser import MAX_DEPTH, MAX_LENGTH, MAX_OPERATORS
from services.metrics.domain.promql.syntax.selectors import MAX_PATTERNS
from services.metrics.domain.promql.syntax.signatures import SIGNATURES
from tests.support.promql_corpus.queries import KNOWN_DIFFERENCES, expressions, refused_texts

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "promql.md").read_text(encoding="utf-8")
NOT_SUPPORTED = re.search(r"```promql\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()  # type: ignore[index]


def test_every_function_and_aggregation_is_named() -> None:
    words = set(re.findall(r"\w+", PAGE.partition("## What is not supported")[0]))
    assert not (set(SIGNATURES) | AGGREGATIONS) - words


def test_what_can_be_parsed_can_be_evaluated() -> None:
    assert frozenset(SIGNATURES) == FUNCTIONS


@pytest.mark.parametrize("text", NOT_SUPPORTED)
def test_what_is_not_supported_is_refused(text: str) -> None:
    with pytest.raises(BadDataError):
        parse(text)


def test_known_differences_are_told() -> None:
    for expression, why in KNOWN_DIFFERENCES.items():
        assert f"| `{expression}` | {why} |" in PAGE


def test_limits_are_told() -> None:
    limits = QueryLimits()
    for number in (limits.max_samples, limits.max_cells, limits.max_series, limits.max_steps, MAX_LENGTH):
        assert f"{number:,}" in PAGE
    for text in (f"levels | {MAX_DEPTH}", f"| operators | {MAX_OPERATORS} |", f"| regular expressions | {MAX_PATTERNS} |"):
        assert text.removeprefix("levels ") in PAGE
    assert limits.max_steps == MAX_STEPS
    assert f"{QUERY_TIMEOUT_SECONDS:g} s" in PAGE


def test_as_much_is_compared_as_is_told() -> None:
    assert len(expressions()) >= 1_800
    assert len(refused_texts()) >= 250
