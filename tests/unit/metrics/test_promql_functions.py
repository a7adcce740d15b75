"""Functions of single values, labels and the calendar, by hand."""

import math

import pytest

from services.metrics.domain.promql import ExecutionError
from tests.support.promql_series import ask, ask_range, load

READER = load("""
    x{i="1"} -1.5x9
    x{i="2"} 0x9
    x{i="3"} 2.5x9
    host{server="web-01.example",role="web"} 1x9
    gone{server="a"} 1 1 stale
    requests_bucket{le="0.1"} 0+10x9
    requests_bucket{le="0.5"} 0+30x9
    requests_bucket{le="1"} 0+40x9
    requests_bucket{le="+Inf"} 0+50x9
    open_bucket{le="1"} 1x9
    open_bucket{le="2"} 2x9
""")
LEAP_DAY = 1_709_210_096  # Thursday 2024-02-29 12:34:56 UTC


def of_x(*values: object) -> dict[str, object]:
    """Values of the three series of x, without the name."""
    return {f'{{i="{number}"}}': value for number, value in enumerate(values, start=1)}


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("abs(x)", of_x(1.5, 0, 2.5)),
        ("ceil(x)", of_x(-1, 0, 3)),
        ("floor(x)", of_x(-2, 0, 2)),
        ("round(x)", of_x(-1, 0, 3)),  # halves go up
        ("round(x, 0.2)", of_x(pytest.approx(-1.4), 0, pytest.approx(2.6))),
        ("round(x, 2)", of_x(-2, 0, 2)),
        ("clamp(x, -1, 2)", of_x(-1, 0, 2)),
        ("clamp(x, 2, 1)", {}),
        ("clamp_min(x, 1)", of_x(1, 1, 2.5)),
        ("clamp_max(x, 1)", of_x(-1.5, 0, 1)),
        ("exp(x)", of_x(math.exp(-1.5), 1, pytest.approx(math.exp(2.5)))),
        ("sgn(x)", of_x(-1, 0, 1)),
        ("sqrt(x + 1.5)", of_x(0, pytest.approx(math.sqrt(1.5)), 2)),
        ("ln(x + 1.5)", of_x(-math.inf, pytest.approx(math.log(1.5)), pytest.approx(math.log(4)))),
        ("log2(x + 1.5)", of_x(-math.inf, pytest.approx(math.log2(1.5)), 2)),
        ("log10(x * 40 + 0)", None),
        ("vector(3)", {"{}": 3}),
        ("vector(scalar(host))", {"{}": 1}),
        ("scalar(host)", 1),
        ("time()", 120),
        ("pi()", math.pi),
        ("absent(host)", {}),
        ("absent(nope)", {"{}": 1}),
        ('absent(nope{a="1",b=~"2",c!="3",d="4"})', {'{a="1",d="4"}': 1}),
        ('absent(nope{a="1",a="2",b="3"})', {'{b="3"}': 1}),
        ("absent(sum(nope{a='1'}))", {"{}": 1}),
        ("absent(x > 100)", {"{}": 1}),
        ("absent(gone)", {"{}": 1}),
        ("absent_over_time(gone[1m])", {}),
        ('absent_over_time(nope{a="1"}[1m])', {'{a="1"}': 1}),
        ('label_replace(host, "short", "$1", "server", "([^.]+)[.].*")', {'host{role="web",server="web-01.example",short="web-01"}': 1}),
        ('label_replace(host, "short", "$1", "server", "([^.]+)")', {'host{role="web",server="web-01.example"}': 1}),
        ('label_replace(host, "server", "${n}-$$-$9", "server", "(?P<n>web).*")', {'host{role="web",server="web-$-"}': 1}),
        ('label_replace(host, "role", "", "role", ".*")', {'host{server="web-01.example"}': 1}),
        ('label_replace(host, "new", "x", "nope", "")', {'host{new="x",role="web",server="web-01.example"}': 1}),
        ('label_join(host, "both", "/", "role", "nope", "server")', {'host{both="web//web-01.example",role="web",server="web-01.example"}': 1}),
        (f"hour(vector({LEAP_DAY}))", {"{}": 12}),
        (f"minute(vector({LEAP_DAY}))", {"{}": 34}),
        (f"day_of_week(vector({LEAP_DAY}))", {"{}": 4}),
        (f"day_of_month(vector({LEAP_DAY}))", {"{}": 29}),
        (f"day_of_year(vector({LEAP_DAY}))", {"{}": 60}),
        (f"days_in_month(vector({LEAP_DAY}))", {"{}": 29}),
        (f"month(vector({LEAP_DAY}))", {"{}": 2}),
        (f"year(vector({LEAP_DAY}))", {"{}": 2024}),
        ("minute()", {"{}": 2}),
        ("year(vector(-1))", {"{}": 1969}),
        # 50 requests a minute, 100 by now; the median is number 50: bucket (0.1, 0.5], which has 20 to 60: 0.1 + 0.4 * 30 / 40.
        ("histogram_quantile(0.5, requests_bucket)", {"{}": pytest.approx(0.4)}),
        ("histogram_quantile(0.5, rate(requests_bucket[2m]))", {"{}": pytest.approx(0.4)}),
        ("histogram_quantile(0.1, requests_bucket)", {"{}": pytest.approx(0.05)}),  # the lowest bucket begins at 0
        ("histogram_quantile(0.99, requests_bucket)", {"{}": 1}),  # in the open bucket: its lower bound
        ("histogram_quantile(-1, requests_bucket)", {"{}": -math.inf}),
        ("histogram_quantile(2, requests_bucket)", {"{}": math.inf}),
        ("histogram_quantile(0.5, host)", {}),
    ],
)  # fmt: skip
async def test_values_by_hand(expr: str, expected: dict[str, object] | float | None) -> None:
    if expected is None:
        value = await ask(READER, expr, 120)
        assert isinstance(value, dict)
        assert math.isnan(value['{i="1"}'])
        assert value['{i="2"}'] == -math.inf
        assert value['{i="3"}'] == 2
    else:
        assert await ask(READER, expr, 120) == expected


@pytest.mark.parametrize("expr", ["scalar(x)", "scalar(nope)"])
async def test_scalar_of_anything_but_one_series_is_nan(expr: str) -> None:
    value = await ask(READER, expr, 120)
    assert math.isnan(value)


async def test_a_histogram_without_an_open_bucket_has_no_quantile() -> None:
    value = await ask(READER, "histogram_quantile(0.5, open_bucket)", 120)
    assert math.isnan(value["{}"])


async def test_absence_over_steps() -> None:
    assert await ask_range(READER, 'absent(gone{server="a"})', 0, 240, 60) == {'{server="a"}': [(120, 1), (180, 1), (240, 1)]}


async def test_labels_that_would_clash_or_cannot_be() -> None:
    with pytest.raises(ExecutionError, match="same labelset"):
        await ask(READER, 'label_replace(x, "i", "", "i", ".*")', 120)
    with pytest.raises(ExecutionError, match=r"invalid destination label name in label_replace\(\): a b"):
        await ask(READER, 'label_replace(x, "a b", "", "i", ".*")', 120)
    with pytest.raises(ExecutionError, match="invalid regular expression"):
        await ask(READER, 'label_replace(x, "i", "", "i", "(")', 120)
