"""Trends are told when they are there, and predictions hold what comes."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from services.ai_agent.domain.analyze.model import AnalysisRequest, AnalysisResult
from services.ai_agent.domain.analyze.optimized import analyse
from tests.support.noise import NOISE, Floats, autoregressive, calm_server

pytestmark = pytest.mark.filterwarnings("error")
START_MS = 1_700_000_000_000
MINUTE_MS = 60_000


def result(columns: dict[str, Floats], *, times: bool = True, lang: str = "en") -> AnalysisResult:
    rows = next(iter(columns.values())).size
    stamps = START_MS + MINUTE_MS * np.arange(rows, dtype=np.int64) if times else None
    return analyse(AnalysisRequest("what is coming?", stamps, columns), "ko" if lang == "ko" else "en")


@pytest.mark.parametrize("times", [True, False])
def test_a_rising_column_is_told_with_its_rate_and_when_it_is_full(times: bool) -> None:
    rng = np.random.default_rng(1)
    memory = 50.0 + 1.2 * np.arange(1_000) / 60.0 + rng.normal(0.0, 1.0, 1_000)
    found = result({"memory": memory, "disk": rng.normal(55.0, 3.0, 1_000)}, times=times)
    memory_trend, disk_trend = found.trends
    assert (memory_trend.direction, disk_trend.direction) == ("rising", "stable")
    assert memory_trend.slope_per_hour == pytest.approx(1.2, rel=0.1)
    assert memory_trend.p_value < 0.001
    assert memory_trend.mean == pytest.approx(memory.mean())
    assert memory_trend.last == memory[-1]
    (advice,) = [sentence for sentence in found.recommendations if "90 %" in sentence]
    hours = (90.0 - memory[-1]) / memory_trend.slope_per_hour
    assert f"in about {hours:.0f} h" in advice or f"in about {hours:.1f} h" in advice
    assert found.anomalies.count == 0


def test_a_falling_column_is_told() -> None:
    found = result({"cpu": np.linspace(80.0, 40.0, 200) + np.random.default_rng(2).normal(0.0, 2.0, 200)})
    assert found.trends[0].direction == "falling"
    assert not any("90 %" in sentence for sentence in found.recommendations)


def test_wandering_is_not_a_trend() -> None:
    rng = np.random.default_rng(3)
    moving = [
        trend.direction != "stable"
        for _ in range(60)
        for trend in result({"load": autoregressive(rng, 0.95, 1, 400)[0], "queue": rng.normal(size=400)}).trends
    ]
    assert np.mean(moving) <= 0.06


def test_a_significant_trend_too_slight_to_matter_is_stable() -> None:
    disk = 50.0 + np.linspace(0.0, 0.5, 2_000) + np.random.default_rng(4).normal(0.0, 0.05, 2_000)
    assert result({"disk": disk}).trends[0].direction == "stable"


@pytest.mark.parametrize(
    ("course", "method", "least"),
    [
        (lambda rng, n: NOISE["normal"](rng, 1, n)[0], "level", 0.93),
        (lambda rng, n: NOISE["student_3"](rng, 1, n)[0], "level", 0.93),
        (lambda rng, n: autoregressive(rng, 0.9, 1, n)[0], "level", 0.90),
        (lambda rng, n: NOISE["random_walk"](rng, 1, n)[0], "last_value", 0.80),
        (lambda rng, n: rng.normal(size=n) + 0.05 * np.arange(n), "damped_trend", 0.88),
    ],
    ids=["normal", "student", "ar", "walk", "trend"],
)
def test_intervals_hold_what_comes(course: Callable[[np.random.Generator, int], Floats], method: str, least: float) -> None:
    rng = np.random.default_rng(5)
    held, methods = [], []
    for _ in range(30):
        values = course(rng, 500)
        (prediction,) = result({"queue": values[:400]}).predictions
        held += [point.lower <= values[399 + point.steps_ahead] <= point.upper for point in prediction.points]
        methods.append(prediction.method)
    assert np.mean(held) >= least
    assert method in methods


def test_a_daily_profile_is_carried_on() -> None:
    rng = np.random.default_rng(6)
    minutes = np.arange(4 * 1_440)
    cpu = 40.0 - 25.0 * np.cos(2 * np.pi * minutes / 1_440) + rng.normal(0.0, 2.0, minutes.size)
    (prediction,) = result({"cpu": cpu[: 3 * 1_440]}).predictions
    assert prediction.method == "daily_profile"
    assert prediction.points[-1].steps_ahead == 1_080
    later = np.array([cpu[3 * 1_440 - 1 + point.steps_ahead] for point in prediction.points])
    assert np.abs(later - [point.value for point in prediction.points]).max() < 9.0
    assert prediction.points[-1].upper - prediction.points[-1].lower < 20.0


def test_points_lie_ahead_in_order_within_a_day_and_within_what_a_percentage_can_be() -> None:
    columns = dict(zip(("cpu", "memory", "disk"), calm_server(np.random.default_rng(7), 20_000), strict=True))
    columns["cpu"] = np.clip(columns["cpu"] - 44.0, 0.0, None)
    found = result(columns)
    for prediction in found.predictions:
        steps = [point.steps_ahead for point in prediction.points]
        assert steps == sorted(set(steps))
        assert steps[0] > 0
        assert steps[-1] <= 1_440
        assert len(steps) <= 24
        assert all(0.0 <= point.lower <= point.value <= point.upper <= 100.0 for point in prediction.points)
        last_ms = START_MS + MINUTE_MS * 19_999
        assert [point.timestamp_ms for point in prediction.points] == [last_ms + MINUTE_MS * step for step in steps]


def test_few_rows_are_not_carried_on_and_say_why() -> None:
    (prediction,) = result({"cpu": np.linspace(10.0, 20.0, 20)}).predictions
    assert prediction.points == []
    assert prediction.method == ""
    assert "40 rows" in prediction.refusal
    (prediction,) = result({"cpu": np.linspace(10.0, 20.0, 20)}, lang="ko").predictions
    assert "40개" in prediction.refusal


def test_a_column_with_many_gaps_is_not_carried_on() -> None:
    values = np.random.default_rng(8).normal(50.0, 5.0, 300)
    values[::2] = math.nan
    found = result({"cpu": values})
    assert "30 %" in found.predictions[0].refusal
    assert any("50%" in sentence for sentence in found.recommendations)
