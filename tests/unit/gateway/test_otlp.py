"""OpenTelemetry metrics into columns, from the messages that OpenTelemetry publishes."""

import json
import math
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from services.common.errors import InvalidArgumentError
from services.gateway.adapters.otlp_messages import OtlpMessages
from services.gateway.domain.batch import SampleBatch
from services.gateway.domain.protocols import otlp
from services.gateway.domain.protocols.otlp_names import prometheus_name
from services.gateway.domain.series_table import SeriesTable

NOW_MS = 1_700_000_000_000
NOW_NS = NOW_MS * 1_000_000
CUMULATIVE, DELTA = pb.AGGREGATION_TEMPORALITY_CUMULATIVE, pb.AGGREGATION_TEMPORALITY_DELTA
ABSENT = pb.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK


def _attributes(**values: str) -> list[KeyValue]:
    return [KeyValue(key=key.replace("__", "."), value=AnyValue(string_value=value)) for key, value in values.items()]


def _number(value: float | int | None = 1.5, *, is_absent: bool = False, **attributes: Any) -> pb.NumberDataPoint:
    flags = ABSENT if is_absent else 0
    point = pb.NumberDataPoint(time_unix_nano=NOW_NS + 999_999, attributes=_attributes(**attributes), flags=flags)
    if isinstance(value, float):
        point.as_double = value
    elif value is not None:
        point.as_int = value
    return point


def _request(*metrics: pb.Metric, **resource: str) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    one = request.resource_metrics.add()
    one.resource.attributes.extend(_attributes(**(resource or {"host__name": "h1"})))
    scope = one.scope_metrics.add()
    scope.scope.name = "some scope"
    scope.metrics.extend(metrics)
    return request


def _gauge(*points: pb.NumberDataPoint, name: str = "m", unit: str = "") -> pb.Metric:
    return pb.Metric(name=name, unit=unit, gauge=pb.Gauge(data_points=points))


def _sum(*points: pb.NumberDataPoint, temporality: Any = CUMULATIVE, monotonic: bool = True, name: str = "m") -> pb.Metric:
    return pb.Metric(name=name, sum=pb.Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=monotonic))


def _batch(request: ExportMetricsServiceRequest, series: SeriesTable | None = None) -> SampleBatch:
    table = SeriesTable() if series is None else series
    batch = otlp.to_batch(OtlpMessages().read(request.SerializeToString(), is_json=False), table)
    document = json_format.MessageToDict(request)
    in_json = otlp.to_batch(OtlpMessages().read(json.dumps(document).encode(), is_json=True), SeriesTable())
    assert _rows(in_json) == _rows(batch)
    assert in_json.errors == batch.errors
    return batch


def _rows(batch: SampleBatch) -> list[tuple[str, dict[str, str], int, float]]:
    found = []
    for row, number in enumerate(batch.numbers.tolist()):
        labels = dict(batch.series.labels[number])
        value = float(batch.values[row])
        found.append((labels.pop("__name__"), labels, int(batch.timestamps_ms[row]), value if math.isfinite(value) else 0.0))
    return found


def _errors(batch: SampleBatch) -> list[tuple[int, str]]:
    return [(error.index, error.reason) for error in batch.errors]


