"""What the adapters do where it cannot be seen through HTTP."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from openmanager.metrics.v1 import metrics_pb2
from services.common.errors import RefusedError
from services.common.telemetry import Telemetry
from services.gateway.adapters import metrics_writer
from services.gateway.adapters.metrics_writer import MetricsWriter
from services.gateway.adapters.suite import merge_expositions
from services.gateway.adapters.token_file import load_or_create_token
from services.gateway.domain.samples import parse_batch
from services.gateway.domain.series_table import SeriesTable
from tests.support.gateway_fake import NOW_MS
from tests.support.gateway_peers import FakeMetrics


class _Stub:
    """Calls the fake service directly."""

    def __init__(self, service: FakeMetrics) -> None:
        self._service = service

    async def RegisterSeries(self, request: Any, *, timeout: float) -> Any:  # noqa: N802, ASYNC109
        assert timeout > 0
        return await self._service.RegisterSeries(request, None)

    async def Write(self, request: Any, *, timeout: float) -> metrics_pb2.WriteResponse:  # noqa: N802, ASYNC109
        assert timeout > 0
        return await self._service.Write(request, None)


def _batch(count: int, series: SeriesTable, server: str = "a") -> Any:
    samples = [{"server": server, "timestamp": NOW_MS / 1000 - k, "metrics": {f"m{k % 7}": k}} for k in range(count)]
    return parse_batch({"samples": samples}, NOW_MS, series)


def _writer(service: FakeMetrics) -> MetricsWriter:
    stub: Any = _Stub(service)
    return MetricsWriter(stub)


async def test_large_batches_go_in_parts_and_errors_keep_their_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_writer, "MAX_SAMPLES_A_CALL", 10)
    monkeypatch.setattr(metrics_writer, "MAX_SERIES_A_CALL", 3)
    service = FakeMetrics()
    samples = [
        {"server": "a", "timestamp": NOW_MS / 1000 + (86_400 if k in (13, 31) else -k), "metrics": {f"m{k % 7}": k}}
        for k in range(35)
    ]

    receipt = await _writer(service).write(parse_batch({"samples": samples}, NOW_MS, SeriesTable()))

    assert (receipt.accepted, receipt.rejected) == (33, 2)
    assert [error.index for error in receipt.errors] == [13, 31]
    assert service.calls.count("Write") == 4
    assert service.calls.count("RegisterSeries") == 3


async def test_what_is_known_is_registered_once() -> None:
    service = FakeMetrics()
    writer, series = _writer(service), SeriesTable()

    receipts = [await writer.write(_batch(count, series, server)) for count, server in ((3, "a"), (7, "a"), (7, "b"), (7, "a"))]

    assert [receipt.accepted for receipt in receipts] == [3, 4, 7, 0]
    assert [len(request.series) for request in service.requests if isinstance(request, metrics_pb2.RegisterSeriesRequest)] == [
        3,
        4,
        7,
    ]


async def test_a_new_table_of_series_has_its_own_ids() -> None:
    service = FakeMetrics()
    writer = _writer(service)

    receipts = [await writer.write(_batch(7, SeriesTable(), server)) for server in ("a", "b", "a", "b")]

    assert [receipt.accepted for receipt in receipts] == [7, 7, 0, 0]
    assert [receipt.duplicate for receipt in receipts] == [0, 0, 7, 7]


async def test_a_series_deleted_from_the_store_is_registered_again() -> None:
    service = FakeMetrics()
    writer, series = _writer(service), SeriesTable()
    await writer.write(_batch(3, series))
    service.delete_all()

    receipt = await writer.write(_batch(300, series))

    assert (receipt.accepted, receipt.rejected, receipt.errors) == (300, 0, ())


async def test_a_store_replaced_between_two_registrations_is_no_mixture() -> None:
    service = FakeMetrics()
    writer, series = _writer(service), SeriesTable()
    await writer.write(_batch(3, series))
    service.replace_store()

    receipt = await writer.write(_batch(7, series))

    assert receipt.accepted == 7
    assert sorted({series_id for series_id, _ in service.samples}) == list(range(1, 8))


async def test_columns_are_little_endian_and_of_one_length() -> None:
    service = FakeMetrics()
    await _writer(service).write(_batch(5, SeriesTable()))

    samples = service.requests[-1].samples
    assert np.frombuffer(samples.values, "<f8").tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert len(samples.series_ids) == len(samples.timestamps_ms) == len(samples.values) == 40


def test_expositions_are_merged_by_family() -> None:
    one, two = Telemetry("one"), Telemetry("two")
    for telemetry, count in ((one, 2), (two, 3)):
        telemetry.counter("rpc_requests_total", "Calls.", ("method",)).labels('a"b').inc(count)
        telemetry.histogram("rpc_seconds", "Time.").observe(0.3)
    one.gauge("only_here", "One.").set(5)

    text = merge_expositions({"one": one.exposition(), "two": two.exposition(), "three": None, "four": b"{{{"}).decode()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert text.count("# TYPE openmanager_rpc_requests_total counter") == 1
    assert {s.labels["service"]: s.value for s in families["openmanager_up"].samples} == {"one": 1, "two": 1, "three": 0, "four": 0}
    calls = [s for s in families["openmanager_rpc_requests"].samples if s.name.endswith("_total")]
    assert {(s.labels["service"], s.labels["method"]): s.value for s in calls} == {("one", 'a"b'): 2, ("two", 'a"b'): 3}
    assert families["openmanager_rpc_seconds"].type == "histogram"
    assert families["openmanager_only_here"].samples[0].labels == {"service": "one"}


def test_a_token_file_that_is_empty_or_unreadable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "admin-token").write_text("")
    with pytest.raises(RefusedError, match="is empty"):
        load_or_create_token(tmp_path)
    (tmp_path / "admin-token").unlink()
    (tmp_path / "admin-token").mkdir()
    with pytest.raises(RefusedError, match="cannot be read"):
        load_or_create_token(tmp_path)


def test_a_half_written_token_of_a_crash_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "admin-token.new").write_text("half")

    made = load_or_create_token(tmp_path)

    assert made.is_new
    assert load_or_create_token(tmp_path).value == made.value
    assert len(made.value) >= 43
    assert os.listdir(tmp_path) == ["admin-token"]
