import orjson
import pytest

from services.common.errors import InvalidArgumentError
from services.gateway.domain import import_lines
from services.gateway.domain.batch import SampleBatch
from services.gateway.domain.series_table import SeriesTable

GOOD = {"metric": {"__name__": "cpu", "server": "a", "core": "1"}, "timestamps": [1000, 2000], "values": [1, 2.5]}


def lines(*documents: object) -> bytes:
    return b"\n".join(orjson.dumps(document) for document in documents)


def parse_lines(body: bytes) -> SampleBatch:
    return import_lines.parse_lines(body, SeriesTable())


def test_each_line_is_a_stretch_of_one_series() -> None:
    batch = parse_lines(
        lines(GOOD, {**GOOD, "metric": {"__name__": "memory", "server": "a"}, "timestamps": [3000], "values": [7]}) + b"\n\n"
    )
    assert batch.is_history
    assert batch.series.labels == [(("__name__", "cpu"), ("core", "1"), ("server", "a")), (("__name__", "memory"), ("server", "a"))]
    assert (batch.numbers.tolist(), batch.timestamps_ms.tolist()) == ([0, 0, 1], [1000, 2000, 3000])
    assert (batch.values.tolist(), [batch.index_of(row) for row in range(3)]) == ([1, 2.5, 7], [0, 0, 1])
    assert batch.errors == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"metric": {"server": "a"}}, "INVALID_LABELS"),
        ({"metric": {"__name__": "cpu"}}, "INVALID_SERVER"),
        ({"metric": {"__name__": "", "server": "a"}}, "INVALID_NAME"),
        ({"metric": {"__name__": "cpu", "server": "a", "no spaces": "x"}}, "INVALID_LABELS"),
        ({"metric": [1]}, "INVALID_LABELS"),
        ({"timestamps": [1000]}, "INVALID_VALUE"),
        ({"timestamps": [1000, 2.5]}, "INVALID_TIMESTAMP"),
        ({"timestamps": [1000, True]}, "INVALID_TIMESTAMP"),
        ({"timestamps": [1000, 10**18]}, "INVALID_TIMESTAMP"),
        ({"values": [1, None]}, "INVALID_VALUE"),
        ({"values": ["1", "2"]}, "INVALID_VALUE"),
        ({"more": 1}, "INVALID_SAMPLE"),
    ],
)
def test_a_wrong_line_is_named_and_spoils_no_other(change: dict[str, object], reason: str) -> None:
    batch = parse_lines(lines(GOOD, {**GOOD, **change}, GOOD))
    assert [(error.index, error.reason) for error in batch.errors] == [(1, reason)]
    assert batch.rejected == 1
    assert len(batch.values) == 4


def test_a_line_that_is_no_json_is_named() -> None:
    batch = parse_lines(lines(GOOD) + b"\n{")
    assert [(error.index, error.reason) for error in batch.errors] == [(1, "INVALID_JSON")]


@pytest.mark.parametrize("body", [b"", b"\n \n"])
def test_no_line_at_all_is_an_error(body: bytes) -> None:
    with pytest.raises(InvalidArgumentError, match="lines"):
        parse_lines(body)
