"""Aggregations by hand: grouping, order, NaN, and groups that exist at some steps only."""

import math

import pytest

from services.metrics.domain.promql import ExecutionError, Vector, evaluate_instant
from tests.support.promql_series import ask, ask_range, load

READER = load("""
    cpu{server="a",role="web",site="x"} 10x20
    cpu{server="b",role="web",site="x"} 20x20
    cpu{server="c",role="web",site="y"} 60x20
    cpu{server="d",role="db",site="y"} 5x3 stale
    cpu{server="e",site="y"} 7x20
    odd{server="a"} NaN
    odd{server="b"} 1
    odd{server="c"} 3
    up{server="a"} 1x20
    up{server="b"} 1x20
    up{server="c"} 0x20
""")


@pytest.mark.parametrize(
    ("expr", "at", "expected"),
    [
        ("sum(cpu)", 60, {"{}": 102}),
        ("sum(cpu)", 600, {"{}": 97}),
        ("sum by (role) (cpu)", 60, {'{role="web"}': 90, '{role="db"}': 5, "{}": 7}),
        ("sum by (role, nope) (cpu)", 600, {'{role="web"}': 90, "{}": 7}),
        ("sum without (server, role) (cpu)", 600, {'{site="x"}': 30, '{site="y"}': 67}),
        ("sum(cpu) by (site)", 600, {'{site="x"}': 30, '{site="y"}': 67}),
        ("count by (__name__) (cpu)", 600, {"cpu": 4}),
        ("avg by (role) (cpu)", 600, {'{role="web"}': 30, "{}": 7}),
        ("min by (role) (cpu)", 600, {'{role="web"}': 10, "{}": 7}),
        ("max by (role) (cpu)", 600, {'{role="web"}': 60, "{}": 7}),
        ("count(cpu)", 60, {"{}": 5}),
        ("group by (site) (cpu)", 600, {'{site="x"}': 1, '{site="y"}': 1}),
        ("stdvar by (role) (cpu)", 600, {'{role="web"}': pytest.approx((400 + 100 + 900) / 3), "{}": 0}),
        ("stddev by (role) (cpu)", 600, {'{role="web"}': pytest.approx(math.sqrt(1400 / 3)), "{}": 0}),
        ("quantile(0.5, cpu)", 600, {"{}": 15}),
        ("quantile(0.25, cpu)", 600, {"{}": 9.25}),
        ("quantile(-0.1, cpu)", 600, {"{}": -math.inf}),
        ("quantile(1.1, cpu)", 600, {"{}": math.inf}),
        ("topk(2, cpu)", 600, {'cpu{role="web",server="c",site="y"}': 60, 'cpu{role="web",server="b",site="x"}': 20}),
        ("bottomk(1, cpu)", 600, {'cpu{server="e",site="y"}': 7}),
        ("topk by (site) (1, cpu)", 600, {'cpu{role="web",server="b",site="x"}': 20, 'cpu{role="web",server="c",site="y"}': 60}),
        ("topk(0, cpu)", 600, {}),
        ("topk(-1, cpu)", 600, {}),
        ("count(topk(1.9, cpu))", 600, {"{}": 1}),
        ('count_values("state", up)', 600, {'{state="1"}': 2, '{state="0"}': 1}),
        ('count_values without (server) ("state", up)', 600, {'{state="1"}': 2, '{state="0"}': 1}),
        ('count_values by (server) ("state", up{server="a"})', 600, {'{server="a",state="1"}': 1}),
        ('count_values("v", vector(0.1) * 1e7)', 600, {'{v="1000000"}': 1}),
        ('count_values("v", vector(1e21))', 600, {'{v="1000000000000000000000"}': 1}),
        ('count_values("v", vector(1 / 0))', 600, {'{v="+Inf"}': 1}),
        ("sum(cpu > 1000)", 600, {}),
        ("count(nope)", 600, {}),
        ("min(odd)", 0, {"{}": 1}),
        ("max(odd)", 0, {"{}": 3}),
        ("count(odd)", 0, {"{}": 3}),
        ("bottomk(2, odd)", 0, {'odd{server="b"}': 1, 'odd{server="c"}': 3}),
        ("topk(1, odd)", 0, {'odd{server="c"}': 3}),
        ("quantile(1, odd)", 0, {"{}": 3}),
    ],
)
async def test_values_by_hand(expr: str, at: float, expected: dict[str, float]) -> None:
    assert await ask(READER, expr, at) == expected


@pytest.mark.parametrize(
    "expr", ["sum(odd)", "avg(odd)", "stddev(odd)", "quantile(0, odd)", "quantile(NaN, odd)", 'max(odd{server="a"})']
)
async def test_nan_stays_nan(expr: str) -> None:
    value = await ask(READER, expr, 0)
    assert math.isnan(value["{}"])


@pytest.mark.parametrize(
    ("expr", "order"),
    [("topk(3, cpu)", "c b a"), ("bottomk(3, cpu)", "e a b"), ("sort(cpu)", "e a b c"), ("sort_desc(cpu)", "c b a e")],
)
async def test_one_instant_has_an_order(expr: str, order: str) -> None:
    value = (await evaluate_instant(expr, READER, 600_000)).value
    assert isinstance(value, Vector)
    assert [dict(labels)["server"] for labels in value.labels] == order.split()


async def test_groups_exist_where_a_member_does() -> None:
    assert await ask_range(READER, "sum by (role) (cpu{role!=''})", 120, 300, 60) == {
        '{role="db"}': [(120, 5), (180, 5)],
        '{role="web"}': [(time, 90) for time in (120, 180, 240, 300)],
    }


async def test_topk_is_decided_at_each_step() -> None:
    reader = load("x{i='1'} 1 9 1\nx{i='2'} 2 2 2".replace("'", '"'))
    assert await ask_range(reader, "topk(1, x)", 0, 120, 60) == {'x{i="1"}': [(60, 9)], 'x{i="2"}': [(0, 2), (120, 2)]}
    # k may differ from step to step, too: 0 at first, then 1, then 2.
    points = await ask_range(reader, "topk(time() / 60, x)", 0, 120, 60)
    assert points == {'x{i="1"}': [(60, 9), (120, 1)], 'x{i="2"}': [(120, 2)]}


async def test_impossible_parameters() -> None:
    with pytest.raises(ExecutionError, match="Scalar value NaN overflows int64"):
        await ask(READER, "topk(NaN, cpu)", 600)
    with pytest.raises(ExecutionError, match='invalid label name "a-b"'):
        await ask(READER, 'count_values("a-b", cpu)', 600)
