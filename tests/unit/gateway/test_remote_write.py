"""Prometheus remote write: three ways through a request that agree with each other and with protobuf."""

import math
import struct
from typing import Any

import numpy as np
import pytest

from services.common.errors import InvalidArgumentError
from services.gateway.domain.batch import SampleBatch
from services.gateway.domain.protocols.remote_write import RemoteWriteDecoder
from services.gateway.domain.protocols.remote_write.layout import Layouts
from services.gateway.domain.protocols.remote_write.scan import scan
from services.gateway.domain.protocols.remote_write.walk import walk
from services.gateway.domain.series_table import SeriesTable
from tests.support.remote_write import WriteRequest, add_series, write_request

NOW_MS = 1_700_000_000_000
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def _labels(k: int, **more: str) -> dict[str, str]:
    return {"__name__": f"node_metric_{k % 7}", "instance": f"10.0.0.{k}:9100", "job": "node", **more}


def _bits(values: Any) -> list[int]:
    found: list[int] = np.asarray(values, np.float64).view(np.uint64).tolist()
    return found


def _rows(batch: SampleBatch) -> list[tuple[dict[str, str], int, int]]:
    labels = [dict(batch.series.labels[number]) for number in batch.numbers.tolist()]
    return list(zip(labels, batch.timestamps_ms.tolist(), _bits(batch.values), strict=True))


def _decode(data: bytes, series: SeriesTable | None = None) -> SampleBatch:
    return RemoteWriteDecoder().decode(data, series or SeriesTable()).batch


def test_samples_come_out_as_they_went_in_whichever_way() -> None:
    request = write_request(
        (_labels(1), [(1.5, NOW_MS)]),
        (_labels(2), [(0.0, NOW_MS)]),  # a value of 0 is left out of the bytes
        (_labels(3), [(-0.0, NOW_MS), (math.inf, NOW_MS + 1), (STALE, NOW_MS + 2)]),
        (_labels(4, zone="서울", empty=""), [(0.1 + 0.2, NOW_MS + 7)]),
        (_labels(300, long="x" * 150), [(1e300, NOW_MS), (0.0, NOW_MS + 1)]),
    )
    expected = [
        ({**_labels(1), "server": "10.0.0.1"}, NOW_MS, _bits([1.5])[0]),
        ({**_labels(2), "server": "10.0.0.2"}, NOW_MS, 0),
        ({**_labels(3), "server": "10.0.0.3"}, NOW_MS, 1 << 63),
        ({**_labels(3), "server": "10.0.0.3"}, NOW_MS + 1, _bits([math.inf])[0]),
        ({**_labels(3), "server": "10.0.0.3"}, NOW_MS + 2, 0x7FF0000000000002),
        ({**_labels(4, zone="서울"), "server": "10.0.0.4"}, NOW_MS + 7, _bits([0.1 + 0.2])[0]),
        ({**_labels(300, long="x" * 150), "server": "10.0.0.300"}, NOW_MS, _bits([1e300])[0]),
        ({**_labels(300, long="x" * 150), "server": "10.0.0.300"}, NOW_MS + 1, 0),
    ]
    series, decoder = SeriesTable(), RemoteWriteDecoder()
    assert _rows(walk(request, SeriesTable()).batch.build()) == expected
    ways = []
    for _ in range(3):
        found = decoder.remembered(request, series) or decoder.decode(request, series)
        ways.append(found.way)
        assert _rows(found.batch) == expected
    assert ways == ["scan", "scan", "layout"]


def test_a_layout_gives_the_values_and_times_of_the_request_at_hand() -> None:
    series, decoder = SeriesTable(), RemoteWriteDecoder()
    for step in range(5):
        times = [NOW_MS + step * 10_000, NOW_MS + step * 10_000 + 3]
        request = write_request(*[(_labels(k), [(k + 1 + step / 7, times[k % 2])]) for k in range(50)])
        found = decoder.remembered(request, series) or decoder.decode(request, series)
        assert found.way == ("layout" if step > 1 else "scan")
        assert found.batch.values.tolist() == [k + 1 + step / 7 for k in range(50)]
        assert found.batch.timestamps_ms.tolist() == [times[k % 2] for k in range(50)]


