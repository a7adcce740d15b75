"""An alert's evidence gives its own value again; the metrics service's evaluator is the judge."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.ports import Columns
from services.metrics.domain.promql import QueryLimits, Vector, evaluate_instant
from services.notifier.domain.evidence import label_names, single_out

NOW_MS = 1_700_000_000_000
SERIES: list[dict[str, str]] = [
    {"server": "web-01", "role": "web"},
    {"server": "web-01", "role": "web", "disk": "sda"},
    {"server": "web-02", "role": "web"},
    {"server": 'quo"te\\$1 웹', "role": "web"},
    {"role": "web"},
]


async def values(expr: str, series: Sequence[Mapping[str, str]]) -> list[float]:
    store = MemoryStore()
    labels = [tuple(sorted({"__name__": "cpu", **own}.items())) for own in series]
    ids = (await store.register(labels)).ids
    times = np.full(len(series), NOW_MS, np.int64)
    await store.append(Columns(ids, times, np.arange(len(series), dtype=np.float64) + 91), now_ms=NOW_MS)
    result = (await evaluate_instant(expr, store, NOW_MS, limits=QueryLimits())).value
    assert isinstance(result, Vector)
    return [float(value) for value in result.values]


@pytest.mark.parametrize("wanted", range(len(SERIES)))
async def test_one_of_several_series_is_singled_out(wanted: int) -> None:
    names = label_names(SERIES)
    assert names == ["disk", "server"], "what all series share tells nothing"
    assert await values(single_out("cpu > 90", SERIES[wanted], names), SERIES) == [91.0 + wanted]


def test_a_single_series_needs_no_more_than_its_expression() -> None:
    assert single_out("cpu > 90", SERIES[0], label_names(SERIES[:1])) == "cpu > 90"
