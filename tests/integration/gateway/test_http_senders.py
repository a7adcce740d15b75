"""The doors for programs that send samples in forms of their own: remote write, OTLP, InfluxDB's lines."""

import asyncio
import gzip
import struct
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA

from services.common.errors import ResourceExhaustedError, UnavailableError
from tests.support.gateway import TOKEN, Reply, RunningGateway, running_gateway
from tests.support.gateway_fake import NOW_MS
from tests.support.gateway_peers import FUTURE_MS
from tests.support.remote_write import Series, WriteRequest, add_series, compressed, write_request
from tests.support.waiting import until

REMOTE_WRITE, OTLP, INFLUX, INFLUX_V2 = "/prometheus/api/v1/write", "/otlp/v1/metrics", "/influx/write", "/influx/api/v2/write"
SNAPPY = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def _labels(name: str, instance: str = "web-01:9100", **more: str) -> dict[str, str]:
    return {"__name__": name, "instance": instance, "job": "node", **more}


def _bits(value: float) -> int:
    (found,) = struct.unpack("<Q", struct.pack("<d", value))
    return int(found)


def _stored(gateway: RunningGateway) -> dict[tuple[str, str, int], float]:
    metrics = gateway.peers.metrics
    labels = {series_id: dict(pairs) for pairs, series_id in metrics.ids.items()}
    return {(labels[i].get("server", ""), labels[i]["__name__"], time): value for (i, time), value in metrics.samples.items()}


async def _write(gateway: RunningGateway, *series: Series) -> Reply:
    return await gateway("POST", REMOTE_WRITE, body=compressed(write_request(*series)), headers=SNAPPY)


def _otlp(*values: float, name: str = "m", delta: int = 0) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="host.name").value.string_value = "otel-01"
    metrics = resource.scope_metrics.add().metrics
    gauge = metrics.add(name=name).gauge
    for k, value in enumerate(values):
        gauge.data_points.add(time_unix_nano=(NOW_MS - k) * 1_000_000, as_double=value)
    for _ in range(delta):
        total = metrics.add(name="delta").sum
        total.aggregation_temporality = AGGREGATION_TEMPORALITY_DELTA
        total.data_points.add(time_unix_nano=NOW_MS * 1_000_000, as_int=1)
    return request


async def test_remote_write_is_stored_with_its_server_before_it_is_answered(gateway: RunningGateway) -> None:
    reply = await _write(
        gateway,
        (_labels("node_load1"), [(1.5, NOW_MS), (2.5, NOW_MS - 1000)]),
        (_labels("up", "[::1]:9100"), [(0.0, NOW_MS), (STALE, NOW_MS - 5)]),
        ({"__name__": "job:up:sum", "job": "node"}, [(3.0, NOW_MS)]),
    )
    assert (reply.status, reply.body) == (204, b"")
    stored = _stored(gateway)
    assert _bits(stored.pop(("::1", "up", NOW_MS - 5))) == 0x7FF0000000000002
    assert stored == {
        ("web-01", "node_load1", NOW_MS): 1.5,
        ("web-01", "node_load1", NOW_MS - 1000): 2.5,
        ("::1", "up", NOW_MS): 0.0,
        ("", "job:up:sum", NOW_MS): 3.0,
    }


async def test_remote_write_that_comes_again_is_no_error(gateway: RunningGateway) -> None:
    for _ in range(4):
        reply = await _write(gateway, *[(_labels(f"m{k}"), [(1.5, NOW_MS)]) for k in range(30)])
        assert reply.status == 204
    assert len(_stored(gateway)) == 30
    exposition = (await gateway("GET", "/metrics")).body.decode()
    assert 'openmanager_ingest_samples_total{door="remote_write",outcome="duplicate",service="gateway"} 90.0' in exposition
    assert 'openmanager_ingest_batches_total{door="remote_write",service="gateway",way="layout"} 2.0' in exposition