def test_series_that_are_all_known_are_read_without_looking_into_labels() -> None:
    series, decoder = SeriesTable(), RemoteWriteDecoder()
    request = write_request((_labels(1), [(1.0, NOW_MS)]), (_labels(2), [(2.0, NOW_MS), (3.0, NOW_MS + 1)]))
    more = write_request((_labels(1), [(1.0, NOW_MS)]), (_labels(3), [(2.0, NOW_MS)]))
    assert decoder.known(request, series) is None
    expected = decoder.decode(request, series).batch
    found = decoder.known(request, series)
    assert found is not None
    assert _rows(found.batch) == _rows(expected)
    assert decoder.known(more, series) is None
    assert decoder.known(b"", series) is None


@pytest.mark.parametrize("change", ["label", "zero", "time", "last"])
def test_a_request_that_differs_is_not_taken_for_one_like_it(change: str) -> None:
    series, decoder = SeriesTable(), RemoteWriteDecoder()
    base = [(_labels(k), [(1.0 + k, NOW_MS)]) for k in range(20)]
    for _ in range(2):
        decoder.decode(write_request(*base), series)
    other = list(base)
    match change:
        case "label":
            other[11] = (_labels(11) | {"job": "edge"}, [(5.0, NOW_MS)])
        case "zero":  # one series more and a value less, made as long again by a label
            other[11] = (_labels(11) | {"pad": "x" * 4}, [(0.0, NOW_MS)])
            other[12] = (_labels(12) | {"job": "nod"}, [(1.0, NOW_MS)])
        case "time":
            other[11] = (_labels(11), [(5.0, 1)])
        case "last":
            other[19] = (_labels(19), [(1.0, NOW_MS), (2.0, NOW_MS + 1)])
    request = write_request(*other)
    assert decoder.remembered(write_request(*base), series) is not None
    assert decoder.remembered(request, series) is None
    assert _rows(decoder.decode(request, series).batch) == _rows(walk(request, SeriesTable()).batch.build())


def test_a_layout_belongs_to_one_table_of_series() -> None:
    decoder, first, second = RemoteWriteDecoder(), SeriesTable(), SeriesTable()
    second.number((("__name__", "other"),))
    request = write_request((_labels(1), [(1.0, NOW_MS)]), (_labels(2), [(2.0, NOW_MS)]))
    for _ in range(2):
        decoder.decode(request, first)
    assert decoder.remembered(request, first) is not None
    assert decoder.remembered(request, second) is None
    assert decoder.decode(request, second).batch.numbers.tolist() == [1, 2]


def test_layouts_take_no_more_memory_than_they_may() -> None:
    layouts = Layouts(max_bytes=20_000)
    decoder, series = RemoteWriteDecoder(layouts), SeriesTable()
    for k in range(20):
        request = write_request(*[(_labels(k, row=str(i)), [(1.0, NOW_MS)]) for i in range(40)])
        for _ in range(3):
            decoder.remembered(request, series) or decoder.decode(request, series)
    assert 0 < len(layouts) < 5


def test_layouts_out_of_use_make_room() -> None:
    decoder, series = RemoteWriteDecoder(Layouts(max_bytes=20_000)), SeriesTable()

    def request(k: int) -> bytes:
        return write_request(*[(_labels(k, row=str(i)), [(1.0, NOW_MS)]) for i in range(40)])

    for k in (0, 0, 1, 1, 2, 2):
        decoder.remembered(request(k), series)
        decoder.decode(request(k), series)
    for _ in range(1100):
        decoder.remembered(b"x" * 100, series)
    for _ in range(2):
        decoder.decode(request(9), series)
    assert decoder.remembered(request(9), series) is not None


def test_a_series_that_is_wrong_is_refused_alone() -> None:
    request = WriteRequest()
    add_series(request, _labels(1).items(), [(1.0, NOW_MS)])
    add_series(request, [("instance", "a:1")], [(2.0, NOW_MS), (2.5, NOW_MS)])
    add_series(request, [*_labels(3).items(), ("job", "again")], [(3.0, NOW_MS)])
    add_series(request, [("__name__", "m"), ("server", "x" * 300)], [(4.0, NOW_MS)])
    add_series(request, [("__name__", "m"), ("v", "y" * 5000)], [(5.0, NOW_MS)])
    add_series(request, [("__name__", "m"), *((f"l{k}", "x") for k in range(70))], [(6.0, NOW_MS)])
    add_series(request, [("__name__", "m"), ("", "x")], [(7.0, NOW_MS)])
    add_series(request, _labels(8).items(), [(8.0, NOW_MS)])
    data = request.SerializeToString()
    found = scan(data, SeriesTable())
    assert found is not None
    for batch in (found.batch, walk(data, SeriesTable()).batch.build()):
        assert batch.values.tolist() == [1.0, 8.0]
        assert [batch.index_of(row) for row in range(2)] == [0, 8]
        assert batch.rejected == 7
        assert [(error.index, error.reason) for error in batch.errors] == [
            (1, "INVALID_NAME"),
            (3, "DUPLICATE_LABEL"),
            (4, "INVALID_SERVER"),
            (5, "INVALID_LABELS"),
            (6, "INVALID_LABELS"),
            (7, "INVALID_LABELS"),
        ]


