"""OpenTelemetry metrics into columns.

Gauges and cumulative sums are one sample a point, histograms and summaries become the series that Prometheus has for them. `host.name`
of the resource is the label `server`, `service.name` (behind `service.namespace` and a slash, if there is one) `job`, and
`service.instance.id` `instance`; other attributes of resources and the scope are left out. Points with delta temporality are
refused: adding them up would take a memory that outlives this process. So are exponential histograms, which have no such series.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from services.common.errors import InvalidArgumentError
from services.gateway.domain.batch import BadSampleError, BatchBuilder, SampleBatch
from services.gateway.domain.protocols.otlp_names import prometheus_name
from services.gateway.domain.protocols.series_labels import NAME, label_name, series_labels
from services.gateway.domain.series_table import SeriesGroup, SeriesTable

MAX_SAMPLES: Final = 1_000_000
"""Values that one request may come to."""

Attributes: TypeAlias = tuple[tuple[str, str], ...]
"""Keys and values in the order of the message, values as texts."""

(STALE,) = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))
"""Prometheus's staleness marker: the series has no value from here on."""


class MetricKind(Enum):
    """What the points of a metric are."""

    GAUGE = auto()
    COUNTER = auto()
    SUM = auto()  # one that may also fall: a gauge to Prometheus
    HISTOGRAM = auto()
    SUMMARY = auto()


@dataclass(frozen=True, slots=True)
class NumberPoint:
    """One value; None when the sender says that there is none."""

    attributes: Attributes
    time_ns: int
    value: float | None


@dataclass(frozen=True, slots=True)
class HistogramPoint:
    """A histogram: upper bounds ascending, one count more than bounds; `sum` is None when it is not told."""

    attributes: Attributes
    time_ns: int
    bounds: Sequence[float]
    counts: Sequence[int]
    count: int
    sum: float | None
    is_absent: bool = False


@dataclass(frozen=True, slots=True)
class SummaryPoint:
    """Quantiles as (quantile, value)."""

    attributes: Attributes
    time_ns: int
    quantiles: Sequence[tuple[float, float]]
    count: int
    sum: float
    is_absent: bool = False


Point: TypeAlias = NumberPoint | HistogramPoint | SummaryPoint


@dataclass(frozen=True, slots=True)
class OtlpMetric:
    """Points of one metric of one resource; a metric whose kind cannot be stored has the reason in its place, and is not read."""

    resource: Mapping[str, str]
    name: str
    unit: str
    kind: MetricKind | BadSampleError
    points: Iterable[Point]
    count: int


def to_batch(metrics: Iterable[OtlpMetric], series: SeriesTable) -> SampleBatch:
    """The samples of a request; `index_of` counts points.

    Args:
        metrics: of the request.
        series: those known so far; the new ones are added.

    Raises:
        InvalidArgumentError: too many samples (`TOO_MANY_SAMPLES`).
    """
    collector = _Collector(series)
    for metric in metrics:
        collector.add(metric)
    return collector.batch.build()


