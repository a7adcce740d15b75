"""What is refused, and how: text that is not PromQL or not supported, text that would harm the process, queries too large."""

import re

import numpy as np
import pytest

from services.common.errors import InvalidArgumentError, ResourceExhaustedError
from services.metrics.domain.ports import Matcher, MatchOp, SeriesData
from services.metrics.domain.promql import (
    BadDataError,
    QueryLimits,
    QueryTooLargeError,
    evaluate_instant,
    evaluate_range,
    parse,
    parse_selector,
    selectors_of,
)
from tests.support.promql_series import ask, load

READER = load('cpu{server="a"} 0+1x20\ncpu{server="b"} 0+1x20')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: parse error: no expression found in input"),
        ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        ('{server=~".*"}', "at least one non-empty matcher"),
        ('cpu{server=~"("}', "1:5: parse error: error parsing regexp: "),
        ("histogram_sum(cpu)", 'native histograms and "histogram_sum" are not supported'),
        ("info(cpu)", 'unknown function with name "info"'),
        ("limitk(2, cpu)", 'unknown function with name "limitk"'),
        ('cpu{a="1" or b="2"}', 'unexpected identifier "or" in label matching'),
        ("cpu @ 1e300", "timestamp out of bounds for @ modifier: 1000"),
        ("cpu offset 300y", "duration out of range"),
        ("cpu +\n\n  cpu cpu", '3:7: parse error: unexpected identifier "cpu"'),
        ("서 + cpu", "1:1: parse error: unexpected character: '서'"),
        ('"서버" cpu', '1:10: parse error: unexpected identifier "cpu"'),
    ],
)
def test_bad_text_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(BadDataError, match=re.escape(message)) as caught:
        parse(text)
    assert isinstance(caught.value, InvalidArgumentError)
    assert caught.value.reason == "BAD_DATA"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "1" + ")" * 10_000,
        "abs(" * 5_000 + "cpu" + ")" * 5_000,
        " + ".join(["cpu"] * 5_000),
        "-" * 10_000 + "1",
        " and ".join(["cpu"] * 1_000),
        "[" * 10_000,
        '"\n"' + "(" * 10_000 + '"',  # a line break ends no string: what follows must not be taken for its text
        "# `\r" + "(" * 10_000 + "1" + ")" * 10_000 + "`",
        "+".join('{a=~"\\\\w{9}"}' for _ in range(201)),
        "cpu[" * 1_000,
        "sum by (" * 1_000,
        "\\" * 60_000,
        "0" * 60_000 + "x",
        "a" * 100_000,
        "{" + ",".join(['a=~"\\\\w{1000}"'] * 4_000) + "}",
    ],
)
def test_no_text_harms_the_process(text: str) -> None:
    with pytest.raises(BadDataError):
        parse(text)


def test_what_is_at_the_edge_of_the_limits_still_works() -> None:
    parse("(" * 60 + "cpu" + ")" * 60)
    parse(" + ".join(["cpu"] * 150))
    parse("sum by (" + ", ".join(f"label_{number}" for number in range(1_000)) + ") (cpu)")


async def test_the_deepest_expression_is_evaluated() -> None:
    text = "abs(" * 60 + " + ".join(['cpu{server="a"}'] * 150) + ")" * 60
    assert await ask(READER, text, 60) == {'{server="a"}': 150}


def test_a_selector_gives_its_matchers() -> None:
    assert parse_selector('cpu{server=~"a.*",role!="db"}') == [
        Matcher("__name__", MatchOp.EQUAL, "cpu"),
        Matcher("server", MatchOp.REGEX, "a.*"),
        Matcher("role", MatchOp.NOT_EQUAL, "db"),
    ]
    assert parse_selector('{server!~"|b"}') == [Matcher("server", MatchOp.NOT_REGEX, "|b")]
    for text in ("cpu + 1", "cpu[5m]", "cpu offset 5m", "cpu @ 5", "1"):
        with pytest.raises(BadDataError):
            parse_selector(text)


