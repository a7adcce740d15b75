"""The `*_over_time` functions: values by hand, and agreement with a plain loop over windows of anything."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.domain.promql import evaluate_range
from tests.support.promql_series import STALE, MemoryReader, Series, ask, load

READER = load("""
    cpu{server="a"} 4 2 8 6 _ 10
    cpu{server="b"} 1 stale
    odd{server="a"} NaN 3 1 NaN
    huge 1e308x2
    endless 1 inf 2
""")


@pytest.mark.parametrize(
    ("expr", "at", "expected"),
    [
        ("avg_over_time(cpu[5m])", 300, {'{server="a"}': 6, '{server="b"}': 1}),
        ("sum_over_time(cpu[5m])", 300, {'{server="a"}': 30, '{server="b"}': 1}),
        ("min_over_time(cpu[5m])", 300, {'{server="a"}': 2, '{server="b"}': 1}),
        ("max_over_time(cpu[5m])", 300, {'{server="a"}': 10, '{server="b"}': 1}),
        ("count_over_time(cpu[5m])", 300, {'{server="a"}': 5, '{server="b"}': 1}),
        ("last_over_time(cpu[5m])", 300, {'cpu{server="a"}': 10, 'cpu{server="b"}': 1}),
        ("present_over_time(cpu[5m])", 300, {'{server="a"}': 1, '{server="b"}': 1}),
        ("stdvar_over_time(cpu[5m])", 300, {'{server="a"}': 8, '{server="b"}': 0}),
        ("stddev_over_time(cpu[5m])", 300, {'{server="a"}': math.sqrt(8), '{server="b"}': 0}),
        ("quantile_over_time(0.5, cpu[5m])", 300, {'{server="a"}': 6, '{server="b"}': 1}),
        ("quantile_over_time(0.9, cpu[5m])", 300, {'{server="a"}': pytest.approx(9.2), '{server="b"}': 1}),
        ("quantile_over_time(-1, cpu[5m])", 300, {'{server="a"}': -math.inf, '{server="b"}': -math.inf}),
        ("quantile_over_time(2, cpu[5m])", 300, {'{server="a"}': math.inf, '{server="b"}': math.inf}),
        ("count_over_time(cpu[5m])", 301, {'{server="a"}': 4}),  # the samples at 0:00 are outside now
        ("sum_over_time(cpu[59s])", 239, {'{server="a"}': 6}),
        ("sum_over_time(cpu[58s])", 239, {}),
        ("min_over_time(odd[5m])", 180, {'{server="a"}': 1}),
        ("max_over_time(odd[5m])", 180, {'{server="a"}': 3}),
        ("changes(odd[5m])", 180, {'{server="a"}': 3}),
        ("avg_over_time(huge[5m])", 120, {"{}": pytest.approx(1e308)}),
        ("sum_over_time(huge[5m])", 120, {"{}": math.inf}),
        ("avg_over_time(endless[5m])", 120, {"{}": math.inf}),
    ],
)
async def test_values_by_hand(expr: str, at: float, expected: dict[str, float]) -> None:
    assert await ask(READER, expr, at) == expected


@pytest.mark.parametrize("function", ["sum", "avg", "stddev", "stdvar"])
async def test_nan_in_a_window_is_nan_there_and_only_there(function: str) -> None:
    there = await ask(READER, f"{function}_over_time(odd[3m])", 180)
    beside = await ask(READER, f"{function}_over_time(odd[1m])", 120)
    assert math.isnan(there['{server="a"}'])
    assert math.isfinite(beside['{server="a"}'])


async def test_nan_is_the_smallest_value_of_a_quantile() -> None:
    low = await ask(READER, "quantile_over_time(0.1, odd[3m])", 180)
    assert math.isnan(low['{server="a"}'])
    assert await ask(READER, "quantile_over_time(1, odd[3m])", 180) == {'{server="a"}': 3}


NAIVE: dict[str, Callable[[np.ndarray], float]] = {
    "sum_over_time": np.sum,
    "avg_over_time": np.mean,
    "min_over_time": np.min,
    "max_over_time": np.max,
    "count_over_time": len,
    "stdvar_over_time": np.var,
    "stddev_over_time": np.std,
    "last_over_time": lambda window: float(window[-1]),
    "quantile_over_time": lambda window: float(np.quantile(window, 0.3)),
    "changes": lambda window: float(np.count_nonzero(np.diff(window))),
    "resets": lambda window: float(np.count_nonzero(np.diff(window) < 0)),
}

VALUES = st.floats(-1e6, 1e6, width=32)
SERIES = st.lists(st.tuples(st.integers(0, 120), VALUES | st.just(STALE)), max_size=40, unique_by=lambda sample: sample[0])


@settings(max_examples=60, deadline=None)
@given(many=st.lists(SERIES, min_size=1, max_size=5), width=st.integers(1, 90), step=st.integers(1, 40), back=st.integers(-20, 20))
async def test_functions_agree_with_a_loop_over_windows(
    many: list[list[tuple[int, float]]], width: int, step: int, back: int
) -> None:
    """Samples at whole seconds, windows of any width at any step, with gaps, markers and empty series."""
    series = [
        Series(
            (("__name__", "x"), ("server", str(number))),
            np.array([time * 1000 for time, _ in sorted(samples)], np.int64),
            np.array([value for _, value in sorted(samples)], np.float64),
        )
        for number, samples in enumerate(many)
    ]
    for name, naive in NAIVE.items():
        quantile = "0.3, " if name.startswith("quantile") else ""
        expr = f"{name}({quantile}x[{width}s] offset {back}s)" if back else f"{name}({quantile}x[{width}s])"
        matrix = (await evaluate_range(expr, MemoryReader(series), 0, 150_000, step * 1000)).matrix
        found: dict[tuple[str, int], float] = {}
        for row, labels in enumerate(matrix.labels):
            rows = slice(matrix.offsets[row], matrix.offsets[row + 1])
            cells = zip(matrix.timestamps_ms[rows].tolist(), matrix.values[rows].tolist(), strict=True)
            found |= {(dict(labels)["server"], time // 1000): value for time, value in cells}
        expected: dict[tuple[str, int], float] = {}
        for number, samples in enumerate(many):
            for time in range(0, 151, step):
                end = time - back
                inside = [v for t, v in sorted(samples) if end - width <= t <= end and not math.isnan(v)]
                if inside:
                    expected[str(number), time] = float(naive(np.array(inside)))
        assert found.keys() == expected.keys(), name
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-6 if "std" in name else 1e-9), name
