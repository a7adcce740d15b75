"""Rows of JSON become columns, and wrong rows become errors that name row and field."""

from typing import Any

import numpy as np
import pytest

from services.common.errors import InvalidArgumentError
from services.common.rows import RowColumns, parse_rows


def parse(rows: object, max_rows: int = 100) -> RowColumns:
    return parse_rows(rows, max_rows=max_rows)


def test_rows_become_columns_in_their_order() -> None:
    parsed = parse(
        [
            {"cpu": 1.5, "memory": 2, "timestamp": "2025-01-27T00:00:00.250Z"},
            {"cpu": 3, "memory": 4.5, "timestamp": "2025-01-27T09:00:01+09:00"},
        ]
    )
    assert list(parsed.columns) == ["cpu", "memory"]
    assert parsed.columns["cpu"].tolist() == [1.5, 3.0]
    assert parsed.columns["cpu"].dtype == np.float64
    assert parsed.timestamps_ms is not None
    assert parsed.timestamps_ms.tolist() == [1737936000250, 1737936001000]


def test_null_and_absent_values_are_missing_not_zero() -> None:
    parsed = parse([{"cpu": None}, {"cpu": 5, "disk": 1}, {}])
    np.testing.assert_array_equal(parsed.columns["cpu"], [np.nan, 5, np.nan])
    np.testing.assert_array_equal(parsed.columns["disk"], [np.nan, 1, np.nan])
    assert parsed.timestamps_ms is None


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [(1737936000, 1737936000000), (1737936000.25, 1737936000250), (1737936000250, 1737936000250), (0, 0), (-5, -5000)],
)
def test_unix_times_in_seconds_and_milliseconds(time: float, milliseconds: int) -> None:
    times = parse([{"cpu": 1, "timestamp": time}]).timestamps_ms
    assert times is not None
    assert times.tolist() == [milliseconds]


def test_texts_and_numbers_may_be_mixed_as_times() -> None:
    times = parse([{"cpu": 1, "timestamp": 1737936000}, {"cpu": 1, "timestamp": "2025-01-27T00:01:00Z"}]).timestamps_ms
    assert times is not None
    assert times.tolist() == [1737936000000, 1737936060000]


def test_the_first_instant_is_a_time_too_among_texts() -> None:
    given = parse_rows([{"timestamp": 0, "cpu": 1}, {"timestamp": "1970-01-01T00:00:01Z", "cpu": 2}], max_rows=10)

    assert given.timestamps_ms is not None
    assert given.timestamps_ms.tolist() == [0, 1000]


@pytest.mark.parametrize(
    ("rows", "field", "part"),
    [
        (None, "metrics", "list"),
        ({"cpu": 1}, "metrics", "list"),
        ([], "metrics", "at least one row"),
        ([{"cpu": 1}, 7], "metrics[1]", "object"),
        ([{}], "metrics", "no row holds a number"),
        ([{"timestamp": 5}], "metrics", "no row holds a number"),
        ([{"cpu": 1}, {"cpu": "2"}], "metrics[1].cpu", "number"),
        ([{"cpu": True}], "metrics[0].cpu", "boolean"),
        ([{"cpu": [1]}], "metrics[0].cpu", "list"),
        ([{"cpu": float("nan")}], "metrics[0].cpu", "finite"),
        ([{"cpu": None}, {"cpu": float("inf")}], "metrics[1].cpu", "finite"),
        ([{"cpu": 10**400}], "metrics[0].cpu", "too large"),
        ([{"cpu": 1, "timestamp": "yesterday"}], "metrics[0].timestamp", "RFC 3339"),
        ([{"cpu": 1, "timestamp": "2025-01-27T00:00:00"}], "metrics[0].timestamp", "zone"),
        ([{"cpu": 1, "timestamp": 1}, {"cpu": 1}], "metrics[1].timestamp", "missing"),
        ([{"cpu": 1, "timestamp": False}], "metrics[0].timestamp", "boolean"),
        ([{"cpu": 1, "timestamp": 1e300}], "metrics[0].timestamp", "Unix time"),
        ([{"cpu": 1, "timestamp": float("nan")}], "metrics[0].timestamp", "Unix time"),
        ([{f"m{i}": 1 for i in range(300)}], "metrics", "columns"),
    ],
)
def test_a_wrong_row_is_named(rows: Any, field: str, part: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        parse(rows)
    assert refused.value.reason == "INVALID_ROWS"
    assert refused.value.fields[0].field == field
    assert part in refused.value.fields[0].message


def test_at_most_ten_faults_are_told() -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        parse([{"cpu": "x", "disk": "y"} for _ in range(20)])
    assert len(refused.value.fields) == 10


def test_too_many_rows_are_refused_with_the_limit() -> None:
    with pytest.raises(InvalidArgumentError, match="at most 3") as refused:
        parse([{"cpu": 1}] * 4, max_rows=3)
    assert refused.value.reason == "TOO_MANY_ROWS"


def test_times_written_alike_are_read_as_those_that_are_not() -> None:
    alike = ["2025-01-27T00:00:00Z", "2024-02-29T23:59:59Z", "1969-12-31T23:59:59Z"]
    for texts in (alike, [text.replace("Z", ".123456Z") for text in alike]):
        one_by_one = [parse([{"cpu": 1, "timestamp": text.replace("Z", "+00:00")}]).timestamps_ms for text in texts]
        together = parse([{"cpu": 1, "timestamp": text} for text in texts]).timestamps_ms
        assert together is not None
        assert together.tolist() == [int(time[0]) for time in one_by_one if time is not None]


@pytest.mark.parametrize(
    "text", ["2025-02-30T00:00:00Z", "2025-01-27T25:00:00Z", "2025-01-27T00:00:0xZ", "NaT...............Z", "2025-01-27 00:00:00Z"]
)
def test_texts_as_long_as_times_are_looked_at_closely(text: str) -> None:
    rows = [{"cpu": 1, "timestamp": "2025-01-27T00:00:00Z"}, {"cpu": 1, "timestamp": text}]
    if " " in text:
        assert parse(rows).timestamps_ms is not None  # RFC 3339 allows the space
        return
    with pytest.raises(InvalidArgumentError) as refused:
        parse(rows)
    assert refused.value.fields[0].field == "metrics[1].timestamp"
