"""Short ways to make and read samples in tests of stores."""

from collections.abc import Sequence

import numpy as np

from services.metrics.domain.ports import (
    MAX_TIME_MS,
    MIN_TIME_MS,
    Columns,
    IdArray,
    Matcher,
    MatchOp,
    SampleStore,
    SeriesData,
)

NOW_MS = 1_700_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


def series(name: str, **labels: str) -> list[tuple[str, str]]:
    """A label set as a writer may send it."""
    return [("__name__", name), *labels.items()]


def columns(rows: Sequence[tuple[int, int, float]]) -> Columns:
    """Samples from (id, time, value) rows."""
    return Columns(
        np.array([row[0] for row in rows], np.uint64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
    )


def equal(name: str, value: str) -> Matcher:
    """`name="value"`."""
    return Matcher(name, MatchOp.EQUAL, value)


def by_id(data: SeriesData) -> dict[int, list[tuple[int, float]]]:
    """Samples of each series as (time, value) rows."""
    found = {}
    for index, series_id in enumerate(data.ids.tolist()):
        rows = slice(int(data.offsets[index]), int(data.offsets[index + 1]))
        found[series_id] = list(zip(data.timestamps_ms[rows].tolist(), data.values[rows].tolist(), strict=True))
    return found


async def everything(store: SampleStore) -> dict[int, list[tuple[int, float]]]:
    """All that the store has."""
    return by_id(await store.select([], MIN_TIME_MS, MAX_TIME_MS))


async def register(store: SampleStore, *names: str, server: str = "web-01") -> IdArray:
    """Ids of series with these names."""
    return (await store.register([series(name, server=server) for name in names])).ids