def test_gauges_and_sums_are_one_sample_a_point() -> None:
    batch = _batch(
        _request(
            _gauge(_number(0.75), name="system.cpu.load_average.1m", unit="{thread}"),
            _gauge(_number(0.5, state="used"), _number(0.25, state="free"), name="system.memory.utilization", unit="1"),
            _sum(_number(12, cpu="0"), name="system.cpu.time"),
            _sum(_number(-3), monotonic=False, name="system.processes.count"),
            host__name="h1",
            service__name="api",
            service__namespace="shop",
            service__instance__id="i-1",
        )
    )
    base = {"server": "h1", "job": "shop/api", "instance": "i-1"}
    assert _rows(batch) == [
        ("system_cpu_load_average_1m", base, NOW_MS, 0.75),
        ("system_memory_utilization_ratio", {**base, "state": "used"}, NOW_MS, 0.5),
        ("system_memory_utilization_ratio", {**base, "state": "free"}, NOW_MS, 0.25),
        ("system_cpu_time_total", {**base, "cpu": "0"}, NOW_MS, 12.0),
        ("system_processes_count", base, NOW_MS, -3.0),
    ]
    assert [batch.index_of(row) for row in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("system.cpu.time", "s", "counter", "system_cpu_time_seconds_total"),
        ("system.memory.usage", "By", "", "system_memory_usage_bytes"),
        ("system.network.io", "By", "counter", "system_network_io_bytes_total"),
        ("system.cpu.utilization", "1", "gauge", "system_cpu_utilization_ratio"),
        ("system.cpu.utilization", "1", "", "system_cpu_utilization"),
        ("http.server.duration", "ms", "", "http_server_duration_milliseconds"),
        ("disk.rate", "By/s", "gauge", "disk_rate_bytes_per_second"),
        ("requests", "{request}/min", "gauge", "requests_per_minute"),
        ("a.total.b", "", "counter", "a_b_total"),
        ("requests_total", "{request}", "counter", "requests_total"),
        ("time.seconds", "s", "gauge", "time_seconds"),
        ("battery", "%", "gauge", "battery_percent"),
        ("temperature", "Cel", "gauge", "temperature_celsius"),
        ("odd", "foo_bar", "gauge", "odd_foo_bar"),
        ("9lives", "", "gauge", "_9lives"),
        ("a..b--c", "", "gauge", "a_b_c"),
        ("ratio.x", "1", "gauge", "x_ratio"),
        ("{}", "", "gauge", ""),
    ],
)
def test_names_follow_the_rules_of_compatibility(name: str, unit: str, kind: str, expected: str) -> None:
    assert prometheus_name(name, unit, is_counter=kind == "counter", is_gauge=kind == "gauge") == expected


def test_a_histogram_becomes_the_series_that_prometheus_has_for_it() -> None:
    point = pb.HistogramDataPoint(
        time_unix_nano=NOW_NS, count=10, sum=42.5, bucket_counts=[1, 2, 3, 4], explicit_bounds=[0.5, 5, 10], min=1, max=2
    )
    bare = pb.HistogramDataPoint(time_unix_nano=NOW_NS, count=3, attributes=_attributes(route="/"))
    metric = pb.Metric(
        name="latency", unit="s", histogram=pb.Histogram(data_points=[point, bare], aggregation_temporality=CUMULATIVE)
    )
    batch = _batch(_request(metric))
    h1, root = {"server": "h1"}, {"server": "h1", "route": "/"}
    assert [(name, labels, value) for name, labels, _, value in _rows(batch)] == [
        ("latency_seconds_bucket", {**h1, "le": "0.5"}, 1.0),
        ("latency_seconds_bucket", {**h1, "le": "5"}, 3.0),
        ("latency_seconds_bucket", {**h1, "le": "10"}, 6.0),
        ("latency_seconds_bucket", {**h1, "le": "+Inf"}, 10.0),
        ("latency_seconds_sum", h1, 42.5),
        ("latency_seconds_count", h1, 10.0),
        ("latency_seconds_bucket", {**root, "le": "+Inf"}, 3.0),
        ("latency_seconds_count", root, 3.0),
    ]
    assert [batch.index_of(row) for row in range(8)] == [0] * 6 + [1] * 2


def test_a_summary_becomes_the_series_that_prometheus_has_for_it() -> None:
    point = pb.SummaryDataPoint(time_unix_nano=NOW_NS, count=10, sum=42.5)
    point.quantile_values.add(quantile=0.5, value=3.0)
    point.quantile_values.add(quantile=1, value=9.0)
    batch = _batch(_request(pb.Metric(name="latency", unit="ms", summary=pb.Summary(data_points=[point]))))
    h1 = {"server": "h1"}
    assert [(name, labels, value) for name, labels, _, value in _rows(batch)] == [
        ("latency_milliseconds", {**h1, "quantile": "0.5"}, 3.0),
        ("latency_milliseconds", {**h1, "quantile": "1"}, 9.0),
        ("latency_milliseconds_sum", h1, 42.5),
        ("latency_milliseconds_count", h1, 10.0),
    ]


