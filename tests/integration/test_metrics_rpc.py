"""The metrics service through its RPCs: register, write, watch, query, list."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf import duration_pb2, timestamp_pb2

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1.metrics_pb2_grpc import MetricsServiceStub
from services.common.clock import ManualClock
from services.common.errors import OpenManagerError, from_rpc_error
from services.metrics.app import build
from services.metrics.settings import MetricsSettings
from tests.support.services import InProcess, in_process

NOW_MS = 1_795_000_000_000


class Metrics:
    def __init__(self, services: InProcess, clock: ManualClock, folder: Path) -> None:
        self.services = services
        self.clock = clock
        self.settings = MetricsSettings(data_dir=folder, host_enabled=False, fleet_enabled=False)
        self.stub = MetricsServiceStub(services.channel("metrics"))

    async def start(self) -> None:
        await self.services.start("metrics", lambda connect, telemetry: build(self.settings, connect, telemetry, self.clock))

    async def register(self, *series: Mapping[str, str]) -> pb.RegisterSeriesResponse:
        return await self.stub.RegisterSeries(pb.RegisterSeriesRequest(series=[label_set(labels) for labels in series]))

    async def write(
        self,
        rows: Sequence[tuple[int, int, float]],
        store_id: str,
        mode: pb.WriteMode.ValueType = pb.WRITE_MODE_LIVE,
    ) -> pb.WriteResponse:
        """Rows of (series id, time relative to now in ms, value)."""
        samples = label_pb2.SampleColumns(
            series_ids=np.array([row[0] for row in rows], "<u8").tobytes(),
            timestamps_ms=np.array([NOW_MS + row[1] for row in rows], "<i8").tobytes(),
            values=np.array([row[2] for row in rows], "<f8").tobytes(),
        )
        return await self.stub.Write(pb.WriteRequest(store_id=store_id, samples=samples, mode=mode))

    async def query(self, expr: str) -> pb.QueryResponse:
        return await self.stub.Query(pb.QueryRequest(expr=expr))

    def watch(self, *selectors: str, cursor: int | None = None) -> AsyncIterator[pb.WatchSamplesResponse]:
        return aiter(self.stub.WatchSamples(pb.WatchSamplesRequest(selectors=selectors, cursor=cursor)))


def label_set(labels: Mapping[str, str]) -> label_pb2.LabelSet:
    return label_pb2.LabelSet(labels=[label_pb2.Label(name=name, value=value) for name, value in sorted(labels.items())])


def ids_of(response: pb.RegisterSeriesResponse) -> list[int]:
    return [int(series_id) for series_id in np.frombuffer(response.ids, "<u8")]


def ids_of_removed(response: pb.WatchSamplesResponse) -> list[int]:
    return [int(series_id) for series_id in np.frombuffer(response.removed, "<u8")]


def values_of(samples: label_pb2.SampleColumns | pb.MatrixRow | pb.Vector) -> list[float]:
    return [float(value) for value in np.frombuffer(samples.values, "<f8")]


def names_of(labels: label_pb2.LabelSet) -> dict[str, str]:
    return {label.name: label.value for label in labels.labels}


@pytest.fixture
async def metrics(tmp_path: Path) -> AsyncIterator[Metrics]:
    async with in_process() as services:
        fixture = Metrics(services, ManualClock(NOW_MS / 1000), tmp_path)
        await fixture.start()
        yield fixture


async def refused(call: object) -> OpenManagerError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return from_rpc_error(caught.value)


CPU_A = {"__name__": "cpu", "server": "a", "role": "app"}
CPU_B = {"__name__": "cpu", "server": "b", "role": "db"}


async def test_a_samples_way(metrics: Metrics) -> None:
    registered = await metrics.register(CPU_A, CPU_B)
    a, b = ids_of(registered)
    assert ids_of(await metrics.register(CPU_B, CPU_A)) == [b, a]
    watch = metrics.watch('cpu{role="app"}')
    assert (await anext(watch)).snapshot

    written = await metrics.write([(a, -10_000, 40.0), (b, -10_000, 10.0), (a, 0, 97.5)], registered.store_id)
    assert (written.accepted, written.rejected, written.duplicate, written.late) == (3, 0, 0, 0)

    delta = await anext(watch)
    assert not delta.snapshot
    assert [names_of(label_pb2.LabelSet(labels=series.labels)) for series in delta.series] == [CPU_A]
    assert values_of(delta.samples) == [40.0, 97.5]

    vector = (await metrics.query('cpu{server="a"}')).vector
    assert (names_of(vector.series[0]), values_of(vector)) == (CPU_A, [97.5])

    listed = await metrics.stub.ListServers(pb.ListServersRequest())
    assert listed.time.ToMilliseconds() == NOW_MS
    server = {server.name: server for server in listed.servers}
    assert server.keys() == {"a", "b"}
    assert (server["a"].role, server["a"].health) == ("app", pb.HEALTH_CRITICAL)
    assert list(server["a"].reasons) == ["cpu 97.5 % is at its critical level of 95 %"]
    assert server["b"].health == pb.HEALTH_OK
    assert server["b"].last_seen.ToMilliseconds() == NOW_MS - 10_000
    for each in listed.servers:
        for concept, expression in each.expressions.items():
            response = await metrics.stub.Query(pb.QueryRequest(expr=expression, time=listed.time))
            assert values_of(response.vector) == [each.metrics[concept]]


async def test_rows_are_judged_one_by_one(metrics: Metrics) -> None:
    registered = await metrics.register(CPU_A)
    (a,) = ids_of(registered)
    await metrics.write([(a, 0, 1.0)], registered.store_id)
    day = 86_400_000
    rows = [
        (a, 0, 2.0),
        (a, -25 * 3_600_000, 3.0),
        (a, 601_000, 4.0),
        (a, -31 * day, 5.0),
        (a + 1000, 0, 6.0),
        (a, 2000, 7.0),
    ]
    response = await metrics.write(rows, registered.store_id)
    assert (response.accepted, response.duplicate, response.late, response.rejected) == (1, 1, 1, 3)
    assert {(error.index, error.reason) for error in response.errors} == {
        (1, "LATE"),
        (2, "IN_FUTURE"),
        (3, "TOO_OLD"),
        (4, "UNKNOWN_SERIES"),
    }
    imported = await metrics.write([(a, -25 * 3_600_000, 3.0)], registered.store_id, pb.WRITE_MODE_IMPORT)
    assert imported.accepted == 1


async def test_bad_columns_are_refused_with_what_is_wrong(metrics: Metrics) -> None:
    store_id = (await metrics.register(CPU_A)).store_id
    eight = bytes(8)
    for samples, told in (
        (label_pb2.SampleColumns(series_ids=eight, timestamps_ms=eight, values=bytes(7)), "samples.values: 7 bytes"),
        (label_pb2.SampleColumns(series_ids=eight, timestamps_ms=eight, values=bytes(16)), "differ in length"),
        (label_pb2.SampleColumns(series_ids=eight), "differ in length"),
    ):
        error = await refused(metrics.stub.Write(pb.WriteRequest(store_id=store_id, samples=samples)))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_COLUMNS")
        assert told in error.message
        assert error.fields
    much = bytes(8 * 1_000_001)
    samples = label_pb2.SampleColumns(series_ids=much, timestamps_ms=much, values=much)
    assert (await refused(metrics.stub.Write(pb.WriteRequest(store_id=store_id, samples=samples)))).reason == "TOO_MANY_SAMPLES"
    nothing = await metrics.stub.Write(pb.WriteRequest(store_id=store_id))
    assert (nothing.accepted, nothing.rejected) == (0, 0)


async def test_ids_of_another_store_are_refused(metrics: Metrics) -> None:
    await metrics.register(CPU_A)
    for store_id in ("", "another"):
        error = await refused(metrics.write([(1, 0, 1.0)], store_id))
        assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "UNKNOWN_STORE")


async def test_refused_series_have_no_id_and_a_reason(metrics: Metrics) -> None:
    response = await metrics.register(CPU_A, {"server": "a"}, {"__name__": "cpu", "a-b": "x"})
    assert [series_id > 0 for series_id in ids_of(response)] == [True, False, False]
    assert [(error.index, error.reason) for error in response.errors] == [(1, "INVALID_LABELS"), (2, "INVALID_LABELS")]


async def test_samples_and_ids_outlive_a_restart(metrics: Metrics) -> None:
    registered = await metrics.register(CPU_A)
    (a,) = ids_of(registered)
    await metrics.write([(a, 0, 5.0)], registered.store_id)
    watch = metrics.watch()
    cursor = (await anext(watch)).cursor
    await metrics.services.stop("metrics")
    await metrics.clock.advance(60)
    await metrics.start()
    assert values_of((await metrics.query("cpu")).vector) == [5.0]
    assert (await metrics.write([(a, 1000, 6.0)], registered.store_id)).accepted == 1
    again = await anext(metrics.watch(cursor=cursor))
    assert again.snapshot  # the cursor is of another run
    assert values_of(again.samples) == [6.0]


async def test_a_watch_resumes_at_its_cursor(metrics: Metrics) -> None:
    registered = await metrics.register(CPU_A)
    (a,) = ids_of(registered)
    cursor = (await anext(metrics.watch())).cursor
    for second in range(3):
        await metrics.write([(a, 1000 * second, float(second))], registered.store_id)
    resumed = await anext(metrics.watch(cursor=cursor))
    assert not resumed.snapshot
    assert values_of(resumed.samples) == [0.0, 1.0, 2.0]


async def test_a_range_query_has_a_row_a_series(metrics: Metrics) -> None:
    registered = await metrics.register(CPU_A, CPU_B)
    a, b = ids_of(registered)
    rows = [(series, -10_000 * back, float(back + series)) for series in (a, b) for back in range(6)]
    await metrics.write(rows, registered.store_id)
    request = pb.QueryRangeRequest(expr="cpu * 2", step=duration_pb2.Duration(seconds=10))
    request.start.FromMilliseconds(NOW_MS - 50_000)
    request.end.FromMilliseconds(NOW_MS)
    response = await metrics.stub.QueryRange(request)
    assert [names_of(row.labels)["server"] for row in response.matrix.rows] == ["a", "b"]
    for row, series in zip(response.matrix.rows, (a, b), strict=True):
        assert values_of(row) == [2.0 * (back + series) for back in range(5, -1, -1)]
        assert np.frombuffer(row.timestamps_ms, "<i8").tolist() == [NOW_MS - 10_000 * back for back in range(5, -1, -1)]
    assert response.samples_read == 12


async def test_every_kind_of_result(metrics: Metrics) -> None:
    registered = await metrics.register(CPU_A)
    await metrics.write([(ids_of(registered)[0], 0, 5.0)], registered.store_id)
    assert (await metrics.query("1 + 1")).scalar == pb.Scalar(timestamp_ms=NOW_MS, value=2.0)
    assert (await metrics.query('"text"')).text == pb.Text(timestamp_ms=NOW_MS, value="text")
    assert values_of((await metrics.query("cpu[5m]")).matrix.rows[0]) == [5.0]
    nothing = await metrics.query("no_such_series")
    assert nothing.WhichOneof("result") == "vector"
    assert not nothing.vector.series


@pytest.mark.parametrize("expr", ["", "cpu{", "sum(", "no_such_function(cpu)", 'cpu{server=~"("}', "cpu[5m] + 1"])
async def test_a_bad_expression_is_bad_data(metrics: Metrics, expr: str) -> None:
    error = await refused(metrics.query(expr))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason in ("BAD_DATA", "INVALID_REGEX")


async def test_a_range_that_cannot_be_is_bad_data(metrics: Metrics) -> None:
    now, step = timestamp_pb2.Timestamp(seconds=NOW_MS // 1000), duration_pb2.Duration(seconds=1)
    far = timestamp_pb2.Timestamp(seconds=NOW_MS // 1000 + 20_000)
    for request in (
        pb.QueryRangeRequest(expr="cpu", start=now, end=now),
        pb.QueryRangeRequest(expr="cpu", start=now, step=step),
        pb.QueryRangeRequest(expr="cpu", start=now, end=far, step=step),
        pb.QueryRangeRequest(expr="cpu", start=far, end=now, step=step),
        pb.QueryRangeRequest(expr="cpu[5m]", start=now, end=now, step=step),
    ):
        error = await refused(metrics.stub.QueryRange(request))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_DATA")


async def test_series_and_labels_are_listed(metrics: Metrics) -> None:
    memory = {"__name__": "memory", "server": "a", "site": "x"}
    registered = await metrics.register(CPU_A, CPU_B, memory)
    rows = [(series_id, 0, 1.0) for series_id in ids_of(registered)]
    await metrics.write(rows, registered.store_id)
    stub = metrics.stub
    series = await stub.ListSeries(pb.ListSeriesRequest(selectors=["cpu", '{server="a"}']))
    assert [names_of(labels) for labels in series.series] == [CPU_A, CPU_B, memory]
    assert len((await stub.ListSeries(pb.ListSeriesRequest(selectors=["cpu"], limit=1))).series) == 1
    later = timestamp_pb2.Timestamp(seconds=NOW_MS // 1000 + 60)
    assert not (await stub.ListSeries(pb.ListSeriesRequest(selectors=["cpu"], start=later))).series
    assert (await refused(stub.ListSeries(pb.ListSeriesRequest()))).reason == "BAD_DATA"
    names = await stub.ListLabelNames(pb.ListLabelNamesRequest())
    assert list(names.names) == ["__name__", "role", "server", "site"]
    assert list((await stub.ListLabelNames(pb.ListLabelNamesRequest(selectors=["cpu"]))).names) == ["__name__", "role", "server"]
    values = await stub.ListLabelValues(pb.ListLabelValuesRequest(name="server"))
    assert list(values.values) == ["a", "b"]
    some = await stub.ListLabelValues(pb.ListLabelValuesRequest(name="role", selectors=['cpu{server="b"}']))
    assert list(some.values) == ["db"]


async def test_deleted_series_are_gone_for_every_reader(metrics: Metrics) -> None:
    registered = await metrics.register(CPU_A, CPU_B)
    a, b = ids_of(registered)
    await metrics.write([(a, -10_000, 40.0), (b, -10_000, 10.0)], registered.store_id)
    watch = metrics.watch("cpu")
    assert (await anext(watch)).snapshot
    selectors = ['cpu{server="a"}', '{server=~"a|nobody"}']
    assert (await metrics.stub.DeleteSeries(pb.DeleteSeriesRequest(selectors=selectors))).deleted == 1
    assert ids_of_removed(await anext(watch)) == [a]
    assert values_of((await metrics.query("cpu")).vector) == [10.0]
    assert [server.name for server in (await metrics.stub.ListServers(pb.ListServersRequest())).servers] == ["b"]
    # A writer that still has the id is told to register again, and gets another one.
    response = await metrics.write([(a, 0, 1.0), (b, 0, 2.0)], registered.store_id)
    assert (response.accepted, [error.reason for error in response.errors]) == (1, ["UNKNOWN_SERIES"])
    assert ids_of(await metrics.register(CPU_A))[0] not in (a, b)
    await metrics.services.stop("metrics")
    await metrics.start()
    assert values_of((await metrics.query("cpu")).vector) == [2.0]


@pytest.mark.parametrize("selectors", [[], ["{}"], ['{server=~".*"}'], ['{absent!="x"}'], ["cpu", "{}"], ["cpu", "rate(cpu[5m])"]])
async def test_deleting_without_saying_what_deletes_nothing(metrics: Metrics, selectors: list[str]) -> None:
    registered = await metrics.register(CPU_A)
    await metrics.write([(ids_of(registered)[0], 0, 1.0)], registered.store_id)
    error = await refused(metrics.stub.DeleteSeries(pb.DeleteSeriesRequest(selectors=selectors)))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert "selector" in error.message
    assert values_of((await metrics.query("cpu")).vector) == [1.0]


async def test_a_bad_selector_ends_the_watch_with_its_reason(metrics: Metrics) -> None:
    error = await refused(anext(metrics.watch("cpu[5m]")))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_DATA")


async def test_the_service_counts_what_it_does(metrics: Metrics) -> None:
    registered = await metrics.register(CPU_A)
    (a,) = ids_of(registered)
    await metrics.write([(a, 0, 1.0), (a, 1000, 2.0)], registered.store_id)
    await metrics.write([(a, 0, 1.0)], registered.store_id)
    await metrics.query("cpu")
    watch = metrics.watch()
    await anext(watch)
    text = metrics.services.telemetry["metrics"].exposition().decode()
    for line in (
        'openmanager_metrics_samples_total{outcome="accepted",source="rpc"} 2.0',
        'openmanager_metrics_samples_total{outcome="duplicate",source="rpc"} 1.0',
        'openmanager_metrics_query_seconds_count{kind="instant"} 1.0',
        "openmanager_metrics_store_series 1.0",
        "openmanager_metrics_feed_readers 1.0",
    ):
        assert line in text