class _Collector:
    """Turns points into rows of a batch."""

    def __init__(self, series: SeriesTable) -> None:
        self.batch = BatchBuilder(series)
        self._index = 0

    def add(self, metric: OtlpMetric) -> None:
        """Add the points of a metric."""
        batch = self.batch
        if isinstance(metric.kind, BadSampleError):
            if metric.count:
                batch.refuse(self._index, metric.kind.reason, metric.kind.message, metric.count)
            self._index += metric.count
            return
        name = prometheus_name(
            metric.name, metric.unit, is_counter=metric.kind is MetricKind.COUNTER, is_gauge=metric.kind is MetricKind.GAUGE
        )
        resource = _resource_labels(metric.resource)
        host_name = metric.resource.get("host.name", "")
        for point in metric.points:
            known = len(batch.numbers)
            try:
                if not name:
                    raise BadSampleError("INVALID_NAME", "a metric has no name")
                rows = _rows(name, point)
                group = self._group(resource, host_name, point.attributes)
                for row_name, extra, value in rows:
                    batch.numbers.append(self._number(group, row_name, extra))
                    batch.values.append(value)
            except BadSampleError as error:
                del batch.numbers[known:], batch.values[known:]
                batch.refuse(self._index, error.reason, f"metric {metric.name[:100]!r}: {error.message}")
            count = len(batch.numbers) - known
            batch.timestamps_ms.extend([point.time_ns // 1_000_000] * count)
            batch.sample_index.extend([self._index] * count)
            self._index += 1
            if len(batch.numbers) > MAX_SAMPLES:
                message = f"a request may come to {MAX_SAMPLES:,} samples; send it in parts"
                raise InvalidArgumentError(message, reason="TOO_MANY_SAMPLES")

    def _group(self, resource: Attributes, host_name: str, attributes: Attributes) -> SeriesGroup:
        """The group of the series that share resource and attributes; its labels have a name of no meaning."""
        key = resource, host_name, attributes
        table = self.batch.series
        return table.groups.get(key) or table.add_group(key, series_labels(_labels(resource, attributes), host_name=host_name))

    def _number(self, group: SeriesGroup, name: str, extra: tuple[str, str] | None) -> int:
        key = name, extra
        number = group.numbers.get(key)
        if number is None:
            labels = dict(group.labels) | {NAME: name}
            if extra is not None:
                labels[extra[0]] = extra[1]
            number = group.numbers[key] = self.batch.series.number(series_labels(labels.items()))
        return number


def _rows(name: str, point: Point) -> list[tuple[str, tuple[str, str] | None, float]]:
    """What a point becomes: name of the series, a label of its own, and the value."""
    if isinstance(point, NumberPoint):
        return [(name, None, STALE if point.value is None else point.value)]
    rows: list[tuple[str, tuple[str, str] | None, float]] = []
    if isinstance(point, SummaryPoint):
        rows = [(name, ("quantile", _number_text(quantile)), value) for quantile, value in point.quantiles]
    elif point.counts:
        if len(point.counts) != len(point.bounds) + 1:
            raise BadSampleError("INVALID_HISTOGRAM", "a histogram has one count more than bounds")
        if any(low >= high for low, high in zip(point.bounds, point.bounds[1:], strict=False)):
            raise BadSampleError("INVALID_HISTOGRAM", "the bounds of a histogram ascend")
        below = 0
        for bound, count in zip(point.bounds, point.counts, strict=False):
            below += count
            rows.append((f"{name}_bucket", ("le", _number_text(bound)), float(below)))
    if isinstance(point, HistogramPoint):
        rows.append((f"{name}_bucket", ("le", "+Inf"), float(point.count)))
    if point.sum is not None:
        rows.append((f"{name}_sum", None, point.sum))
    rows.append((f"{name}_count", None, float(point.count)))
    return [(row, label, STALE) for row, label, _ in rows] if point.is_absent else rows


def _resource_labels(resource: Mapping[str, str]) -> Attributes:
    job = "/".join(part for part in (resource.get("service.namespace"), resource.get("service.name")) if part)
    return (("job", job if resource.get("service.name") else ""), ("instance", resource.get("service.instance.id", "")))


def _labels(resource: Attributes, attributes: Attributes) -> list[tuple[str, str]]:
    """Labels by their names here; attributes whose keys differ only in what a label cannot have are one, as the rules have it."""
    values: dict[str, list[tuple[str, str]]] = {}
    for key, value in attributes:
        values.setdefault(label_name(key), []).append((key, value))
    if len({key for key, _ in attributes}) < len(attributes):
        raise BadSampleError("DUPLICATE_LABEL", "an attribute is given twice")
    labels = {name: ";".join(value for _, value in sorted(given)) for name, given in values.items()}
    # Those of the resource say who sent the point, and are not overwritten by it.
    labels.update((name, value) for name, value in resource if value)
    return [(NAME, "_"), *labels.items()]


def _number_text(number: float) -> str:
    """A bound or quantile as Prometheus writes it: 0.5, 5, +Inf."""
    text = repr(float(number))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text.removesuffix(".0"))