def test_what_cannot_be_stored_is_refused_point_by_point() -> None:
    bad_histogram = pb.HistogramDataPoint(time_unix_nano=NOW_NS, count=1, bucket_counts=[1, 2], explicit_bounds=[1, 2])
    unsorted = pb.HistogramDataPoint(time_unix_nano=NOW_NS, count=1, bucket_counts=[1, 2, 3], explicit_bounds=[2, 1])
    named = _number(1.0)
    named.attributes.append(KeyValue(key="__name__", value=AnyValue(string_value="x")))
    exponential = pb.ExponentialHistogramDataPoint(time_unix_nano=NOW_NS, count=1)
    batch = _batch(
        _request(
            _gauge(_number(1.0)),
            _sum(_number(1), _number(2), temporality=DELTA),
            _sum(_number(1), temporality=pb.AGGREGATION_TEMPORALITY_UNSPECIFIED),
            pb.Metric(name="h", histogram=pb.Histogram(data_points=[bad_histogram, unsorted], aggregation_temporality=CUMULATIVE)),
            pb.Metric(name="d", histogram=pb.Histogram(data_points=[unsorted], aggregation_temporality=DELTA)),
            pb.Metric(
                name="e",
                exponential_histogram=pb.ExponentialHistogram(data_points=[exponential], aggregation_temporality=CUMULATIVE),
            ),
            _gauge(_number(1.0), name=""),
            _gauge(named),
            pb.Metric(name="nothing"),
            _gauge(_number(2.0), name="last"),
        )
    )
    assert [(row[0], row[3]) for row in _rows(batch)] == [("m", 1.0), ("last", 2.0)]
    assert [batch.index_of(row) for row in range(2)] == [0, 10]
    assert _errors(batch) == [
        (1, "UNSUPPORTED_TEMPORALITY"),
        (3, "UNSUPPORTED_TEMPORALITY"),
        (4, "INVALID_HISTOGRAM"),
        (5, "INVALID_HISTOGRAM"),
        (6, "UNSUPPORTED_TEMPORALITY"),
        (7, "UNSUPPORTED_METRIC"),
        (8, "INVALID_NAME"),
        (9, "DUPLICATE_LABEL"),
    ]
    assert batch.rejected == 9


def test_no_recorded_value_marks_the_end_of_the_series() -> None:
    gone = pb.HistogramDataPoint(time_unix_nano=NOW_NS, flags=ABSENT)
    batch = _batch(
        _request(
            _gauge(_number(None, is_absent=True), _number(None, a="1")),
            pb.Metric(name="h", histogram=pb.Histogram(data_points=[gone], aggregation_temporality=CUMULATIVE)),
        )
    )
    assert [row[0] for row in _rows(batch)] == ["m", "m", "h_bucket", "h_count"]
    assert np.asarray(batch.values).view(np.uint64).tolist() == [0x7FF0000000000002] * 4


def test_attributes_become_labels() -> None:
    point = _number(1.0)
    point.attributes.extend(
        [
            KeyValue(key="http.status", value=AnyValue(int_value=200)),
            KeyValue(key="ok", value=AnyValue(bool_value=True)),
            KeyValue(key="ratio", value=AnyValue(double_value=0.5)),
            KeyValue(key="raw", value=AnyValue(bytes_value=b"\x01\x02")),
            KeyValue(
                key="list", value=AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="é"), AnyValue(int_value=1)]))
            ),
            KeyValue(
                key="map", value=AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=AnyValue(bool_value=False))]))
            ),
            KeyValue(key="none"),
            KeyValue(key="a.b", value=AnyValue(string_value="1")),
            KeyValue(key="a-b", value=AnyValue(string_value="2")),
        ]
    )
    ((_, labels, _, _),) = _rows(_batch(_request(_gauge(point))))
    assert labels == {
        "server": "h1",
        "http_status": "200",
        "ok": "true",
        "ratio": "0.5",
        "raw": "AQI=",
        "list": '["é",1]',
        "map": '{"a":false}',
        "a_b": "2;1",
    }


