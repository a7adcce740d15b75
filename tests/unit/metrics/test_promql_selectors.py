"""What selectors take: lookback, staleness, windows, offset and `@`."""

import math

import pytest

from services.metrics.domain.promql import Matrix, Text, evaluate_instant
from tests.support.promql_series import ask, ask_range, load, points_of

# One sample a minute from time 0: a is 0 10 20 ..., b ends with a marker at 4:00, c has a gap from 2:00 to 8:00.
READER = load("""
    cpu{server="a",role="web"} 0+10x20
    cpu{server="b",role="web"} 1 2 3 4 stale
    cpu{server="c",role="db"} 5 _x7 6
    odd{server="a"} 1 NaN inf
""")
A, B, C = 'cpu{role="web",server="a"}', 'cpu{role="web",server="b"}', 'cpu{role="db",server="c"}'


@pytest.mark.parametrize(
    ("expr", "at", "expected"),
    [
        ("cpu", 0, {A: 0, B: 1, C: 5}),
        ("cpu", -0.001, {}),
        ("cpu", 61, {A: 10, B: 2, C: 5}),
        ("cpu", 239.999, {A: 30, B: 4, C: 5}),
        ("cpu", 240, {A: 40, C: 5}),  # the marker ends b at once, not after five minutes
        ("cpu", 300, {A: 50, C: 5}),  # exactly five minutes old is still current, as in Prometheus 2.x
        ("cpu", 300.001, {A: 50}),
        ("cpu", 480, {A: 80, C: 6}),
        ("cpu", 1500, {A: 200}),
        ("cpu", 1500.001, {}),
        ('cpu{server="a"}', 60, {A: 10}),
        ('cpu{server!="a"}', 60, {B: 2, C: 5}),
        ('cpu{server=~"a|c"}', 60, {A: 10, C: 5}),
        ('cpu{server=~"[ab]",role!~"d.*"}', 60, {A: 10, B: 2}),
        ('{__name__="cpu",server="a"}', 60, {A: 10}),
        ('{__name__=~"c.u",server="a"}', 60, {A: 10}),
        ("cpu{server=~`a|\\w\\d`}", 60, {A: 10}),  # raw strings have no escapes
        ("cpu offset 1m", 120, {A: 10, B: 2, C: 5}),
        ("cpu offset -1m", 120, {A: 30, B: 4, C: 5}),
        ("cpu @ 60", 600, {A: 10, B: 2, C: 5}),
        ("cpu @ 120 offset 1m", 600, {A: 10, B: 2, C: 5}),
        ("cpu @ end()", 60, {A: 10, B: 2, C: 5}),
        ("timestamp(cpu)", 90.5, {'{role="web",server="a"}': 60, '{role="web",server="b"}': 60, '{role="db",server="c"}': 0}),
        ("timestamp(cpu + 0)", 90.5, {'{role="web",server="a"}': 90.5, '{role="web",server="b"}': 90.5, '{role="db",server="c"}': 90.5}),
        ("nope", 60, {}),
    ],
)  # fmt: skip
async def test_an_instant_selector_takes_the_newest_sample(expr: str, at: float, expected: dict[str, float]) -> None:
    assert await ask(READER, expr, at) == expected


async def test_nan_is_a_value_and_not_an_end() -> None:
    value = await ask(READER, "odd", 60)
    assert math.isnan(value['odd{server="a"}'])
    assert await ask(READER, "odd", 120) == {'odd{server="a"}': math.inf}


async def test_a_range_selector_is_closed_at_both_ends_and_leaves_markers_out() -> None:
    result = await evaluate_instant("cpu[2m]", READER, 240_000)
    assert isinstance(result.value, Matrix)
    assert points_of(result.value) == {A: [(120, 20), (180, 30), (240, 40)], B: [(120, 3), (180, 4)]}
    assert result.samples_read == 6
    moved = await evaluate_instant("cpu[1m] offset 1m", READER, 240_000)
    assert isinstance(moved.value, Matrix)
    assert points_of(moved.value) == {A: [(120, 20), (180, 30)], B: [(120, 3), (180, 4)]}


async def test_a_range_query_gives_each_step_what_an_instant_query_gives() -> None:
    points = await ask_range(READER, "cpu", 0, 600, 45)
    for step in range(0, 601, 45):
        here = {labels: value for labels, row in points.items() for time, value in row if time == step}
        assert here == await ask(READER, "cpu", step)


async def test_start_and_end_are_those_of_the_query() -> None:
    assert await ask_range(READER, 'cpu{server="a"} @ end() - cpu @ start()', 60, 240, 60) == {
        '{role="web",server="a"}': [(60, 30), (120, 30), (180, 30), (240, 30)]
    }


async def test_series_come_and_go_within_a_range() -> None:
    points = await ask_range(READER, 'cpu{server=~"b|c"}', 120, 540, 60)
    assert points[B] == [(120, 3), (180, 4)]
    assert points[C] == [(120, 5), (180, 5), (240, 5), (300, 5), (480, 6), (540, 6)]


async def test_a_query_reads_no_more_than_it_needs() -> None:
    reader = load("cpu 0+1x20")
    await ask_range(reader, "cpu + rate(cpu[2m] offset 3m) + cpu + cpu @ 30", 600, 660, 40)
    assert [(start, end) for _, start, end in reader.reads] == [(300_000, 640_000), (300_000, 460_000), (-270_000, 30_000)]


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("max_over_time(cpu{server='a'}[3m:1m])", {'{role="web",server="a"}': 100}),
        ("sum_over_time(cpu{server='a'}[3m:1m])", {'{role="web",server="a"}': 70 + 80 + 90 + 100}),
        # Steps are multiples of the resolution (450, 540), not counted from the evaluation time; at 450 the sample is of 420.
        ("sum_over_time(cpu{server='a'}[3m:90s])", {'{role="web",server="a"}': 70 + 90}),
        ("sum_over_time(cpu{server='a'}[2m:1m] offset 1m)", {'{role="web",server="a"}': 70 + 80 + 90}),
        ("sum_over_time(cpu{server='a'}[1m:1m] @ 120)", {'{role="web",server="a"}': 10 + 20}),
        ("count_over_time(cpu{server='a'}[10m:])", {'{role="web",server="a"}': 11}),  # a minute unless said
        ("sum_over_time(vector(time())[2m:1m])", {"{}": 480 + 540 + 600}),
        ("max_over_time(sum_over_time(cpu{server='a'}[1m:1m])[2m:1m])", {'{role="web",server="a"}': 190}),
        ("count_over_time(cpu[58s:1m] offset 1s)", {}),  # no multiple of a minute from 541 to 599
    ],
)
async def test_subqueries(expr: str, expected: dict[str, float]) -> None:
    assert await ask(READER, expr, 600) == expected


async def test_literals() -> None:
    assert await ask(READER, '"text"', 5) == "text"
    assert await ask(READER, "0x1F", 5) == 31
    text = (await evaluate_instant("'a'", READER, 7)).value
    assert text == Text(7, "a")
