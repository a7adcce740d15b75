"""Odd input is either taken for what it is or refused with the reason; the answer speaks the asker's language."""

import math

import numpy as np
import pytest

from services.ai_agent.domain.analyze.check import check_request
from services.ai_agent.domain.analyze.model import AnalysisRequest
from services.ai_agent.domain.analyze.optimized import analyse
from services.common.errors import InvalidArgumentError
from tests.support.noise import Floats, calm_server

pytestmark = pytest.mark.filterwarnings("error")
NAN = math.nan


def columns(rows: int = 1_000, seed: int = 1) -> dict[str, Floats]:
    return dict(zip(("cpu", "memory", "disk"), calm_server(np.random.default_rng(seed), rows), strict=True))


def with_times(given: dict[str, Floats], times: Floats | None = None, query: str = "anomalies?") -> AnalysisRequest:
    rows = next(iter(given.values())).size
    stamps = 1_700_000_000_000 + 60_000 * np.arange(rows) if times is None else times
    return AnalysisRequest(query, stamps.astype(np.int64), given)


def test_order_of_rows_does_not_matter_and_indexes_are_those_of_the_request() -> None:
    given = columns()
    given["cpu"][400] = 140.0
    ordered = with_times(given)
    shuffle = np.random.default_rng(2).permutation(1_000)
    assert ordered.timestamps_ms is not None
    shuffled = AnalysisRequest("anomalies?", ordered.timestamps_ms[shuffle], {name: c[shuffle] for name, c in given.items()})
    (a,), (b,) = analyse(ordered, "en").anomalies.items, analyse(shuffled, "en").anomalies.items
    assert a.index == 400
    assert shuffle[b.index] == 400
    assert (a.timestamp_ms, a.values, a.score) == (b.timestamp_ms, b.values, b.score)


def test_the_same_request_has_the_same_answer() -> None:
    given = columns()
    given["disk"][7] = 90.0
    assert analyse(with_times(given), "ko") == analyse(with_times(given), "ko")


@pytest.mark.parametrize("times", [np.zeros(1_000), np.repeat(np.arange(500), 2) * 60_000.0], ids=["all_equal", "pairs"])
def test_equal_times_are_taken(times: Floats) -> None:
    given = columns()
    given["cpu"][500] = 120.0
    found = analyse(with_times(given, times), "en").anomalies
    assert [item.index for item in found.items] == [500]


def test_missing_values_are_neither_zero_nor_unusual() -> None:
    given = columns()
    rng = np.random.default_rng(3)
    for values in given.values():
        values[rng.choice(1_000, 150, replace=False)] = NAN
    given["cpu"][600] = 120.0
    found = analyse(with_times(given), "en").anomalies
    assert [item.index for item in found.items] == [600]
    assert all(not math.isnan(value) for value in found.items[0].values.values())


def test_a_gap_in_time_is_not_a_jump() -> None:
    rng = np.random.default_rng(4)
    walk = 50.0 + np.concatenate([np.cumsum(rng.normal(0, 0.2, 500)), 15.0 + np.cumsum(rng.normal(0, 0.2, 500))])
    times = np.concatenate([np.arange(500), 5_000 + np.arange(500)]) * 60_000.0
    assert analyse(with_times({"queue": walk}, times), "en").anomalies.count == 0


@pytest.mark.parametrize("rows", [1, 2, 5, 11])
def test_too_few_rows_say_so(rows: int) -> None:
    result = analyse(with_times(columns(rows)), "en")
    assert result.anomalies.count == 0
    assert result.anomalies.severity == "normal"
    assert "too few to judge" in result.analysis
    assert "12 rows" in result.recommendations[0]
    assert result.confidence <= 0.1
    assert {trend.direction for trend in result.trends} == {"unknown"}
    assert all(prediction.refusal for prediction in result.predictions)