def test_an_attribute_given_twice_is_refused() -> None:
    point = _number(1.0)
    point.attributes.extend([*_attributes(a="1"), *_attributes(a="2")])
    assert _errors(_batch(_request(_gauge(point)))) == [(0, "DUPLICATE_LABEL")]


@pytest.mark.parametrize(
    ("resource", "attributes", "server"),
    [
        ({"host__name": "r"}, {"server": "s"}, "s"),
        ({"host__name": "r"}, {"host": "h"}, "r"),
        ({"service__name": "x"}, {"host__name": "p"}, "p"),
        ({"service__name": "x", "service__instance__id": "i:80"}, {}, "i"),
        ({"service__name": "x"}, {}, None),
    ],
)
def test_the_server_is_that_of_the_resource_unless_a_label_says_otherwise(
    resource: dict[str, Any], attributes: dict[str, Any], server: str | None
) -> None:
    ((_, labels, _, _),) = _rows(_batch(_request(_gauge(_number(1.0, **attributes)), **resource)))
    assert labels.get("server") == server


def test_json_has_integers_as_texts_or_numbers_and_enums_by_name_or_number() -> None:
    def body(time: Any, value: Any, temporality: Any) -> bytes:
        point = {"timeUnixNano": time, "asInt": value, "exemplars": [{"spanId": "0102030405060708", "traceId": "0" * 32}]}
        metric = {
            "name": "m",
            "sum": {"dataPoints": [point], "aggregationTemporality": temporality, "isMonotonic": True},
            "new": {},
        }
        resource = {"attributes": [{"key": "host.name", "value": {"stringValue": "h"}}], "unknownField": [1]}
        return json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}).encode()

    for time, value, temporality in ((str(NOW_NS), "7", 2), (NOW_NS, 7, "AGGREGATION_TEMPORALITY_CUMULATIVE")):
        batch = otlp.to_batch(OtlpMessages().read(body(time, value, temporality), is_json=True), SeriesTable())
        assert _rows(batch) == [("m_total", {"server": "h"}, NOW_MS, 7.0)]


@pytest.mark.parametrize(
    ("body", "is_json", "reason"),
    [
        (b"\xff\xff", False, "INVALID_PROTOBUF"),
        (b"\x0a\x05ab", False, "INVALID_PROTOBUF"),
        (b"", True, "INVALID_JSON"),
        (b"[]", True, "INVALID_JSON"),
        (b"null", True, "INVALID_JSON"),
        (b'{"resourceMetrics": 5}', True, "INVALID_JSON"),
        (b'{"resourceMetrics": [null]}', True, "INVALID_JSON"),
        (b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": 5}]}]}]}', True, "INVALID_JSON"),
        (b'{"resourceMetrics":' + b'[{"resource":' * 60 + b"1" + b"}]" * 60 + b"}", True, "INVALID_JSON"),
        (
            b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [{"timeUnixNano": "x"}]}}]}]}]}',
            True,
            "INVALID_JSON",
        ),
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes, is_json: bool, reason: str) -> None:
    with pytest.raises(InvalidArgumentError) as error:
        list(OtlpMessages().read(body, is_json=is_json))
    assert error.value.reason == reason


def test_answers_are_in_the_form_of_the_request() -> None:
    messages = OtlpMessages()
    response = ExportMetricsServiceResponse.FromString(messages.answer(3, "why", is_json=False))
    assert (response.partial_success.rejected_data_points, response.partial_success.error_message) == (3, "why")
    assert json.loads(messages.answer(3, "why", is_json=True)) == {
        "partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "why"}
    }
    assert messages.answer(0, "", is_json=False) == b""
    assert json.loads(messages.answer(0, "", is_json=True)) == {}


def test_too_much_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "MAX_SAMPLES", 5)
    with pytest.raises(InvalidArgumentError) as error:
        _batch(_request(_gauge(*[_number(1.0, k=str(k)) for k in range(6)])))
    assert error.value.reason == "TOO_MANY_SAMPLES"


def test_series_are_known_again() -> None:
    series = SeriesTable()
    request = _request(_gauge(_number(1.0, a="1"), _number(1.0, a="2")), _sum(_number(3)))
    assert [_batch(request, series).numbers.tolist() for _ in range(3)] == [[0, 1, 2]] * 3