async def test_what_can_never_succeed_is_400_once_the_rest_is_stored(gateway: RunningGateway) -> None:
    request = WriteRequest()
    add_series(request, _labels("good").items(), [(1.0, NOW_MS)])
    add_series(request, [*_labels("bad").items(), ("job", "again")], [(2.0, NOW_MS)])
    reply = await gateway("POST", REMOTE_WRITE, body=compressed(request.SerializeToString()), headers=SNAPPY)
    assert (reply.status, reply.json["reason"]) == (400, "DUPLICATE_LABEL")
    assert "1 of 2 samples were refused" in reply.json["detail"]
    assert "'job' is given twice" in reply.json["detail"]
    assert _stored(gateway) == {("web-01", "good", NOW_MS): 1.0}

    reply = await _write(gateway, (_labels("early"), [(1.0, NOW_MS + FUTURE_MS + 1)]), (_labels("good"), [(2.0, NOW_MS + 1)]))
    assert (reply.status, reply.json["reason"]) == (400, "IN_FUTURE")
    assert _stored(gateway)["web-01", "good", NOW_MS + 1] == 2.0


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (UnavailableError("the disk is full", reason="STORE_WRITE_FAILED"), 503, "1"),
        (ResourceExhaustedError("too much is waiting", reason="STORE_BUSY", retry_after_seconds=2.0), 503, "2"),
    ],
)
async def test_what_may_succeed_later_is_5xx_for_a_prometheus(
    gateway: RunningGateway, error: Exception, status: int, retry: str
) -> None:
    await _write(gateway, (_labels("m"), [(1.0, NOW_MS)]))
    gateway.peers.metrics.error = error
    reply = await _write(gateway, (_labels("m"), [(1.0, NOW_MS + 1)]))
    assert (reply.status, reply.headers["retry-after"]) == (status, retry)


async def test_what_has_no_place_is_counted_and_no_error(gateway: RunningGateway) -> None:
    request = WriteRequest()
    request.metadata.add(metric_family_name="m")
    add_series(request, _labels("m").items(), [(1.0, NOW_MS)]).exemplars.add(value=1.0)
    reply = await gateway("POST", REMOTE_WRITE, body=compressed(request.SerializeToString()), headers=SNAPPY)
    assert reply.status == 204
    exposition = (await gateway("GET", "/metrics")).body.decode()
    assert 'openmanager_ingest_ignored_total{door="remote_write",kind="metadata",service="gateway"} 1.0' in exposition
    assert 'openmanager_ingest_ignored_total{door="remote_write",kind="exemplar",service="gateway"} 1.0' in exposition


