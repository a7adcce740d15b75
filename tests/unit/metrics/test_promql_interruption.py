"""A query that nobody waits for any more stops, although it runs in a thread."""

import asyncio
import threading
import time
from typing import Any, Never

import numpy as np
import pytest

from services.common.errors import CancelledError
from services.metrics.domain.ports import SeriesData
from services.metrics.domain.promql import QueryCancelledError, evaluate_range, parse, query
from services.metrics.domain.promql.evaluator import evaluate
from services.metrics.domain.promql.plan import Plan
from services.metrics.domain.promql.values import Checkpoint, QueryLimits
from tests.support.promql_series import MemoryReader, Series

SAMPLES = 60_000
SERIES = [
    Series((("__name__", "x"), ("i", f"{number:02}")), np.arange(SAMPLES // 20, dtype=np.int64) * 1_000, np.zeros(SAMPLES // 20))
    for number in range(20)
]


async def test_a_cancelled_query_ends_in_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    started, ended = threading.Event(), threading.Event()

    def endless(plan: object, data: object, limits: object, checkpoint: Checkpoint) -> Never:
        started.set()
        try:
            while True:
                checkpoint()
                time.sleep(0.001)
        except QueryCancelledError:
            ended.set()
            raise

    monkeypatch.setattr(query, "evaluate", endless)
    task = asyncio.create_task(evaluate_range("sum(x)", MemoryReader(SERIES), 0, 3_000_000, 60_000))
    assert await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 10)


async def test_work_over_many_samples_looks_up_between_its_parts() -> None:
    plan = Plan(parse("sum(avg_over_time(x[1h]))"), 0, 3_000_000, 10_000)
    fetch = plan.fetches()[0]
    data = {fetch: await MemoryReader(SERIES).select(fetch.matchers, fetch.start_ms, fetch.end_ms)}

    looks = count_looks(plan, data, stop_after=10_000)
    nodes, parts = 3, SAMPLES // 65_536 + 1
    assert looks >= nodes + parts
    for stop_after in range(looks):
        with pytest.raises(CancelledError, match="query was canceled in expression evaluation"):
            count_looks(plan, data, stop_after)


def count_looks(plan: Plan, data: dict[Any, SeriesData], stop_after: int) -> int:
    """How often the evaluation looks whether it should stop; it is told to at a certain look."""
    looks = 0

    def checkpoint() -> None:
        nonlocal looks
        looks += 1
        if looks > stop_after:
            raise QueryCancelledError("query was canceled in expression evaluation")

    evaluate(plan, data, QueryLimits(), checkpoint)
    return looks
