"""What remote write out puts on disk and on the wire."""

import cramjam
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.adapters.remote_write_out.message import MessageEncoder
from services.metrics.adapters.remote_write_out.options import RemoteWriteOptions
from services.metrics.adapters.remote_write_out.packing import pack, unpack
from services.metrics.domain.ports import Columns
from tests.support.remote_write import WriteRequest, write_request

_LABELS = {1: (("__name__", "cpu"), ("server", "웹-01")), 2: (("__name__", "m" * 200), ("x", "y" * 300)), 3: (("__name__", "up"),)}
_ROWS = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3]),
        st.integers(-(2**62), 2**62) | st.integers(1_600_000_000_000, 1_800_000_000_000),
        st.integers(0, 2**64 - 1),
    ),
    max_size=30,
)


def columns_of(rows: list[tuple[int, int, int]]) -> Columns:
    return Columns(
        np.array([row[0] for row in rows], np.uint64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.uint64).view(np.float64),
    )


@given(_ROWS)
def test_samples_come_back_from_their_packing(rows: list[tuple[int, int, int]]) -> None:
    columns = columns_of(rows)
    again = unpack(pack(columns))
    assert again.ids.tolist() == columns.ids.tolist()
    assert again.timestamps_ms.tolist() == columns.timestamps_ms.tolist()
    assert again.values.view(np.uint64).tolist() == columns.values.view(np.uint64).tolist()


@pytest.mark.parametrize("packed", [b"", b"junk", bytes(cramjam.zstd.compress(b"12345"))])
def test_a_damaged_packing_is_told(packed: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        unpack(packed)


@given(_ROWS.filter(bool))
def test_protobuf_reads_the_same(rows: list[tuple[int, int, int]]) -> None:
    rows = sorted(rows)
    encoder = MessageEncoder()
    for series_id, labels in _LABELS.items():
        encoder.learn(series_id, labels)
    columns = columns_of(rows)
    message = bytes(cramjam.snappy.decompress_raw(encoder.encode(columns)))
    found = WriteRequest.FromString(message)
    ids = sorted({row[0] for row in rows})
    assert [tuple((label.name, label.value) for label in series.labels) for series in found.timeseries] == [
        _LABELS[series_id] for series_id in ids
    ]
    samples = [(sample.timestamp, sample.value) for series in found.timeseries for sample in series.samples]
    assert [time for time, _ in samples] == columns.timestamps_ms.tolist()
    numbers = np.array([value for _, value in samples])
    ordinary = ~np.isnan(columns.values)
    assert numbers[ordinary].tolist() == columns.values[ordinary].tolist()
    expected = [
        (
            dict(_LABELS[series_id]),
            [(value, row[1]) for row, value in zip(rows, columns.values.tolist(), strict=True) if row[0] == series_id],
        )
        for series_id in ids
    ]
    if ordinary.all() and columns.timestamps_ms.all() and columns.values.view(np.uint64).all():  # protobuf leaves zeros out
        assert message == write_request(*expected)


def test_the_receivers_url_gives_up_its_user() -> None:
    options = RemoteWriteOptions.of("https://me:s%20t@host:9090/api/v1/write?x=1")
    assert (options.url, options.authorization) == ("https://host:9090/api/v1/write?x=1", "Basic bWU6cyB0")
    assert RemoteWriteOptions.of("http://host/w", bearer_token="t").authorization == "Bearer t"
    for url in ("host:9090", "ftp://secret@host/", "http://secret@host:x/"):
        with pytest.raises(ValueError, match=r"\w") as refusal:
            RemoteWriteOptions.of(url)
        assert "secret" not in str(refusal.value)
    with pytest.raises(ValueError, match="too many"):
        RemoteWriteOptions.of("http://me:secret@host/", bearer_token="t")
