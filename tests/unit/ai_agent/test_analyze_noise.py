"""Calm rows are called calm, whatever their noise is like."""

import numpy as np
import pytest

from services.ai_agent.domain.analyze.model import AnalysisRequest
from services.ai_agent.domain.analyze.optimized import analyse
from tests.support.noise import NOISE, Floats, calm_server

pytestmark = pytest.mark.filterwarnings("error")
MINUTE_MS = 60_000


def request(columns: Floats, names: tuple[str, ...] = ("load", "latency", "requests")) -> AnalysisRequest:
    times = 1_700_000_000_000 + MINUTE_MS * np.arange(columns.shape[1], dtype=np.int64)
    return AnalysisRequest("anything unusual?", times, dict(zip(names, columns, strict=True)))


@pytest.mark.parametrize(
    ("kind", "offset"),
    [
        *((kind, 50.0) for kind in NOISE),
        *((kind, 0.0) for kind in ("lognormal", "exponential", "counts", "rare_ones", "random_walk")),
    ],
)
@pytest.mark.parametrize(("rows", "windows"), [(35, 25), (120, 20), (1_000, 15), (4_320, 3)])
def test_noise_is_not_flagged(kind: str, rows: int, windows: int, offset: float) -> None:
    rng = np.random.default_rng(20_260_101)
    reports = [analyse(request(offset + 3.0 * NOISE[kind](rng, 3, rows)), "en").anomalies for _ in range(windows)]
    flagged = sum(report.count for report in reports)
    # At most one row in a thousand, and where that is less than a row, hardly ever one.
    assert flagged <= max(0.001 * rows * windows, 0.16 * windows)
    assert sum(report.severity == "normal" for report in reports) >= 0.8 * windows
    assert all((report.severity == "normal") == (report.count == 0) for report in reports)


def test_a_hundred_thousand_rows_of_noise_are_calm() -> None:
    report = analyse(request(calm_server(np.random.default_rng(5), 100_000)), "en").anomalies
    assert report.count <= 1


def test_normal_noise_of_a_server_is_calm_for_many_seeds() -> None:
    counts = [analyse(request(calm_server(np.random.default_rng(seed), 1_000)), "ko").anomalies.count for seed in range(120)]
    assert sum(counts) <= 10  # 0.05 a window are expected
    assert max(counts) <= 1


def test_a_change_too_small_to_matter_is_not_an_anomaly() -> None:
    columns = calm_server(np.random.default_rng(2), 500)
    columns[2] = 55.0
    columns[2, 250] = 55.3
    assert analyse(request(columns, ("cpu", "memory", "disk")), "en").anomalies.count == 0
