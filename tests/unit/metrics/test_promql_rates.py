"""Change within a window, by hand: extrapolation to the edges, resets, the zero that a counter cannot cross."""

import pytest

from tests.support.promql_series import ask, ask_range, load

# One sample a minute.
READER = load("""
    steady 100+60x10
    young 0+60x10
    reset 100 160 220 10 70 130
    gauge 10 8 6 4 2 0
    single 5
    line 3+2x10
    curve 0 1 4 9 16
    flat 7x10
    late _x2 50 110 170
""")


@pytest.mark.parametrize(
    ("expr", "at", "expected"),
    [
        # Samples at both edges: nothing to extrapolate.
        ("increase(steady[5m])", 300, 300),
        ("rate(steady[5m])", 300, 1),
        # 30 s before the first and after the last sample: both below 1.1 sample distances, stretched to the edges.
        ("increase(steady[4m])", 270, 240),
        # Samples at 60 120 180 of a window of 0:45 to 3:05 (15 s and 5 s to the edges): 120 * (120 + 20) / 120.
        ("increase(steady[140s])", 185, 140),
        # A counter that was 60 at 1:00 was 0 at 0:00, and not before.
        ("increase(young[140s])", 185, 140),
        # 0 at 0:00: the window begins 60 s before, but there was nothing to count.
        ("increase(young[3m])", 120, 120),
        # Starts at 2:00 with 50: zero lies 50 s before, and the edge 120 s before: (120 + 50) / 120 of 120.
        ("increase(late[4m])", 240, 170),
        # A gauge has no zero to stop at; 120 s are more than 1.1 distances, so half a distance is added: (120 + 30) / 120.
        ("delta(late[4m])", 240, 150),
        # 120 before the reset, and from 0 to 130 after it.
        ("increase(reset[5m])", 300, 250),
        ("rate(reset[5m])", 300, 250 / 300),
        ("delta(gauge[5m])", 300, -10),
        ("irate(steady[5m])", 330, 1),
        ("irate(reset[5m])", 180, 10 / 60),  # after a reset the counter began at 0
        ("irate(reset[5m])", 240, 1),
        ("idelta(gauge[5m])", 300, -2),
        ("rate(steady[5m] offset 2m)", 420, 1),
        ("rate(steady[5m] @ 300)", 0, 1),
        ("deriv(line[5m])", 300, 2 / 60),
        ("deriv(flat[5m])", 300, 0),
        # x = 0 1 2 3 4 minutes, y = 0 1 4 9 16: slope 4 a minute, mean 6 at 2 minutes.
        ("deriv(curve[4m])", 240, 4 / 60),
        ("predict_linear(curve[4m], 60)", 240, 18),
        ("predict_linear(line[5m], 600)", 300, 3 + 2 * 15),
        ("predict_linear(line[5m] offset 1m, 60)", 360, 3 + 2 * 7),  # counted from the evaluation time, not from the samples
        ("predict_linear(flat[5m], 1e6)", 300, 7),
        ("resets(reset[5m])", 300, 1),
        ("resets(gauge[5m])", 300, 5),
        ("changes(reset[5m])", 300, 5),
        ("changes(flat[5m])", 300, 0),
    ],
)
async def test_change_within_a_window(expr: str, at: float, expected: float) -> None:
    assert await ask(READER, expr, at) == {"{}": pytest.approx(expected, rel=1e-12, abs=1e-12)}


@pytest.mark.parametrize("function", ["rate", "increase", "delta", "irate", "idelta", "deriv"])
async def test_one_sample_is_not_a_change(function: str) -> None:
    assert await ask(READER, f"{function}(single[5m])", 60) == {}
    assert await ask(READER, f"{function}(nope[5m])", 60) == {}
    assert await ask(READER, f"{function}(steady[30s])", 60) == {}


async def test_resets_of_one_series_do_not_leak_into_the_next() -> None:
    reader = load("""
        hits{server="a"} 1000+10x5
        hits{server="b"} 0+1x5
        hits{server="c"} 5 0 5 0 5 0
    """)
    assert await ask(reader, "increase(hits[5m])", 300) == {'{server="a"}': 50, '{server="b"}': 5, '{server="c"}': 10}


async def test_a_rate_over_steps() -> None:
    assert await ask_range(READER, "increase(reset[1m])", 0, 360, 60) == {
        "{}": [(60, 60), (120, 60), (180, 10), (240, 60), (300, 60)],
    }


async def test_a_small_slope_on_a_large_value_keeps_its_digits() -> None:
    reader = load("big " + " ".join(str(2.0**40 + minute / 4) for minute in range(11)))
    assert await ask(reader, "deriv(big[10m])", 600) == {"{}": pytest.approx(0.25 / 60, rel=1e-12)}
    assert await ask(reader, "stdvar_over_time(big[10m])", 600) == {"{}": pytest.approx(10 / 16, rel=1e-12)}
