"""Reading InfluxDB's lines in haste gives exactly what reading them with care gives, and no bytes break it."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.gateway.domain.protocols import influx_lines
from services.gateway.domain.protocols.influx_lines import InfluxBatch, _Parser
from services.gateway.domain.protocols.influx_values import Timestamps
from services.gateway.domain.series_table import SeriesTable

NOW_MS = 1_700_000_000_000
VALUES = st.sampled_from(
    [
        "1",
        "-2.5",
        "3i",
        "4u",
        "t",
        "false",
        '"text"',
        '"a, b=c"',
        '"x\ny"',
        "1.5i",
        "nan",
        "",
        "1_0",
        "+1",
        ".5",
        "1e999",
        "x",
        "9" * 25 + "i",
    ]
) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
NAMES = st.sampled_from(["a", "b", "value", "used_percent", "a b", "x,y", "", "é", "9"])
FIELDS = st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=4)
HEADS = st.sampled_from(["cpu", "cpu,host=a", "cpu,host=b,cpu=0", "m\\ x,t=\\,", "m,t", "#c", "", 'q"', "disk,path=/"])
ENDS = st.sampled_from(["", " 1700000000000000000", " 17e3", "  5", "\r", " 1 2", " -7"])
LINES = st.builds(
    lambda head, fields, end: f"{head} {','.join(f'{name}={value}' for name, value in fields)}{end}", HEADS, FIELDS, ENDS
) | st.text(alphabet='ab=, "\\\n\t1i#', max_size=20)


def _seen(found: InfluxBatch) -> Any:
    batch = found.samples
    return (
        [batch.series.labels[number] for number in batch.numbers.tolist()],
        batch.timestamps_ms.tolist(),
        batch.values.tolist(),
        [batch.index_of(row) for row in range(len(batch))],
        batch.rejected,
        batch.errors,
        found.texts,
    )


def _with_care(body: bytes) -> InfluxBatch:
    parser = _Parser(body, Timestamps("ns", NOW_MS), SeriesTable(), is_hasty=False)
    parser.read()
    values: NDArray[np.float64] = np.array(parser.values, np.float64)
    return parser.batch(values)


@settings(max_examples=600, deadline=None)
@given(lines=st.lists(LINES, max_size=8), before=st.lists(LINES, max_size=4))
def test_haste_changes_nothing(lines: list[str], before: list[str]) -> None:
    series = SeriesTable()
    influx_lines.parse_lines("\n".join(before).encode(), "ns", NOW_MS, series)
    body = "\n".join(lines).encode()
    for _ in range(2):  # the second time every series is known
        assert _seen(influx_lines.parse_lines(body, "ns", NOW_MS, series)) == _seen(_with_care(body))


@settings(max_examples=400, deadline=None)
@given(body=st.binary(max_size=300) | st.text(alphabet='m,=" \\\n1.ie#\tx', max_size=80).map(str.encode))
def test_any_bytes_are_either_samples_or_errors(body: bytes) -> None:
    found = influx_lines.parse_lines(body, "ns", NOW_MS, SeriesTable())
    assert found.samples.rejected >= len(found.samples.errors) >= 0
    assert _seen(found) == _seen(_with_care(body))