@pytest.mark.parametrize("rows", [12, 13, 20, 39, 40, 41, 59, 60, 61])
def test_any_small_number_of_rows_is_analysed(rows: int) -> None:
    result = analyse(with_times(columns(rows)), "en")
    assert result.anomalies.count == 0
    assert {trend.direction for trend in result.trends} <= {"rising", "falling", "stable"}


@pytest.mark.parametrize(
    "odd",
    [
        np.full(200, NAN),
        np.full(200, 5.0),
        np.concatenate([[1.0], np.full(199, NAN)]),
        np.zeros(200),
        np.full(200, 1e100),
        np.linspace(-1e-300, 1e-300, 200),
        np.tile([0.0, 1.0], 100),
        np.concatenate([np.zeros(100), np.ones(100)]),
        np.exp(np.linspace(0.0, 230.0, 200)),
    ],
    ids=["nan", "constant", "one_value", "zeros", "huge", "tiny", "two_values", "step", "explosion"],
)
def test_odd_columns_do_no_harm(odd: Floats) -> None:
    result = analyse(with_times({"odd": odd, "cpu": columns(200)["cpu"]}), "en")
    assert result.engine == "optimized"
    assert 0.0 <= result.confidence <= 1.0
    assert {trend.metric for trend in result.trends} == {"odd", "cpu"}
    assert all(math.isfinite(point.value) for prediction in result.predictions for point in prediction.points)
    assert "odd" not in {d.metric for item in result.anomalies.items for d in item.deviations} or result.anomalies.count < 10


@pytest.mark.parametrize(
    ("given", "times", "reason", "part"),
    [
        ({}, None, "NO_ROWS", "no column"),
        ({"cpu": np.empty(0)}, None, "NO_ROWS", "no row"),
        ({"cpu": np.ones(3), "disk": np.ones(2)}, None, "INVALID_ROWS", "metrics.disk"),
        ({"cpu": np.ones(3)}, np.ones(2, dtype=np.int64), "INVALID_ROWS", "metrics.timestamp"),
        ({"cpu": np.array([1.0, math.inf])}, None, "INVALID_ROWS", "metrics[1].cpu"),
        ({"cpu": np.array([-1e101, 1.0])}, None, "INVALID_ROWS", "metrics[0].cpu"),
        ({"cpu": np.ones(101)}, None, "TOO_MANY_ROWS", "at most 100"),
        ({f"m{i}": np.ones(100) for i in range(11)}, None, "TOO_MANY_ROWS", "1000 values"),
    ],
)
def test_what_cannot_be_analysed_is_refused(given: dict[str, Floats], times: Floats | None, reason: str, part: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        check_request(AnalysisRequest("x", times, given), 100)  # type: ignore[arg-type]
    assert refused.value.reason == reason
    assert part in refused.value.message


def test_the_text_speaks_the_language_and_carries_the_evidence() -> None:
    given = columns()
    given["cpu"][500] = 99.0
    given["memory"][500] = 98.0
    english, korean = analyse(with_times(given), "en"), analyse(with_times(given), "ko")
    assert "1 row is unusual" in english.analysis
    assert "CPU 99.0 % (expected" in english.analysis
    assert "특이한 행이 1개" in korean.analysis
    assert "메모리 98.0 %(예상" in korean.analysis
    assert not any("가" <= letter <= "힣" for letter in english.analysis + "".join(english.recommendations))
    assert "2023-11-15 06:33:20 UTC" in english.recommendations[0]
    assert (english.lang, korean.lang) == ("en", "ko")


def test_calm_rows_ask_for_nothing() -> None:
    result = analyse(with_times(columns()), "en")
    assert result.recommendations == ["No action needed: nothing in 1,000 rows is unusual."]
    assert result.confidence >= 0.9


def test_unusual_rows_at_even_distances_point_to_a_schedule() -> None:
    given = columns()
    given["cpu"][30::60] = 130.0
    result = analyse(with_times(given), "en")
    assert "They come every 1 h: look for a scheduled job." in result.recommendations[0]
