"""Whatever comes instead of OTLP is either samples or an error of ours, in protobuf and in JSON."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from services.common.errors import InvalidArgumentError
from services.gateway.adapters.otlp_messages import OtlpMessages
from services.gateway.domain.batch import SampleBatch
from services.gateway.domain.protocols.otlp import to_batch
from services.gateway.domain.series_table import SeriesTable

TEXTS = st.text(max_size=6) | st.sampled_from(["host.name", "service.name", "__name__", "le"])
NUMBERS = st.integers(-(2**63), 2**63 - 1)
TIMES = st.integers(0, 2**64 - 1)
KINDS = st.sampled_from(["gauge", "sum", "histogram", "summary", "exponential_histogram"])
# As JSON may have it, and as it should not.
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
FIELDS = st.sampled_from(
    [
        "resourceMetrics",
        "resource",
        "attributes",
        "key",
        "value",
        "stringValue",
        "arrayValue",
        "values",
        "scopeMetrics",
        "metrics",
        "name",
        "unit",
        "gauge",
        "sum",
        "histogram",
        "dataPoints",
        "timeUnixNano",
        "asDouble",
        "asInt",
        "aggregationTemporality",
        "bucketCounts",
        "flags",
    ]
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=25
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    request = ExportMetricsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        resource = request.resource_metrics.add()
        for key in draw(st.lists(TEXTS, max_size=2)):
            resource.resource.attributes.add(key=key).value.string_value = draw(TEXTS)
        for kind in draw(st.lists(KINDS, max_size=3)):
            metric = resource.scope_metrics.add().metrics.add(
                name=draw(TEXTS), unit=draw(st.sampled_from(["", "By", "1", "{x}/s", "/"]))
            )
            _fill(draw, metric, kind)
    return request.SerializeToString()


def _fill(draw: st.DrawFn, metric: pb.Metric, kind: str) -> None:
    data: Any = getattr(metric, kind)
    data.SetInParent()
    if hasattr(data, "aggregation_temporality"):
        data.aggregation_temporality = draw(st.integers(0, 2))
    for _ in range(draw(st.integers(0, 2))):
        point = data.data_points.add(time_unix_nano=draw(TIMES), flags=draw(st.integers(0, 3)))
        for key in draw(st.lists(TEXTS, max_size=2)):
            point.attributes.add(key=key).value.int_value = draw(NUMBERS)
        if kind in ("gauge", "sum"):
            point.as_double = draw(st.floats())
        elif kind == "histogram":
            point.bucket_counts.extend(draw(st.lists(TIMES, max_size=3)))
            point.explicit_bounds.extend(draw(st.lists(st.floats(), max_size=3)))
            point.count = draw(TIMES)
        elif kind == "summary":
            point.quantile_values.add(quantile=draw(st.floats()), value=draw(st.floats()))


def _batch(body: bytes, *, is_json: bool) -> SampleBatch:
    batch = to_batch(OtlpMessages().read(body, is_json=is_json), SeriesTable())
    assert len(batch.numbers) == len(batch.timestamps_ms) == len(batch.values)
    assert batch.rejected >= len(batch.errors)
    return batch


@settings(max_examples=300, deadline=None)
@given(body=requests())
def test_every_request_becomes_samples(body: bytes) -> None:
    _batch(body, is_json=False)


@settings(max_examples=400, deadline=None)
@given(body=requests() | st.binary(max_size=80), flips=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=4))
def test_damaged_requests_are_refused_or_read(body: bytes, flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(body)
    for at, byte in flips:
        if damaged:
            damaged[at % len(damaged)] = byte
    try:
        _batch(bytes(damaged), is_json=False)
    except InvalidArgumentError as error:
        assert error.reason == "INVALID_PROTOBUF"  # noqa: PT017  either outcome is right


@settings(max_examples=600, deadline=None)
@given(document=DOCUMENTS)
def test_any_json_is_refused_or_read(document: Any) -> None:
    try:
        _batch(json.dumps(document).encode(), is_json=True)
    except InvalidArgumentError as error:
        assert error.reason == "INVALID_JSON"  # noqa: PT017  either outcome is right


@pytest.mark.parametrize("time", ["99999999999999999999", -1, 1.5, "x", 2**70])
def test_times_out_of_range_are_refused(time: Any) -> None:
    point = {"timeUnixNano": time, "asDouble": 1}
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [point]}}]}]}]}
    body = json.dumps(document).encode()
    with pytest.raises(InvalidArgumentError):
        _batch(body, is_json=True)
