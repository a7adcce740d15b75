"""The virtual fleet beside real servers, whose figures are in tests/support/realism_yardstick.toml."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from services.server_gen.domain.catalogue import ROW
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import Simulation
from tests.support.realism import correlation, lag1, seasonal_ratio, tail

YARDSTICK = tomllib.loads((Path(__file__).parents[2] / "support" / "realism_yardstick.toml").read_text(encoding="utf-8"))
SMD: dict[str, list[float]] = YARDSTICK["smd"]
ASD: dict[str, list[float]] = YARDSTICK["asd"]
SERVERS = roster(44)
TIMES = 1_794_960_000.0 + 60.0 * np.arange(16 * 1440.0)


@pytest.fixture(scope="module", params=[20, 7])
def world(request: pytest.FixtureRequest) -> Floats:
    return Simulation(request.param, SERVERS).over(TIMES)


def test_cpu_is_correlated_from_one_minute_to_the_next(world: Floats) -> None:
    measured = [lag1(cpu) for cpu in world[ROW["cpu"]].T]
    assert min(measured) > max(0.8, SMD["cpu_lag1"][0])
    assert np.median(measured) < SMD["cpu_lag1"][2] + 0.01, "real servers are not smoother"


def test_yesterday_tells_more_than_now(world: Floats) -> None:
    measured = [seasonal_ratio(cpu, 1440) for cpu in world[ROW["cpu"]].T]
    assert max(measured) < 1.0
    # Between the sets: people who come back each day, with chance.
    assert ASD["seasonal_ratio"][0] < np.median(measured) < SMD["cpu_seasonal_ratio"][1]


def test_network_moves_with_the_processors(world: Floats) -> None:
    received = np.diff(world[ROW["received"]], axis=0)
    running = (received >= 0.0).all(axis=1)
    measured = [correlation(world[ROW["cpu"], 1:, at][running], received[running, at]) for at in range(len(SERVERS))]
    assert min(measured) > 0.5
    assert SMD["cpu_network_correlation"][1] < np.median(measured) < SMD["cpu_network_correlation"][2] + 0.04


def test_latency_has_a_heavy_right_tail(world: Floats) -> None:
    latencies = [latency for latency in world[ROW["latency"]].T if np.isfinite(latency).all()]
    tails = [tail(latency) for latency in latencies]
    assert min(one.ratio for one in tails) > 1.6
    assert SMD["slow_p99_to_median"][0] < np.median([one.ratio for one in tails]) < SMD["slow_p99_to_median"][2]
    assert min(one.skewness for one in tails) > SMD["slow_skewness"][0]
    assert max(one.skewness for one in tails) < SMD["slow_skewness"][2]
    # No normal distribution with this middle would have any of the slowest ten thousandth.
    for latency in latencies:
        quartile = np.quantile(latency, 0.75) - np.median(latency)
        assert np.quantile(latency, 0.9999) > np.median(latency) + 4.0 * quartile


def test_plain_random_numbers_would_fail() -> None:
    """The measures tell the fleet from what is usually faked."""
    faked = np.random.default_rng(1).normal(40.0, 10.0, len(TIMES))
    assert lag1(faked) < 0.1
    assert seasonal_ratio(faked, 1440) > 0.9
    assert tail(faked).skewness < SMD["slow_skewness"][0]
