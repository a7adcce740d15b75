"""What is planted is found, in calm rows of many kinds, and the right column is blamed."""

from collections.abc import Callable

import numpy as np
import pytest

from services.ai_agent.domain.analyze.model import AnalysisRequest, AnomalyReport
from services.ai_agent.domain.analyze.optimized import analyse
from tests.support.noise import NOISE, Floats, autoregressive, calm_server, correlated

pytestmark = pytest.mark.filterwarnings("error")
NAMES = ("cpu", "memory", "disk")
MINUTE_MS = 60_000


def report(columns: Floats, names: tuple[str, ...] = NAMES) -> AnomalyReport:
    times = 1_700_000_000_000 + MINUTE_MS * np.arange(columns.shape[1], dtype=np.int64)
    return analyse(AnalysisRequest("anomalies?", times, dict(zip(names, columns, strict=True))), "en").anomalies


def indexes(found: AnomalyReport) -> set[int]:
    return {item.index for item in found.items}


@pytest.mark.parametrize("seed", range(10))
def test_joint_jumps_are_all_found(seed: int) -> None:
    columns = calm_server(np.random.default_rng(seed), 1_000)
    rows = list(range(95, 1_000, 90))
    columns[:, rows] = np.array([[99.0], [98.0], [97.0]])
    found = report(columns)
    assert set(rows) <= indexes(found)
    assert found.count <= len(rows) + 1
    assert found.severity == "high"


@pytest.mark.parametrize("seed", range(10))
def test_jumps_of_one_column_are_found_and_blamed_on_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = calm_server(rng, 1_000)
    rows = rng.choice(np.arange(10, 990), 5, replace=False)
    columns[1, rows] = 60.0 + 8.0 * 6.0 * rng.choice([-1.0, 1.0])
    found = report(columns, ("load", "latency", "disk_io"))
    assert set(rows.tolist()) <= indexes(found)
    blamed = [item.deviations[0] for item in found.items if item.index in rows]
    assert {deviation.metric for deviation in blamed} == {"latency"}
    assert all(not deviation.expected_low <= deviation.value <= deviation.expected_high for deviation in blamed)
    assert all(item.score >= 5.0 for item in found.items)


@pytest.mark.parametrize("share", [0.02, 0.10])
def test_many_outliers_do_not_hide_one_another(share: float) -> None:
    rng = np.random.default_rng(4)
    columns = calm_server(rng, 1_000)
    rows = rng.choice(1_000, int(share * 1_000), replace=False)
    columns[0, rows] = 45.0 + 10.0 * 8.0 + rng.normal(0.0, 4.0, rows.size)
    found = report(columns, ("load", "latency", "disk_io"))
    assert found.count >= 0.98 * rows.size
    assert found.count <= rows.size + 2
    assert len(found.items) <= 100


@pytest.mark.parametrize(
    ("calm", "size"),
    [
        (lambda rng: autoregressive(rng, 0.9, 1, 1_000), 9.0),
        (lambda rng: NOISE["random_walk"](rng, 1, 1_000), 15.0),
        (lambda rng: NOISE["fast_wave"](rng, 1, 1_000), 9.0),
        (lambda rng: NOISE["trend"](rng, 1, 1_000), 9.0),
        (lambda rng: NOISE["rounded"](rng, 1, 1_000), 14.0),
        (lambda rng: NOISE["constant"](rng, 1, 1_000), 5.0),
        (lambda rng: NOISE["mostly_one_value"](rng, 1, 1_000), 20.0),
    ],
    ids=["ar", "walk", "wave", "trend", "rounded", "constant", "mostly_one_value"],
)
@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["spike", "dip"])
def test_spikes_and_dips_are_found_in_any_course(calm: Callable[[np.random.Generator], Floats], size: float, sign: float) -> None:
    columns = 200.0 + calm(np.random.default_rng(11))
    columns[0, [300, 700]] += sign * size
    assert {300, 700} <= indexes(report(columns, ("requests",)))


def test_a_value_that_is_unusual_only_for_its_time_of_day_is_found() -> None:
    rng = np.random.default_rng(3)
    minutes = np.arange(3 * 1_440)
    cpu = 40.0 - 25.0 * np.cos(2 * np.pi * minutes / 1_440) + rng.normal(0.0, 2.0, minutes.size)
    cpu[2 * 1_440 + 60 : 2 * 1_440 + 72] = 60.0  # a value of every noon, an hour after midnight
    found = report(cpu[None, :], ("cpu",))
    assert sum(2 * 1_440 + 60 <= item.index < 2 * 1_440 + 72 for item in found.items) >= 10
    assert found.count <= 14


def test_the_beginning_of_a_new_level_is_found_and_told_as_one() -> None:
    columns = calm_server(np.random.default_rng(6), 1_000)
    columns[2, 600:] += 15.0  # five times the noise
    found = report(columns, ("load", "latency", "disk_io"))
    assert found.count == 1
    (item,) = found.items
    assert abs(item.index - 600) <= 2
    assert item.kind == "shift"
    assert item.deviations[0].metric == "disk_io"
    assert item.deviations[0].value == pytest.approx(70.0, abs=3.0)
    assert found.severity == "medium"


def test_rows_that_break_a_correlation_are_found() -> None:
    rng = np.random.default_rng(8)
    columns = 45.0 + 8.0 * correlated(rng, 3, 1_000)
    columns[:, 500] = 45.0 + 16.0, 45.0 - 16.0, 45.0  # each within two standard deviations
    found = report(columns, ("load", "latency", "disk_io"))
    assert indexes(found) == {500}
    assert found.items[0].kind == "joint"
    deviation = found.items[0].deviations[0]
    assert not deviation.expected_low <= deviation.value <= deviation.expected_high


def test_a_single_column_of_few_rows_has_its_far_outlier_found() -> None:
    rng = np.random.default_rng(9)
    columns = rng.normal(20.0, 1.0, (1, 120))
    columns[0, 60] = 60.0
    assert indexes(report(columns, ("latency",))) == {60}


def test_more_evidence_is_never_less_severe() -> None:
    order = ["normal", "low", "medium", "high"]
    calm = calm_server(np.random.default_rng(12), 1_000)
    severities = []
    for rows in (0, 1, 4, 30):
        columns = calm.copy()
        columns[0, 100 : 100 + 20 * rows : 20] = 45.0 + 9.0 * 8.0
        severities.append(report(columns, ("load", "latency", "disk_io")).severity)
    assert severities == sorted(severities, key=order.index)
    assert severities[0] == "normal"
    assert severities[-1] == "high"