def test_a_label_that_is_no_text_is_refused() -> None:
    request = write_request((_labels(1, bad="xyz"), [(1.0, NOW_MS)]), (_labels(2), [(2.0, NOW_MS)])).replace(
        b"xyz", b"\xff\xfe\xfd"
    )
    batch = _decode(request)
    assert [error.reason for error in batch.errors] == ["INVALID_UTF8"]
    assert batch.values.tolist() == [2.0]


def test_labels_that_look_like_samples_are_labels() -> None:
    """A label may hold the bytes of a sample; whoever looks for samples by their shape must not be misled."""
    sample = write_request(({}, [(1.5, NOW_MS)]))[2:]
    narrow = write_request(({}, [(0.0, NOW_MS)]))[2:]
    for piece in (sample, narrow, b"\x12\x10\x09", narrow + sample):
        request = write_request(
            (_labels(1, text="#" * len(piece)), [(1.0, NOW_MS)]), (_labels(2), [(2.0, NOW_MS), (0.0, NOW_MS + 5)])
        ).replace(b"#" * len(piece), piece)
        expected = walk(request, SeriesTable()).batch.build()
        assert _rows(_decode(request)) == _rows(expected)
        assert expected.values.tolist()[-2:] == [2.0, 0.0]


def test_what_has_no_place_here_is_counted() -> None:
    request = WriteRequest()
    one = add_series(request, _labels(1).items(), [(1.0, NOW_MS)])
    one.exemplars.add(value=1)
    add_series(request, _labels(2).items(), []).histograms.add(sum=1.0)
    request.metadata.add(metric_family_name="m")
    request.metadata.add(metric_family_name="n")
    found = RemoteWriteDecoder().decode(request.SerializeToString(), SeriesTable())
    assert found.ignored == {"exemplar": 1, "histogram": 1, "metadata": 2}
    assert found.batch.values.tolist() == [1.0]


def test_an_empty_request_is_one() -> None:
    assert len(_decode(b"")) == 0
    assert len(_decode(b"\x0a\x00" * 10)) == 0


def test_times_of_any_size_are_read() -> None:
    times = [0, 1, -1, 2**62, -(2**63), 2**63 - 1, NOW_MS, 2**41 - 1, 2**42]
    batch = _decode(write_request((_labels(1), [(1.0, time_ms) for time_ms in times])))
    assert batch.timestamps_ms.tolist() == times


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",
        b"\x0a\x05ab",
        b"\xff" * 20,
        b"\x00\x00",
        b"\x0b\x0c",  # groups
        b"\x08\x01",  # time series as a number
        b"\x0a\x02\x08\x01",  # labels as a number
        b"\x0a\x06\x12\x04\x0d\x00\x00\x00\x00"[:9],
        b"\x0a\x04\x12\x02\x08\x01",  # the value of a sample as a number
        b"\x0a\x0d\x12\x0b\x11" + bytes(8) + b"\x10\x01",  # its time as a double
        b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    ],
)
def test_bytes_that_are_no_request_are_refused_as_such(data: bytes) -> None:
    with pytest.raises(InvalidArgumentError) as error:
        _decode(data)
    assert error.value.reason == "INVALID_PROTOBUF"


def test_too_much_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.domain.protocols.remote_write.walk.MAX_SAMPLES", 10)
    monkeypatch.setattr("services.gateway.domain.protocols.remote_write.scan.MAX_SAMPLES", 10)
    for data in (
        write_request((_labels(1), [(1.0, NOW_MS + k) for k in range(11)])),
        b"\x0a\x00" * 11,
        write_request(({}, [(1.0, NOW_MS + k) for k in range(11)])),
    ):
        with pytest.raises(InvalidArgumentError) as error:
            _decode(data)
        assert error.value.reason == "TOO_MANY_SAMPLES"
