"""The same questions to a real Prometheus and to us, over the same series: the same answers within 1e-9, the same errors.

`tests/support/promql_corpus` has the series and the expressions. Machines without a Prometheus compare with its recorded answers in
`tests/unit/metrics/test_promql_recorded.py`.
"""

import pytest

from services.metrics.domain.ports import SampleStore
from services.metrics.domain.promql import Reader
from tests.support.promql_corpus import ours
from tests.support.promql_corpus.compare import difference, same_words
from tests.support.promql_corpus.prometheus import Prometheus
from tests.support.promql_corpus.queries import (
    INSTANTS_MS,
    KNOWN_DIFFERENCES,
    RANGES_MS,
    expressions,
    is_ordered,
    refused_texts,
)
from tests.support.promql_series import MemoryReader

EXPRESSIONS = expressions()


def test_there_is_enough_to_compare() -> None:
    assert len(EXPRESSIONS) >= 1_800


@pytest.mark.parametrize("expr", EXPRESSIONS)
async def test_the_same_answers(expr: str, prometheus: Prometheus, reader: MemoryReader) -> None:
    await compare(expr, prometheus, reader)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("expr", EXPRESSIONS)
async def test_the_same_answers_from_a_store(expr: str, prometheus: Prometheus, store: SampleStore) -> None:
    await compare(expr, prometheus, store)


async def compare(expr: str, prometheus: Prometheus, reader: Reader) -> None:
    """At every time and over every range."""
    for time_ms in INSTANTS_MS:
        theirs = prometheus.query(expr, time_ms)
        mine = await ours.ask(reader, expr, time_ms)
        assert not difference(mine, theirs, ordered=is_ordered(expr))
        assert same_words(mine, theirs) or not is_recorded_version(prometheus)
        if theirs.get("errorType") == "bad_data":
            return
    for range_ms in RANGES_MS:
        theirs = prometheus.query_range(expr, *range_ms)
        assert not difference(await ours.ask_range(reader, expr, *range_ms), theirs, ordered=True)


@pytest.mark.parametrize("text", refused_texts())
async def test_the_same_refusals_in_the_same_words(text: str, prometheus: Prometheus, reader: MemoryReader) -> None:
    theirs = prometheus.query(text, INSTANTS_MS[0])
    mine = await ours.ask(reader, text, INSTANTS_MS[0])
    assert mine["status"] == "error" or theirs["status"] == "success"
    if is_recorded_version(prometheus):
        assert not difference(mine, theirs)
        assert same_words(mine, theirs)


@pytest.mark.parametrize("expr", KNOWN_DIFFERENCES)
async def test_known_differences_are_still_there(expr: str, prometheus: Prometheus, reader: MemoryReader) -> None:
    """So that the list, which the documentation repeats, holds nothing that has been mended on either side."""
    if not is_recorded_version(prometheus):
        pytest.skip("the list is about 2.42")
    found = [
        difference(await ours.ask(reader, expr, time_ms), prometheus.query(expr, time_ms)) for time_ms in INSTANTS_MS
    ] + [
        difference(await ours.ask_range(reader, expr, *range_ms), prometheus.query_range(expr, *range_ms)) for range_ms in RANGES_MS
    ]  # fmt: skip
    assert any(found)


def is_recorded_version(prometheus: Prometheus) -> bool:
    """Whether it is the version whose words we follow."""
    return prometheus.version().startswith("2.42.")
