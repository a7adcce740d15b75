"""Operators between numbers and vectors: values, names, filters, and who is paired with whom."""

import math

import pytest

from services.metrics.domain.promql import ExecutionError
from tests.support.promql_series import ask, ask_range, load

READER = load("""
    cpu{server="a",role="web"} 80x20
    cpu{server="b",role="web"} 40x20
    cpu{server="c",role="db"} 20x20
    memory{server="a",role="web"} 50x20
    memory{server="b",role="web"} 60x20
    limit{role="web",team="blue"} 60x20
    limit{role="db",team="red"} 10x20
    bare 2x20
    early{version="1"} 1x3 stale
    early{version="2"} _x5 5x3
""")


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("1 + 2 * 3 ^ 2", 19),
        ("2 ^ 3 ^ 2", 512),
        ("-2 ^ 2", -4),
        ("5 % 3 - -5 % 3", 4),
        ("-5 % 3", -2),
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("1 > bool 2", 0),
        ("2 >= bool 2", 1),
        ("(1 == bool 1) + 1", 2),
        ("time() - 300", 300),
    ],
)
async def test_numbers(expr: str, expected: float) -> None:
    assert await ask(READER, expr, 600) == expected


async def test_nan_is_not_equal_to_itself() -> None:
    value = await ask(READER, "0 / 0", 600)
    assert math.isnan(value)
    assert await ask(READER, "NaN == bool NaN", 600) == 0


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ('cpu{server="a"} + 1', {'{role="web",server="a"}': 81}),
        ('100 - cpu{server="a"}', {'{role="web",server="a"}': 20}),
        ('-cpu{server="a"}', {'{role="web",server="a"}': -80}),
        ("cpu > 50", {'cpu{role="web",server="a"}': 80}),
        ("50 < cpu", {'cpu{role="web",server="a"}': 80}),
        ("cpu > 1000", {}),
        ("cpu > 30 < 50", {'cpu{role="web",server="b"}': 40}),
        (
            "cpu > bool 50",
            {'{role="web",server="a"}': 1, '{role="web",server="b"}': 0, '{role="db",server="c"}': 0},
        ),
        ("bare + bare", {"{}": 4}),
        ("bare == bare", {"bare": 2}),
        ("cpu - memory", {'{role="web",server="a"}': 30, '{role="web",server="b"}': -20}),
        ("cpu > memory", {'cpu{role="web",server="a"}': 80}),
        ("cpu > bool memory", {'{role="web",server="a"}': 1, '{role="web",server="b"}': 0}),
        ("cpu / on(server) memory", {'{server="a"}': 1.6, '{server="b"}': pytest.approx(2 / 3)}),
        ("cpu > on(server) memory", {'{server="a"}': 80}),
        ("cpu + ignoring(role) memory", {'{server="a"}': 130, '{server="b"}': 100}),
        ("cpu + on() bare", None),
        ('cpu{server="a"} + on() bare', {"{}": 82}),
        (
            "cpu / on(role) group_left limit",
            {
                '{role="web",server="a"}': pytest.approx(80 / 60),
                '{role="web",server="b"}': pytest.approx(40 / 60),
                '{role="db",server="c"}': 2,
            },
        ),
        ("cpu > on(role) group_left(team) limit", {
            'cpu{role="web",server="a",team="blue"}': 80, 'cpu{role="db",server="c",team="red"}': 20,
        }),
        ("limit < on(role) group_right cpu", {'cpu{role="web",server="a"}': 60, 'cpu{role="db",server="c"}': 10}),
        ("limit - on(role) group_right(team) cpu", {
            '{role="web",server="a",team="blue"}': -20, '{role="web",server="b",team="blue"}': 20,
            '{role="db",server="c",team="red"}': -10,
        }),
        ("cpu and memory > 55", {'cpu{role="web",server="b"}': 40}),
        ("cpu unless memory", {'cpu{role="db",server="c"}': 20}),
        ("cpu unless on(role) limit", {}),
        ("memory or cpu", {
            'memory{role="web",server="a"}': 50, 'memory{role="web",server="b"}': 60, 'cpu{role="db",server="c"}': 20,
        }),
        ("nope or vector(0)", {"{}": 0}),
        ("nope + cpu", {}),
        ("nope * on(role) cpu", {}),  # nothing to meet, so that nothing is ambiguous
        ("bare and on() vector(1)", {"bare": 2}),
        ("cpu * on(role) limit", None),
        ("limit * on(role) cpu", None),
        ("cpu * on(role) group_left cpu", None),
        ('{__name__=~"cpu|memory"} + 1', None),
        ('-{__name__=~"cpu|memory"}', None),
    ],
)  # fmt: skip
async def test_vectors(expr: str, expected: dict[str, float] | None) -> None:
    if expected is None:
        with pytest.raises(ExecutionError):
            await ask(READER, expr, 600)
    else:
        assert await ask(READER, expr, 600) == expected


async def test_the_error_says_what_cannot_be_told_apart() -> None:
    with pytest.raises(ExecutionError, match=r'for the match group {role="web"} on the right.*server="b"}, {'):
        await ask(READER, "limit * on(role) cpu", 600)
    with pytest.raises(ExecutionError, match="many-to-one matching must be explicit"):
        await ask(READER, "cpu * on(role) limit", 600)
    with pytest.raises(ExecutionError, match="vector cannot contain metrics with the same labelset"):
        await ask(READER, '{__name__=~"cpu|memory"} + 1', 600)


async def test_series_that_follow_each_other_are_not_duplicates() -> None:
    """The first version ends at 4:00, the second begins at 5:00: at no step are there two, so that one row has both."""
    points = await ask_range(READER, "early * ignoring(version) vector(2)", 180, 360, 60)
    assert points == {"{}": [(180, 2), (300, 10), (360, 10)]}
    assert await ask_range(READER, "early or vector(0)", 240, 300, 60) == {
        "{}": [(240, 0), (300, 0)],
        'early{version="2"}': [(300, 5)],
    }
