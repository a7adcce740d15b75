"""Three queries that dashboards ask, over HTTP, decoded and counted."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from benchmarks.metrics.http_client import HttpClient
from benchmarks.metrics.workload import DAY_JOB, DAY_STEPS, JOB, METRICS, STEP_MS, Workload, metric_name

DAY, LATEST, HOUR = "one series, 24 h", "latest of all hosts", "1 h average by host"
QUERIES: Final = (DAY, LATEST, HOUR)
CALLS: Final = 31
_WARM_CALLS: Final = 2
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_LOOKBACK_MS: Final = 300_000


@dataclass(frozen=True)
class Latency:
    """Milliseconds from the request to the decoded answer."""

    p50: float
    p99: float


class Queries(ABC):
    """How a system is asked; each method returns how many points or hosts it answered with."""

    @abstractmethod
    def stored(self, workload: Workload) -> int:
        """Samples of the workload that are found; those of the host with a day do not count."""

    @abstractmethod
    def day(self, workload: Workload) -> int:
        """Points of one series over 24 hours."""

    @abstractmethod
    def latest(self, workload: Workload) -> int:
        """Newest value of each host."""

    @abstractmethod
    def hour(self, workload: Workload) -> int:
        """Average of an hour of each host."""


class PromQlQueries(Queries):
    """The HTTP API of Prometheus, which Grafana uses."""

    def __init__(self, url: str, headers: Mapping[str, str], prefix: str = "", **always: object) -> None:
        self._client = HttpClient(url, headers)
        self._prefix, self._always = prefix, always

    def stored(self, workload: Workload) -> int:
        # Metric by metric, because counts have no name any more, and those of one host would be alike.
        return sum(self._stored(metric_name(metric), workload) for metric in range(METRICS))

    def day(self, workload: Workload) -> int:
        end = workload.start_ms - STEP_MS
        expr = f'{metric_name(0)}{{job="{DAY_JOB}"}}'
        found = self._ask("query_range", query=expr, start=(end - _DAY_MS + STEP_MS) / 1e3, end=end / 1e3, step=STEP_MS // 1000)
        return len(found[0]["values"]) if found else 0

    def latest(self, workload: Workload) -> int:
        return len(self._instant(f'{metric_name(0)}{{job="{JOB}"}}', workload))

    def hour(self, workload: Workload) -> int:
        return len(self._instant(f'avg_over_time({metric_name(0)}{{job="{JOB}"}}[1h])', workload))

    def _stored(self, metric: str, workload: Workload) -> int:
        seconds = (workload.end_ms - workload.start_ms + STEP_MS) // 1000
        found = self._instant(f'sum(count_over_time({metric}{{job="{JOB}"}}[{seconds}s]))', workload)
        return int(float(found[0]["value"][1])) if found else 0

    def _instant(self, expr: str, workload: Workload) -> list[Any]:
        return self._ask("query", query=expr, time=workload.end_ms / 1e3)

    def _ask(self, what: str, **parameters: object) -> list[Any]:
        answer = orjson.loads(self._client.get(f"{self._prefix}/api/v1/{what}", **parameters, **self._always))
        result: list[Any] = answer["data"]["result"]
        return result


class InfluxQueries(Queries):
    """InfluxQL."""

    def __init__(self, url: str, database: str) -> None:
        self._client, self._database = HttpClient(url, {}), database

    def stored(self, workload: Workload) -> int:
        found = self._ask(f"SELECT count(m00) FROM node WHERE job='{JOB}'")  # noqa: S608  nothing here comes from outside
        return int(found[0]["values"][0][1]) * METRICS if found else 0

    def day(self, workload: Workload) -> int:
        span = f"time>={workload.start_ms - _DAY_MS}ms AND time<{workload.start_ms}ms"
        found = self._ask(f"SELECT m00 FROM node WHERE job='{DAY_JOB}' AND {span}")  # noqa: S608
        return len(found[0]["values"]) if found else 0

    def latest(self, workload: Workload) -> int:
        return len(self._ask(f"SELECT last(m00) FROM node WHERE job='{JOB}' AND {_last(workload, _LOOKBACK_MS)} GROUP BY host"))  # noqa: S608

    def hour(self, workload: Workload) -> int:
        return len(self._ask(f"SELECT mean(m00) FROM node WHERE job='{JOB}' AND {_last(workload, _HOUR_MS)} GROUP BY host"))  # noqa: S608

    def _ask(self, statement: str) -> list[Any]:
        answer = orjson.loads(self._client.get("/query", db=self._database, epoch="ms", q=statement))
        series: list[Any] = answer["results"][0].get("series", [])
        return series


def time_queries(queries: Queries, workload: Workload) -> dict[str, Latency]:
    """Ask each some times over one connection.

    Raises:
        RuntimeError: when an answer does not hold everything.
    """
    cases: tuple[tuple[str, Callable[[Workload], int], int], ...] = (
        (DAY, queries.day, DAY_STEPS),
        (LATEST, queries.latest, workload.hosts),
        (HOUR, queries.hour, workload.hosts),
    )
    found = {}
    for name, ask, expected in cases:
        took = []
        for _ in range(_WARM_CALLS + CALLS):
            started = time.perf_counter()
            count = ask(workload)
            took.append((time.perf_counter() - started) * 1e3)
            if count != expected:
                raise RuntimeError(f"{name}: {count} instead of {expected}")
        p50, p99 = np.percentile(took[_WARM_CALLS:], [50, 99])
        found[name] = Latency(float(p50), float(p99))
    return found


def _last(workload: Workload, span_ms: int) -> str:
    return f"time>{workload.end_ms - span_ms}ms AND time<={workload.end_ms}ms"
