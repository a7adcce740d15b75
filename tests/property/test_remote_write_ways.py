"""The fast ways through a remote-write request give exactly what the slow one gives, and none of them is shaken by garbage."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgumentError
from services.gateway.domain.batch import SampleBatch
from services.gateway.domain.protocols.protobuf_wire import WireError
from services.gateway.domain.protocols.remote_write import RemoteWriteDecoder
from services.gateway.domain.protocols.remote_write.scan import scan
from services.gateway.domain.protocols.remote_write.walk import walk
from services.gateway.domain.series_table import SeriesTable
from services.gateway.web.compression import BrokenBodyError, decompress_snappy, snappy_size
from tests.support.remote_write import WriteRequest, add_series, compressed

NOW_MS = 1_700_000_000_000
# Bytes of samples among the texts, to mislead whoever goes by their shape.
NARROW = "\x12\x07\x10\x01\x02"
TEXTS = st.text(max_size=12) | st.sampled_from(["", "x" * 130, "x" * 20_000, NARROW, "\x12\x10\t" + "a" * 8 + "\x10abcdef"])
NAMES = st.sampled_from(["__name__", "instance", "job", "host", "server", "le", "", "9p", "a.b", "a_b", "é"])
LABELS = st.lists(st.tuples(NAMES, TEXTS), max_size=5) | st.builds(
    lambda k: [("__name__", f"m{k}"), ("instance", f"h{k}:9100")], st.integers(0, 20)
)
TIMES = st.integers(NOW_MS - 100_000, NOW_MS + 100_000) | st.integers(-(2**63), 2**63 - 1)
SAMPLES = st.lists(st.tuples(st.floats() | st.just(0.0), TIMES), max_size=3) | st.builds(
    lambda value: [(value, NOW_MS)], st.floats() | st.just(0.0)
)
SERIES = st.lists(st.tuples(LABELS, SAMPLES, st.booleans()), max_size=8)


def _request(series: list[Any], *, odd: bool) -> bytes:
    request = WriteRequest()
    for labels, samples, has_exemplar in series:
        one = add_series(request, labels, samples)
        if odd and has_exemplar:
            one.exemplars.add(value=1.0)
    return bytes(request.SerializeToString())


def _seen(batch: SampleBatch) -> Any:
    return (
        [batch.series.labels[number] for number in batch.numbers.tolist()],
        batch.timestamps_ms.tolist(),
        np.asarray(batch.values).view(np.uint64).tolist(),
        [batch.index_of(row) for row in range(len(batch))],
        batch.rejected,
        batch.errors,
    )


@settings(max_examples=400, deadline=None)
@given(requests=st.lists(SERIES, min_size=1, max_size=4), odd=st.booleans(), again=st.integers(1, 3))
def test_every_way_gives_the_same(requests: list[list[Any]], odd: bool, again: int) -> None:
    series, decoder = SeriesTable(), RemoteWriteDecoder()
    for _ in range(again):
        for each in requests:
            data = _request(each, odd=odd)
            expected = walk(data, SeriesTable()).batch.build()
            found = decoder.remembered(data, series) or decoder.decode(data, series)
            assert _seen(found.batch) == _seen(expected)


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(1, 30),
    rounds=st.lists(st.tuples(st.floats(), st.integers(0, 2**42 - 1)), min_size=3, max_size=6),
    zeros=st.sets(st.integers(0, 29)),
)
def test_a_sender_that_repeats_itself_is_read_by_layout(count: int, rounds: list[tuple[float, int]], zeros: set[int]) -> None:
    series, decoder = SeriesTable(), RemoteWriteDecoder()
    for value, time_ms in rounds:
        rows = [
            ([("__name__", f"m{k}"), ("instance", "h:1")], [(0.0 if k in zeros else value, time_ms)], False) for k in range(count)
        ]
        data = _request(rows, odd=False)
        found = decoder.remembered(data, series) or decoder.decode(data, series)
        assert _seen(found.batch) == _seen(walk(data, SeriesTable()).batch.build())


@settings(max_examples=500, deadline=None)
@given(
    series=SERIES,
    cut=st.integers(0, 400),
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    tail=st.binary(max_size=20),
)
def test_damage_never_raises_anything_else_and_all_ways_agree(
    series: list[Any], cut: int, flips: list[tuple[int, int]], tail: bytes
) -> None:
    data = bytearray(_request(series, odd=True))
    for at, byte in flips:
        if data:
            data[at % len(data)] = byte
    damaged = bytes(data[: max(0, len(data) - cut)]) + tail if cut < 200 else bytes(data)
    _check_agreement(damaged)


@settings(max_examples=500, deadline=None)
@given(data=st.binary(max_size=200))
def test_garbage_never_raises_anything_else(data: bytes) -> None:
    _check_agreement(data)
    try:
        if snappy_size(data) < 1 << 20:
            decompress_snappy(data)
    except BrokenBodyError:
        pass


def _check_agreement(data: bytes) -> None:
    scanned = scan(data, SeriesTable())
    try:
        walked = walk(data, SeriesTable()).batch.build()
    except WireError:
        assert scanned is None
        with pytest.raises(InvalidArgumentError):
            RemoteWriteDecoder().decode(data, SeriesTable())
        return
    if scanned is not None:
        assert _seen(scanned.batch) == _seen(walked)
    assert _seen(RemoteWriteDecoder().decode(data, SeriesTable()).batch) == _seen(walked)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=3000))
def test_snappy_gives_back_what_it_was_given(data: bytes) -> None:
    body = compressed(data)
    assert snappy_size(body) == len(data)
    assert bytes(decompress_snappy(body)) == data
