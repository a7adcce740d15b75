"""OTLP messages, in protobuf or JSON, into the metrics of the domain, and the answer back."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from services.common.errors import InvalidArgumentError
from services.gateway.domain.batch import BadSampleError
from services.gateway.domain.protocols.otlp import (
    Attributes,
    HistogramPoint,
    MetricKind,
    NumberPoint,
    OtlpMetric,
    Point,
    SummaryPoint,
)
from services.gateway.domain.protocols.protobuf_wire import BYTES, WireError, fields

_ABSENT: Final = pb.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_RESOURCE_METRICS: Final = 1  # of the request
_RESOURCE: Final = 1  # of ResourceMetrics
_SCOPE_METRICS: Final = 2
_METRICS: Final = 2  # of ScopeMetrics
_MAX_JSON_DEPTH: Final = 32
_CUMULATIVE: Final = pb.AGGREGATION_TEMPORALITY_CUMULATIVE


class OtlpMessages:
    """Reads requests and writes answers, each in the form that the client speaks."""

    def read(self, body: bytes, *, is_json: bool) -> Iterator[OtlpMetric]:
        """The metrics of a request as they are read.

        Raises, also on the way:
            InvalidArgumentError: it is no `ExportMetricsServiceRequest` (`INVALID_PROTOBUF`, `INVALID_JSON`).
        """
        return _json_metrics(body) if is_json else _protobuf_metrics(body)

    def answer(self, rejected: int, message: str, *, is_json: bool) -> bytes:
        """The answer to a request that was taken, but for so many points.

        Args:
            rejected: points that were refused.
            message: why, for a person; empty when there is nothing to say.
            is_json: whether the client speaks JSON.
        """
        response = ExportMetricsServiceResponse()
        if rejected or message:
            response.partial_success.rejected_data_points = rejected
            response.partial_success.error_message = message
        return json_format.MessageToJson(response, indent=None).encode() if is_json else response.SerializeToString()


def _protobuf_metrics(body: bytes) -> Iterator[OtlpMetric]:
    """The metrics one by one: a large request read at once would be a large call into C, in which no other thread runs."""
    try:
        for begin, end in _messages(body, 0, len(body), _RESOURCE_METRICS):
            message = Resource()
            for start, stop in _messages(body, begin, end, _RESOURCE):
                message.MergeFromString(body[start:stop])
            resource = dict(_attributes(message.attributes))
            for scope_begin, scope_end in _messages(body, begin, end, _SCOPE_METRICS):
                for start, stop in _messages(body, scope_begin, scope_end, _METRICS):
                    yield _metric(resource, pb.Metric.FromString(body[start:stop]))
    except (DecodeError, WireError):
        message_text = "the body is no ExportMetricsServiceRequest in protobuf"
        raise InvalidArgumentError(message_text, reason="INVALID_PROTOBUF") from None


def _messages(body: bytes, begin: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    """Where the messages in a field of this number begin and end."""
    for found, kind, start, stop in fields(body, begin, end):
        if found == number:
            if kind != BYTES:
                raise WireError("this field is a message")
            yield start, stop


def _json_metrics(body: bytes) -> Iterator[OtlpMetric]:
    """As OTLP has JSON: field names in lowerCamelCase, 64-bit integers as texts or numbers, fields that are not known left out."""
    request = ExportMetricsServiceRequest()
    try:
        document = orjson.loads(body)
        if type(document) is not dict:
            raise ValueError("it must be an object")
        json_format.ParseDict(document, request, ignore_unknown_fields=True, max_recursion_depth=_MAX_JSON_DEPTH)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, json_format.ParseError) as error:
        message = f"the body is no ExportMetricsServiceRequest in JSON: {error}"
        raise InvalidArgumentError(message[:300], reason="INVALID_JSON") from None
    for resource_metrics in request.resource_metrics:
        resource = dict(_attributes(resource_metrics.resource.attributes))
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                yield _metric(resource, metric)


def _metric(resource: Mapping[str, str], metric: pb.Metric) -> OtlpMetric:
    kind, data = _kind(metric)
    points = () if isinstance(kind, BadSampleError) else _points(data)
    return OtlpMetric(resource, metric.name, metric.unit, kind, points, len(data.data_points) if data is not None else 0)


def _kind(metric: pb.Metric) -> tuple[MetricKind | BadSampleError, Any]:
    """What the points are, and the message that holds them; None when there is none."""
    match metric.WhichOneof("data"):
        case "gauge":
            return MetricKind.GAUGE, metric.gauge
        case "sum":
            kind = MetricKind.COUNTER if metric.sum.is_monotonic else MetricKind.SUM
            return _if_cumulative(kind, metric, metric.sum), metric.sum
        case "histogram":
            return _if_cumulative(MetricKind.HISTOGRAM, metric, metric.histogram), metric.histogram
        case "summary":
            return MetricKind.SUMMARY, metric.summary
        case "exponential_histogram":
            problem = f"metric {metric.name[:100]!r} is an exponential histogram; send one with explicit bounds"
            return BadSampleError("UNSUPPORTED_METRIC", problem), metric.exponential_histogram
    return MetricKind.GAUGE, None


def _if_cumulative(kind: MetricKind, metric: pb.Metric, data: pb.Sum | pb.Histogram) -> MetricKind | BadSampleError:
    if data.aggregation_temporality == _CUMULATIVE:
        return kind
    name = pb.AggregationTemporality.Name(data.aggregation_temporality) if data.aggregation_temporality in (0, 1) else "unknown"
    told = name.removeprefix("AGGREGATION_TEMPORALITY_").lower()
    problem = f"metric {metric.name[:100]!r} has {told} temporality; only cumulative is taken, as the processor deltatocumulative makes it"
    return BadSampleError("UNSUPPORTED_TEMPORALITY", problem)


def _points(data: Any) -> Iterator[Point]:
    if data is None:
        return
    for point in data.data_points:
        attributes = _attributes(point.attributes)
        is_absent = bool(point.flags & _ABSENT)
        time_ns = point.time_unix_nano
        if isinstance(point, pb.NumberDataPoint):
            value = None if is_absent else _number(point)
            yield NumberPoint(attributes, time_ns, value)
        elif isinstance(point, pb.HistogramDataPoint):
            total = point.sum if point.HasField("sum") else None
            yield HistogramPoint(attributes, time_ns, point.explicit_bounds, point.bucket_counts, point.count, total, is_absent)
        else:
            quantiles = [(each.quantile, each.value) for each in point.quantile_values]
            yield SummaryPoint(attributes, time_ns, quantiles, point.count, point.sum, is_absent)


def _number(point: pb.NumberDataPoint) -> float | None:
    kind = point.WhichOneof("value")
    if kind is None:
        return None
    return point.as_double if kind == "as_double" else float(point.as_int)


def _attributes(attributes: Iterable[KeyValue]) -> Attributes:
    return tuple([(each.key, each.value.string_value or _text(each.value)) for each in attributes])


def _text(value: AnyValue) -> str:
    """The value of an attribute as the specification has it for systems that know texts alone."""
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_plain(each) for each in value.array_value.values]
        case "kvlist_value":
            return {each.key: _plain(each.value) for each in value.kvlist_value.values}
        case "bytes_value":
            return b64encode(value.bytes_value).decode()
        case None:
            return ""
        case kind:
            return getattr(value, kind)
