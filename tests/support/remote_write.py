"""Requests of Prometheus remote write, encoded by protobuf itself from a description of the message made here."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Mapping[str, Sequence[tuple[str, int, Any, str]]] = {
    "Label": [("name", 1, _FIELD.TYPE_STRING, ""), ("value", 2, _FIELD.TYPE_STRING, "")],
    "Sample": [("value", 1, _FIELD.TYPE_DOUBLE, ""), ("timestamp", 2, _FIELD.TYPE_INT64, "")],
    "Exemplar": [("labels", 1, _FIELD.TYPE_MESSAGE, "Label"), ("value", 2, _FIELD.TYPE_DOUBLE, "")],
    "Histogram": [("sum", 3, _FIELD.TYPE_DOUBLE, "")],
    "MetricMetadata": [("metric_family_name", 2, _FIELD.TYPE_STRING, "")],
    "TimeSeries": [
        ("labels", 1, _FIELD.TYPE_MESSAGE, "Label"),
        ("samples", 2, _FIELD.TYPE_MESSAGE, "Sample"),
        ("exemplars", 3, _FIELD.TYPE_MESSAGE, "Exemplar"),
        ("histograms", 4, _FIELD.TYPE_MESSAGE, "Histogram"),
    ],
    "WriteRequest": [
        ("timeseries", 1, _FIELD.TYPE_MESSAGE, "TimeSeries"),
        ("metadata", 3, _FIELD.TYPE_MESSAGE, "MetricMetadata"),
    ],
}


def _write_request() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="tests/remote_write.proto", package="tests.prometheus", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of in fields:
            label = _FIELD.LABEL_REPEATED if kind == _FIELD.TYPE_MESSAGE else _FIELD.LABEL_OPTIONAL
            message.field.add(
                name=field, number=number, type=kind, label=label, type_name=f".tests.prometheus.{of}" if of else None
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.prometheus.WriteRequest"))


WriteRequest = _write_request()

Series = tuple[Mapping[str, str], Sequence[tuple[float, int]]]
"""Labels, and samples as (value, Unix ms)."""


def write_request(*series: Series) -> bytes:
    """A `WriteRequest`, not compressed."""
    request = WriteRequest()
    for labels, samples in series:
        add_series(request, labels.items(), samples)
    return bytes(request.SerializeToString())


def add_series(request: Any, labels: Iterable[tuple[str, str]], samples: Iterable[tuple[float, int]]) -> Any:
    """Add a time series, labels in the order given."""
    one = request.timeseries.add()
    for name, value in labels:
        one.labels.add(name=name, value=value)
    for number, time_ms in samples:
        one.samples.add(value=number, timestamp=time_ms)
    return one


def compressed(request: bytes) -> bytes:
    """The body of the HTTP request."""
    return bytes(cramjam.snappy.compress_raw(request))