GOOD = compressed(write_request((_labels("m"), [(1.0, NOW_MS)])))


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"\xff\xff\xff", SNAPPY, 400, "BROKEN_BODY"),
        (b"\xff\xff\xff", {"Content-Encoding": "snappy"}, 400, "BROKEN_BODY"),
        (b"", SNAPPY, 400, "BROKEN_BODY"),
        (GOOD[:-3], SNAPPY, 400, "BROKEN_BODY"),
        (GOOD + b"x", SNAPPY, 400, "BROKEN_BODY"),
        (b"\xff\xff\xff\xff\x0f" + GOOD, SNAPPY, 400, "BROKEN_BODY"),  # says 4 GiB
        (b"\x80\x80\x80\x10" + bytes(2 << 20), SNAPPY, 413, "PAYLOAD_TOO_LARGE"),  # says 32 MiB, and could be
        (compressed(b"\x0a\x05ab"), SNAPPY, 400, "INVALID_PROTOBUF"),
        (compressed(b"\x08\x01"), SNAPPY, 400, "INVALID_PROTOBUF"),
        (GOOD, {**SNAPPY, "Content-Encoding": "gzip"}, 415, "UNSUPPORTED_ENCODING"),
        (GOOD, {**SNAPPY, "Content-Type": "application/json"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (
            GOOD,
            {**SNAPPY, "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
    ],
)
async def test_a_body_that_is_no_remote_write_is_told_so(
    gateway: RunningGateway, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    reply = await gateway("POST", REMOTE_WRITE, body=body, headers=headers)
    assert (reply.status, reply.json["reason"]) == (status, reason)
    assert _stored(gateway) == {}


async def test_remote_write_without_a_type_or_coding_is_believed(gateway: RunningGateway) -> None:
    for headers in ({}, {"Content-Encoding": "snappy"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert (await gateway("POST", REMOTE_WRITE, body=GOOD, headers=headers)).status == 204


async def test_requests_of_every_size_take_the_same_way(gateway: RunningGateway) -> None:
    """Small ones are read on the event loop, others in a thread, large ones from the first byte on."""
    expected = {}
    for round_ in range(3):
        for count in (3, 1000, 20_000):
            time_ms = NOW_MS - 1000 * round_ - count
            series = [(_labels(f"m{count}", k=str(k), pad="x" * 20), [(k + 0.5, time_ms)]) for k in range(count)]
            assert (await _write(gateway, *series)).status == 204
            expected[count, round_] = count
    metrics = gateway.peers.metrics
    assert len(metrics.samples) == sum(expected.values())
    by_id = {series_id: dict(pairs) for pairs, series_id in metrics.ids.items()}
    assert all(value == float(by_id[i]["k"]) + 0.5 for (i, _), value in metrics.samples.items())


async def test_otlp_in_both_forms_compressed_or_not(gateway: RunningGateway) -> None:
    request = _otlp(0.75, 0.5, name="system.cpu.load_average.1m")
    for body, headers in (
        (request.SerializeToString(), PROTOBUF),
        (gzip.compress(request.SerializeToString()), {**PROTOBUF, "Content-Encoding": "gzip"}),
    ):
        reply = await gateway("POST", OTLP, body=body, headers=headers)
        assert (reply.status, reply.headers["content-type"], reply.body) == (200, "application/x-protobuf", b"")
    document = {
        "resourceMetrics": [
            {
                "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "otel-02"}}]},
                "scopeMetrics": [
                    {"metrics": [{"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": f"{NOW_MS}000000", "asDouble": 0.25}]}}]}
                ],
            }
        ]
    }
    reply = await gateway("POST", OTLP, document)
    assert (reply.status, reply.headers["content-type"].partition(";")[0], reply.json) == (200, "application/json", {})
    assert _stored(gateway) == {
        ("otel-01", "system_cpu_load_average_1m", NOW_MS): 0.75,
        ("otel-01", "system_cpu_load_average_1m", NOW_MS - 1): 0.5,
        ("otel-02", "m", NOW_MS): 0.25,
    }


async def test_otlp_tells_what_it_refused(gateway: RunningGateway) -> None:
    reply = await gateway("POST", OTLP, body=_otlp(1.0, delta=2).SerializeToString(), headers=PROTOBUF)
    partial = ExportMetricsServiceResponse.FromString(reply.body).partial_success
    assert (reply.status, partial.rejected_data_points) == (200, 2)
    assert "UNSUPPORTED_TEMPORALITY" in partial.error_message
    assert "'delta' has delta temporality" in partial.error_message
    assert _stored(gateway) == {("otel-01", "m", NOW_MS): 1.0}


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"\xff", PROTOBUF, 400, "INVALID_PROTOBUF"),
        (b"{", {"Content-Type": "application/json"}, 400, "INVALID_JSON"),
        (gzip.compress(b"x" * 100)[:-9], {**PROTOBUF, "Content-Encoding": "gzip"}, 400, "BROKEN_BODY"),
        (gzip.compress(bytes(17 << 20)), {**PROTOBUF, "Content-Encoding": "gzip"}, 413, "PAYLOAD_TOO_LARGE"),
        (b"", {}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"", {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"", {**PROTOBUF, "Content-Encoding": "snappy"}, 415, "UNSUPPORTED_ENCODING"),
    ],
)
async def test_a_body_that_is_no_otlp_is_told_so(
    gateway: RunningGateway, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    reply = await gateway("POST", OTLP, body=body, headers=headers)
    assert (reply.status, reply.json["reason"]) == (status, reason)


@pytest.mark.parametrize(
    ("path", "unit_ns"),
    [
        (f"{INFLUX}?db=telegraf", 1),
        (f"{INFLUX}?precision=s&rp=x", 10**9),
        (f"{INFLUX_V2}?org=o&bucket=b&precision=ms", 10**6),
    ],
)
async def test_lines_are_stored(gateway: RunningGateway, path: str, unit_ns: int) -> None:
    time = NOW_MS * 1_000_000 // unit_ns
    body = f"cpu,host=t1 usage_idle=12.5,usage_user=80i {time}\nmem,host=t1 used_percent=44\n".encode()
    for headers in ({}, {"Content-Type": "text/plain; charset=utf-8"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert (await gateway("POST", path, body=body, headers=headers)).status == 204
    zipped = {"Content-Encoding": "gzip"}
    assert (await gateway("POST", path, body=gzip.compress(body), headers=zipped)).status == 204
    assert _stored(gateway) == {
        ("t1", "cpu_usage_idle", NOW_MS): 12.5,
        ("t1", "cpu_usage_user", NOW_MS): 80.0,
        ("t1", "mem_used_percent", NOW_MS): 44.0,
    }


async def test_the_first_bad_line_is_named_once_the_good_ones_are_stored(gateway: RunningGateway) -> None:
    late = (NOW_MS + FUTURE_MS + 1) * 1_000_000
    for body, line, reason in (
        (b"cpu,host=x usage=1\nno line\ncpu,host=x user=2\n", "line 2", "INVALID_VALUE"),
        (f"# comment\n\ncpu,host=x sys=3 {late}\n".encode(), "line 3", "IN_FUTURE"),
        (b'm s="a\nb",v=1\nm,host=\xff v=1', "line 3", "INVALID_UTF8"),
    ):
        reply = await gateway("POST", INFLUX, body=body)
        assert (reply.status, reply.json["reason"]) == (400, reason)
        assert line in reply.json["detail"]
        assert line in reply.headers["x-influxdb-error"]
    assert _stored(gateway) == {("x", "cpu_usage", NOW_MS): 1.0, ("x", "cpu_user", NOW_MS): 2.0, ("", "m_v", NOW_MS): 1.0}


async def test_what_influxdb_clients_ask_first(gateway: RunningGateway) -> None:
    assert (await gateway("GET", "/influx/ping")).status == 204
    created = {"results": [{"statement_id": 0}]}
    assert (await gateway("POST", '/influx/query?q=CREATE DATABASE "telegraf"')).json == created
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await gateway("POST", "/influx/query", body=b"q=CREATE+DATABASE+x", headers=form)).json == created
    refused = await gateway("GET", "/influx/query?q=SELECT * FROM cpu")
    assert (refused.status, refused.json["reason"]) == (400, "UNSUPPORTED_QUERY")
    assert (await gateway("POST", f"{INFLUX}?precision=d", body=b"m a=1")).status == 400
    assert (await gateway("POST", INFLUX, body=b"", headers={"Content-Type": "application/json"})).status == 415


async def test_senders_show_the_token_in_the_way_they_know(gateway: RunningGateway) -> None:
    basic = b64encode(f"telegraf:{TOKEN}".encode()).decode()
    for header in (f"Bearer {TOKEN}", f"Token {TOKEN}", f"Basic {basic}"):
        reply = await gateway("POST", INFLUX, body=b"m a=1", token=None, headers={"Authorization": header})
        assert reply.status == 204, header
    for header in ("Token wrong", "Basic " + b64encode(b"telegraf:wrong").decode(), "Basic %%%", f"Digest {TOKEN}"):
        reply = await gateway("POST", INFLUX, body=b"m a=1", token=None, headers={"Authorization": header})
        assert reply.status == 401, header
    for path in (REMOTE_WRITE, OTLP, INFLUX, INFLUX_V2, "/influx/query"):
        assert (await gateway("POST", path, body=b"", token=None)).status == 401


@pytest.fixture
async def tight(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, max_ingest_bytes=1 << 20) as running:
        yield running


async def _slow_client(gateway: RunningGateway, path: str, headers: str, begun: bytes) -> Any:
    """A connection that has sent the beginning of a large body and then nothing more."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9000000\r\n{headers}\r\n"
    writer.write(head.encode() + begun)
    await writer.drain()
    return reader, writer


async def _held_bytes(gateway: RunningGateway) -> float:
    exposition = (await gateway("GET", "/metrics")).body.decode()
    return next(float(line.split()[-1]) for line in exposition.splitlines() if line.startswith("openmanager_ingest_held_bytes"))


async def test_under_pressure_a_sender_is_asked_to_come_again(tight: RunningGateway) -> None:
    big = b"m,host=a " + b",".join(b"f%d=1" % k for k in range(30_000))
    assert (await tight("POST", INFLUX, body=big)).status == 204  # alone even more than the budget is taken

    _, writer = await _slow_client(tight, INFLUX, "", b"m a=1\n" * 150_000)

    async def is_held() -> bool:
        return await _held_bytes(tight) >= 900_000

    async def is_free() -> bool:
        return await _held_bytes(tight) == 0

    await until(is_held, 5, 0.01)

    for path, body, headers, status in (
        (INFLUX, big, {}, 429),
        (OTLP, orjson.dumps({"a": "x" * 200_000}), {"Content-Type": "application/json"}, 429),
        ("/api/v1/metrics", orjson.dumps({"a": "x" * 200_000}), {"Content-Type": "application/json"}, 429),
        (REMOTE_WRITE, compressed(bytes(300_000)), SNAPPY, 503),  # a Prometheus gives up on 429
    ):
        reply = await tight("POST", path, body=body, headers=headers)
        assert (reply.status, reply.json["reason"]) == (status, "INGEST_BUSY"), path
        assert reply.headers["retry-after"] == "1"
    assert (await tight("POST", INFLUX, body=b"m,host=a f=1")).status == 204  # what is small still fits

    writer.close()
    await until(is_free, 5, 0.01)
    assert (await tight("POST", INFLUX, body=big)).status == 204


async def test_a_client_that_never_ends_its_body_is_let_go(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, body_timeout_seconds=0.2) as gateway:
        reader, writer = await _slow_client(gateway, REMOTE_WRITE, "Content-Encoding: snappy\r\n", b"x" * 1000)
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()
        writer.close()
        assert await _held_bytes(gateway) == 0
