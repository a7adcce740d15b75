"""JSON samples into columns: what one request leaves known must change nothing for the next but its cost."""

import threading
from typing import Any

import pytest

from services.gateway.domain.batch import SampleBatch
from services.gateway.domain.samples import parse_batch
from services.gateway.domain.series_table import SeriesTable

NOW_MS = 1_700_000_000_000
GOOD = {"server": "a", "metrics": {"cpu": 1.5, "memory": 2}, "labels": {"role": "web"}}


def _parse(series: SeriesTable, *samples: Any) -> SampleBatch:
    return parse_batch({"samples": list(samples)}, NOW_MS, series)


def _rows(batch: SampleBatch) -> list[tuple[dict[str, str], int, float, int]]:
    labels = [dict(batch.series.labels[number]) for number in batch.numbers.tolist()]
    index = [batch.index_of(row) for row in range(len(batch))]
    return list(zip(labels, batch.timestamps_ms.tolist(), batch.values.tolist(), index, strict=True))


def test_a_request_after_another_gives_the_same_columns() -> None:
    series = SeriesTable()
    samples = (
        GOOD,
        {"server": "b", "timestamp": 1_600_000_000, "metrics": {"cpu": 3}},
        {**GOOD, "timestamp": "2023-11-14T22:13:20Z"},
    )

    first, second = _parse(series, *samples), _parse(series, *samples)

    assert _rows(first) == _rows(second)
    assert _rows(first) == [
        ({"__name__": "cpu", "server": "a", "role": "web"}, NOW_MS, 1.5, 0),
        ({"__name__": "memory", "server": "a", "role": "web"}, NOW_MS, 2, 0),
        ({"__name__": "cpu", "server": "b"}, 1_600_000_000_000, 3, 1),
        ({"__name__": "cpu", "server": "a", "role": "web"}, NOW_MS, 1.5, 2),
        ({"__name__": "memory", "server": "a", "role": "web"}, NOW_MS, 2, 2),
    ]
    assert len(series) == 3


@pytest.mark.parametrize(
    ("change", "reason", "stored"),
    [
        ({"metrics": {"cpu": True, "memory": 2}}, "INVALID_VALUE", ["memory"]),
        ({"metrics": {"cpu": None, "memory": 2}}, "INVALID_VALUE", ["memory"]),
        ({"metrics": {"cpu": 1, "": 2}}, "INVALID_NAME", ["cpu"]),
        ({"metrics": {"a\nb": 2}}, "INVALID_NAME", []),
        ({"metrics": {}}, "INVALID_METRICS", []),
        ({"timestamp": True}, "INVALID_TIMESTAMP", []),
        ({"timestamp": [1]}, "INVALID_TIMESTAMP", []),
        ({"timestamp": "2023-11-14T22:13:20"}, "INVALID_TIMESTAMP", []),
        ({"labels": ["role"]}, "INVALID_LABELS", []),
        ({"labels": {"role": ["web"]}}, "INVALID_LABELS", []),
        ({"labels": {"role": 1}}, "INVALID_LABELS", []),
        ({"server": ["a"], "labels": None}, "INVALID_SERVER", []),
        ({"server": 1}, "INVALID_SERVER", []),
        ({"extra": 1}, "UNKNOWN_FIELD", []),
    ],
)
def test_what_is_wrong_is_refused_every_time(change: dict[str, Any], reason: str, stored: list[str]) -> None:
    series = SeriesTable()
    # The first sample has the time 1, which a look-up takes for the same as True.
    for _ in range(2):
        batch = _parse(series, {**GOOD, "timestamp": 1}, {**GOOD, **change})

        assert [(error.index, error.reason) for error in batch.errors] == [(1, reason)]
        assert [labels["__name__"] for labels, _, _, index in _rows(batch) if index == 1] == stored


def test_an_empty_label_and_none_are_one_series() -> None:
    series = SeriesTable()
    batch = _parse(series, {"server": "a", "metrics": {"cpu": 1}}, {"server": "a", "metrics": {"cpu": 2}, "labels": {"role": ""}})
    assert batch.numbers.tolist() == [0, 0]


def test_a_table_is_full_when_it_holds_too_much_text() -> None:
    series = SeriesTable(max_characters=5_000)
    _parse(series, GOOD)
    assert not series.is_full

    batch = _parse(series, *({"server": f"web-{k}", "metrics": {"cpu": k}} for k in range(10)))

    assert series.is_full
    assert len(set(batch.numbers.tolist())) == 10


def test_threads_agree_on_the_numbers() -> None:
    series = SeriesTable()
    samples = [{"server": f"web-{k}", "metrics": {"cpu": k, "memory": k}} for k in range(300)]
    batches: list[SampleBatch] = []
    start = threading.Barrier(4)

    def parse() -> None:
        start.wait(10)
        batches.append(_parse(series, *samples))

    threads = [threading.Thread(target=parse) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(series) == 600
    assert [_rows(batch) for batch in batches] == [_rows(batches[0])] * 4
