"""How Prometheus writes numbers and times."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.promql import Matrix, MatrixRow, Text, Vector
from services.gateway.domain.times import format_ms, parse_time_ms
from services.gateway.web.prometheus_json import number_text, number_texts, result_json, time_json


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (91.2, "91.2"), (-3.5, "-3.5"), (0.1 + 0.2, "0.30000000000000004"),
        (1e15, "1000000000000000"), (1e16, "10000000000000000"), (1.5e20, "150000000000000000000"), (1e21, "1e+21"), (1.25e300, "1.25e+300"),
        (0.0001, "0.0001"), (0.00001, "0.00001"), (1e-6, "0.000001"), (1.5e-7, "1.5e-7"), (5e-324, "5e-324"),
        (math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf"),
    ],
)  # fmt: skip
def test_number_text(value: float, text: str) -> None:
    assert number_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_the_same(value: float) -> None:
    text = number_text(value)

    assert float(text) == value
    assert ("e" in text) == (value != 0 and not 1e-6 <= abs(value) < 1e21)


@given(st.lists(st.one_of(st.floats(), st.integers(-1000, 1000).map(float))))
def test_many_numbers_are_written_as_each_one(values: list[float]) -> None:
    assert number_texts(np.array(values, np.float64)) == [number_text(value) for value in values]


def test_results() -> None:
    labels, times, values = {"a": 'x"\\\n서'}, np.array([1_000, 2_500], np.int64), np.array([1.0, math.nan])
    rows = [MatrixRow(labels, times, values), MatrixRow({}, times[:0], values[:0]), MatrixRow({}, times, np.array([1e300, -0.0]))]

    assert json.loads(result_json(Matrix(rows))) == {
        "resultType": "matrix",
        "result": [
            {"metric": labels, "values": [[1, "1"], [2.5, "NaN"]]},
            {"metric": {}, "values": []},
            {"metric": {}, "values": [[1, "1e+300"], [2.5, "-0"]]},
        ],
    }
    assert json.loads(result_json(Vector([labels, {}], times, values)))["result"] == [
        {"metric": labels, "value": [1, "1"]},
        {"metric": {}, "value": [2.5, "NaN"]},
    ]
    assert json.loads(result_json(Vector([], times[:0], values[:0]))) == {"resultType": "vector", "result": []}
    assert json.loads(result_json(Text(5, labels["a"]))) == {"resultType": "string", "result": [0.005, labels["a"]]}


def test_times() -> None:
    assert time_json(1_435_781_451_781) == 1_435_781_451.781
    assert isinstance(time_json(1_435_781_451_000), int)
    assert format_ms(-1) == "1969-12-31T23:59:59.999Z"
    assert parse_time_ms("1435781451.781") == 1_435_781_451_781
    assert parse_time_ms("2015-07-01T20:10:51.781+09:00") == 1_435_749_051_781


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_times_read_back_the_same(time_ms: int) -> None:
    assert parse_time_ms(format_ms(time_ms)) == time_ms


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e300", "noon", "2015-07-01", "2015-07-01T20:10:51"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_time_ms(text)