def test_selectors_of_an_expression_and_how_far_back_they_read() -> None:
    expression = parse('sum(rate(cpu[10m] offset 5m)) / count(up) > max_over_time(load{a="1"}[1h:1m]) unless up')
    assert [(use.matchers[0].value, use.lookback_ms) for use in selectors_of(expression)] == [
        ("cpu", 15 * 60_000),
        ("up", 5 * 60_000),
        ("load", 65 * 60_000),
    ]


async def test_ranges_that_cannot_be() -> None:
    with pytest.raises(BadDataError, match=r"exceeded maximum resolution of 11,000 points per timeseries\. Try decreasing"):
        await evaluate_range("cpu", READER, 0, 11_001_000, 1_000)
    assert len((await evaluate_range("cpu", READER, 0, 11_000_000, 1_000)).matrix.labels) == 2
    with pytest.raises(BadDataError, match="zero or negative"):
        await evaluate_range("cpu", READER, 0, 1_000, 0)
    with pytest.raises(BadDataError, match="before start"):
        await evaluate_range("cpu", READER, 1_000, 0, 1)
    with pytest.raises(BadDataError, match='"range vector" for range query'):
        await evaluate_range("cpu[5m]", READER, 0, 1_000, 1)
    with pytest.raises(BadDataError, match='"string" for range query'):
        await evaluate_range("'a'", READER, 0, 1_000, 1)
    with pytest.raises(BadDataError, match="out of bounds"):
        await evaluate_instant("cpu", READER, 2**60)


@pytest.mark.parametrize(
    ("expr", "limits"),
    [
        ("cpu[10m]", QueryLimits(max_samples=21)),
        ("cpu[5m] offset 1m", QueryLimits(max_samples=11)),
        ("rate(cpu[4m]) + rate(cpu[5m])", QueryLimits(max_samples=21)),
        ("cpu", QueryLimits(max_series=1)),
        ("max_over_time(cpu[1d:1s])", QueryLimits(max_cells=1_000)),
        ("count_over_time(vector(1)[100y:1ms])", QueryLimits()),
    ],
)
async def test_queries_that_are_too_large(expr: str, limits: QueryLimits) -> None:
    with pytest.raises(QueryTooLargeError) as caught:
        await evaluate_instant(expr, READER, 600_000, limits=limits)
    assert isinstance(caught.value, ResourceExhaustedError)
    assert caught.value.reason == "QUERY_TOO_LARGE"


async def test_a_store_that_gives_up_is_a_query_too_large() -> None:
    class Full:
        async def select(self, matchers: object, start_ms: int, end_ms: int, *, max_samples: int | None = None) -> SeriesData:
            raise ResourceExhaustedError("more than 7", reason="TOO_MANY_SAMPLES")

    with pytest.raises(QueryTooLargeError):
        await evaluate_instant("cpu", Full(), 0)


async def test_nothing_stored_is_an_empty_answer() -> None:
    class Empty:
        async def select(self, matchers: object, start_ms: int, end_ms: int, *, max_samples: int | None = None) -> SeriesData:
            return SeriesData.empty()

    for expr in ("cpu", "rate(cpu[5m])", "sum(cpu)", "cpu + cpu", "topk(1, cpu)", "cpu or cpu", "quantile_over_time(0.5, cpu[5m])",
                 "max_over_time(cpu[5m:1m])", "histogram_quantile(0.5, cpu)", 'count_values("a", cpu)', "deriv(cpu[5m])",
                 "sort(cpu)", "quantile(0.5, cpu)", 'label_replace(cpu, "a", "b", "c", "")', "timestamp(cpu)", "-cpu", "cpu[5m]"):  # fmt: skip
        result = await evaluate_instant(expr, Empty(), 0)
        assert not result.value.labels  # type: ignore[union-attr]
        assert result.samples_read == 0
    points = (await evaluate_range("rate(cpu[5m])", Empty(), 0, 10, 1)).matrix
    assert points.offsets.tolist() == [0]
    assert points.values.dtype == np.float64
