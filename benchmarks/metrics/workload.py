"""The workload: hosts with 20 metrics each every 10 seconds, and one host with a whole day."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

STEP_MS: Final = 10_000
METRICS: Final = 20
GAUGES, COUNTERS, CONSTANTS, NOISE = 10, 5, 3, 2
HOSTS_PER_BATCH: Final = 500
"""One batch is one step of this many hosts: 10,000 samples."""
DAY_STEPS: Final = 8_640
DAY_HOST: Final = "day00"
DAY_JOB, JOB = "day", "node"
SENDERS: Final = 2
_SEED: Final = 20

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Workload:
    """How much there is, and when.

    Attributes:
        hosts: number of hosts, a multiple of `SENDERS`.
        steps: samples of each series.
        start_ms: time of the first; the host with a whole day has its samples before it.
    """

    hosts: int
    steps: int
    start_ms: int

    @classmethod
    def until_now(cls, hosts: int, steps: int) -> "Workload":
        """A workload whose last sample is not older than a step."""
        end_ms = round(time.time() * 1000) // STEP_MS * STEP_MS
        return cls(hosts, steps, end_ms - (steps - 1) * STEP_MS)

    @property
    def end_ms(self) -> int:
        """Time of the last sample."""
        return self.start_ms + (self.steps - 1) * STEP_MS

    @property
    def series(self) -> int:
        """Number of series, those of the host with a day not counted."""
        return self.hosts * METRICS

    @property
    def samples(self) -> int:
        """Number of samples, those of the host with a day not counted."""
        return self.series * self.steps

    def batches(self, sender: int) -> list[range]:
        """The hosts of each batch that one sender sends in a step."""
        share = self.hosts // SENDERS
        first, end = sender * share, (sender + 1) * share
        return [range(host, min(host + HOSTS_PER_BATCH, end)) for host in range(first, end, HOSTS_PER_BATCH)]


def host_name(host: int) -> str:
    """All of one length, so that rows of requests are too."""
    return f"h{host:05}"


def metric_name(metric: int) -> str:
    """Name of a metric as remote write has it."""
    return f"node_metric_{metric:02}"


def steps(hosts: int, seed: int = _SEED) -> Iterator[Floats]:
    """Values of [hosts, METRICS] step by step: gauges with one decimal, counters, constants, noise of full precision."""
    rng = np.random.default_rng(seed)
    level, total = rng.uniform(20, 80, (hosts, GAUGES)), np.zeros((hosts, COUNTERS))
    constant = rng.integers(1, 64, (hosts, CONSTANTS)) * 2.0**30
    while True:
        level = np.clip(level + rng.normal(0, 0.8, level.shape), 1, 100)
        total = total + rng.integers(0, 5_000, total.shape)
        yield np.concatenate([np.round(level, 1), total, constant, rng.normal(10, 1, (hosts, NOISE))], axis=1)
