"""Agreement with Prometheus 2.42: its recorded answers to the same expressions over the same series.

`tests/support/promql_corpus` has the series and the expressions, and `record.py` there makes the recording. The same comparison with
a running Prometheus, at more times and over the real stores, is in `tests/integration/promql_differential`.
"""

from typing import Any

import pytest

from tests.support.promql_corpus import ours
from tests.support.promql_corpus.compare import difference, same_words
from tests.support.promql_corpus.queries import RECORDED_INSTANT_MS, RECORDED_RANGE_MS, expressions, is_ordered, refused_texts
from tests.support.promql_corpus.record import recorded
from tests.support.promql_corpus.series import corpus
from tests.support.promql_series import MemoryReader

ANSWERS = recorded()


@pytest.fixture(scope="module")
def reader() -> MemoryReader:
    """The series that the Prometheus had."""
    return MemoryReader(corpus())


def test_everything_is_recorded() -> None:
    assert [answer["expr"] for answer in ANSWERS] == [*expressions(), *refused_texts()]
    assert sum("error" not in answer["instant"] for answer in ANSWERS) > 1_500


@pytest.mark.parametrize("answer", ANSWERS, ids=[answer["expr"] for answer in ANSWERS])
async def test_prometheus_gave_the_same_answer(answer: dict[str, Any], reader: MemoryReader) -> None:
    expr, instant = answer["expr"], answer["instant"]
    mine = await ours.ask(reader, expr, RECORDED_INSTANT_MS)
    assert not difference(mine, instant, ordered=is_ordered(expr))
    assert same_words(mine, instant)
    if "range" in answer:
        over_range = await ours.ask_range(reader, expr, *RECORDED_RANGE_MS)
        assert not difference(over_range, answer["range"], ordered=True)
        assert same_words(over_range, answer["range"])
