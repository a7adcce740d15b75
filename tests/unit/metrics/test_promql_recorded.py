"""Agreement with Prometheus 2.42: its recorded answers to the same expressions over the same series.

`series.om` holds counters with resets, gauges with gaps, NaN and infinity, histograms, series that follow each other, all with
uneven sample times. `tools/record_promql.py` makes `answers.jsonl`. Three differences are meant and not in the list: moments of
a small spread around 1e12 (ours are exact), `atan2` drops the name of the metric like the other arithmetic, and the calendar has
no answer to an infinite time.
"""

import json
import math
import pathlib
import re
from typing import Any

import numpy as np
import pytest

from services.common.errors import OpenManagerError
from services.metrics.domain.ports import Labels
from services.metrics.domain.promql import Matrix, Scalar, Text, Vector, evaluate_instant, evaluate_range
from tests.support.promql_series import MemoryReader, Series, labels_of

FOLDER = pathlib.Path(__file__).parent / "promql_recorded"
INSTANT_MS = 1_700_000_601_234
RANGE_MS = (1_700_000_000_000, 1_700_001_200_000, 240_000)
ANSWERS = [json.loads(line) for line in (FOLDER / "answers.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def reader() -> MemoryReader:
    """The series that the Prometheus had."""
    samples: dict[str, list[tuple[int, float]]] = {}
    for line in (FOLDER / "series.om").read_text().splitlines():
        found = re.fullmatch(r"(\w+\{.*\}) (\S+) (\S+)", line)
        if found is not None:
            samples.setdefault(found[1], []).append((round(float(found[3]) * 1000), float(found[2])))
    return MemoryReader(
        Series(labels_of(labels), np.array([at for at, _ in rows], np.int64), np.array([value for _, value in rows]))
        for labels, rows in samples.items()
    )


@pytest.mark.parametrize("recorded", ANSWERS, ids=[answer["expr"] for answer in ANSWERS])
async def test_prometheus_gave_the_same_answer(recorded: dict[str, Any], reader: MemoryReader) -> None:
    try:
        value: object = (await evaluate_instant(recorded["expr"], reader, INSTANT_MS)).value
    except OpenManagerError as error:
        value = error
    same(value, recorded["instant"], ordered=recorded["expr"].startswith(("sort", "topk", "bottomk")))
    try:
        value = (await evaluate_range(recorded["expr"], reader, *RANGE_MS)).matrix
    except OpenManagerError as error:
        value = error
    same(value, recorded["range"], ordered=True)


def same(ours: object, theirs: dict[str, Any], *, ordered: bool) -> None:
    """Fails unless both say the same; `ordered` compares the order of series, too."""
    match ours:
        case OpenManagerError():
            assert theirs == {"error": ours.reason.lower()}
        case Scalar():
            assert close(ours.value, float(theirs["scalar"]))
        case Text():
            assert ours.value == theirs["string"]
        case Vector():
            expected = [(labels(metric), float(value)) for metric, value in theirs["vector"]]
            found = list(zip(ours.labels, ours.values.tolist(), strict=True))
            if not ordered:
                expected, found = sorted(expected), sorted(found)
            assert [one for one, _ in found] == [one for one, _ in expected]
            assert all(close(one, other) for (_, one), (_, other) in zip(found, expected, strict=True)), (found, expected)
        case Matrix():
            rows = [(labels(metric), points) for metric, points in theirs["matrix"]]
            assert ours.labels == [one for one, _ in rows]
            points = [(round(time * 1000), float(value)) for _, row in rows for time, value in row]
            assert np.diff(ours.offsets).tolist() == [len(row) for _, row in rows]
            assert ours.timestamps_ms.tolist() == [time for time, _ in points]
            assert all(close(one, other) for one, (_, other) in zip(ours.values.tolist(), points, strict=True))
        case _:
            raise AssertionError(f"an answer of no known kind: {ours!r}")


def labels(metric: dict[str, str]) -> Labels:
    """A label set as Prometheus writes it."""
    return tuple(sorted(metric.items()))


def close(ours: float, theirs: float) -> bool:
    """Equal up to the rounding of sums taken in another order."""
    return (math.isnan(ours) and math.isnan(theirs)) or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-11)
