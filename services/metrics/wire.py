"""Between protobuf messages and the values of the domain."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from google.protobuf import timestamp_pb2

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2 as pb
from services.common.errors import FieldError, InvalidArgumentError
from services.metrics.domain.concepts import Concept, Formula, FormulaKind
from services.metrics.domain.health import Health
from services.metrics.domain.inventory import ServerState
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS, Columns, Labels, RowError
from services.metrics.domain.promql import InstantResult, Matrix, Scalar, Text, Vector

_HEALTH: Final = {
    Health.OK: pb.HEALTH_OK,
    Health.WARNING: pb.HEALTH_WARNING,
    Health.CRITICAL: pb.HEALTH_CRITICAL,
    Health.UNKNOWN: pb.HEALTH_UNKNOWN,
}
_FORMULA_KINDS: Final = {
    FormulaKind.GAUGE: pb.FORMULA_KIND_GAUGE,
    FormulaKind.COUNTERS: pb.FORMULA_KIND_COUNTERS,
    FormulaKind.EXPRESSION: pb.FORMULA_KIND_EXPRESSION,
}


def columns_of(message: label_pb2.SampleColumns, *, max_samples: int) -> Columns:
    """The samples of a message, without a copy.

    Raises:
        InvalidArgumentError: columns of different lengths or of a length that is no whole number of values (`INVALID_COLUMNS`), or
            too many samples (`TOO_MANY_SAMPLES`).
    """
    # Each column is taken out once, for every look at a bytes field copies it.
    series_ids, timestamps_ms, values = message.series_ids, message.timestamps_ms, message.values
    lengths = {"series_ids": len(series_ids), "timestamps_ms": len(timestamps_ms), "values": len(values)}
    problems = [
        FieldError(f"samples.{name}", f"{length} bytes are not a whole number of 8-byte values")
        for name, length in lengths.items()
        if length % 8
    ]
    if not problems and len(set(lengths.values())) != 1:
        told = ", ".join(f"{length // 8} {name}" for name, length in lengths.items())
        problems.append(FieldError("samples", f"columns differ in length: {told}"))
    if problems:
        raise InvalidArgumentError(f"{problems[0].field}: {problems[0].message}", reason="INVALID_COLUMNS", fields=problems)
    count = lengths["values"] // 8
    if count > max_samples:
        message_text = f"{count} samples; at most {max_samples} a call are taken, so send them in parts"
        raise InvalidArgumentError(message_text, reason="TOO_MANY_SAMPLES", fields=[FieldError("samples", message_text)])
    return Columns(
        np.frombuffer(series_ids, "<u8").astype(np.uint64, copy=False),
        np.frombuffer(timestamps_ms, "<i8").astype(np.int64, copy=False),
        np.frombuffer(values, "<f8").astype(np.float64, copy=False),
    )


def columns_message(columns: Columns) -> label_pb2.SampleColumns:
    """The message that holds these samples."""
    return label_pb2.SampleColumns(
        series_ids=columns.ids.astype("<u8", copy=False).tobytes(),
        timestamps_ms=columns.timestamps_ms.astype("<i8", copy=False).tobytes(),
        values=columns.values.astype("<f8", copy=False).tobytes(),
    )


def pairs_of(labels: Iterable[label_pb2.Label]) -> Labels:
    """Names and values in the order of the message."""
    return tuple([(label.name, label.value) for label in labels])


def label_messages(labels: Labels) -> list[label_pb2.Label]:
    """One message a label."""
    return [label_pb2.Label(name=name, value=value) for name, value in labels]


def label_sets(series: Iterable[Labels]) -> list[label_pb2.LabelSet]:
    """One message a series."""
    return [label_pb2.LabelSet(labels=label_messages(labels)) for labels in series]


def definitions(series: Iterable[tuple[int, Labels]]) -> list[label_pb2.SeriesDefinition]:
    """One message a series, with its id."""
    return [label_pb2.SeriesDefinition(id=series_id, labels=label_messages(labels)) for series_id, labels in series]


def row_errors(errors: Sequence[RowError]) -> list[pb.RowError]:
    """One message a refused row."""
    return [pb.RowError(index=error.index, reason=error.reason.value, message=error.message) for error in errors]


def milliseconds_of(time: timestamp_pb2.Timestamp) -> int:
    """Unix time in milliseconds, kept within what the store can look for."""
    return min(max(time.seconds * 1000 + time.nanos // 1_000_000, MIN_TIME_MS), MAX_TIME_MS)


def timestamp_message(time_ms: int) -> timestamp_pb2.Timestamp:
    """The message for a Unix time in milliseconds."""
    return timestamp_pb2.Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)


def query_response(result: InstantResult) -> pb.QueryResponse:
    """The value of an expression at one instant."""
    response = pb.QueryResponse(samples_read=result.samples_read)
    match result.value:
        case Vector() as vector:
            # An empty vector is a vector too, so the field is set even when it holds nothing.
            response.vector.SetInParent()
            response.vector.series.extend(label_sets(vector.labels))
            response.vector.timestamps_ms = vector.timestamps_ms.astype("<i8", copy=False).tobytes()
            response.vector.values = vector.values.astype("<f8", copy=False).tobytes()
        case Scalar() as scalar:
            response.scalar.CopyFrom(pb.Scalar(timestamp_ms=scalar.timestamp_ms, value=scalar.value))
        case Text() as text:
            response.text.CopyFrom(pb.Text(timestamp_ms=text.timestamp_ms, value=text.value))
        case Matrix() as matrix:
            response.matrix.CopyFrom(matrix_message(matrix))
    return response


def matrix_message(matrix: Matrix) -> pb.Matrix:
    """One row a series."""
    timestamps_ms = matrix.timestamps_ms.astype("<i8", copy=False)
    values = matrix.values.astype("<f8", copy=False)
    bounds = zip(matrix.offsets[:-1].tolist(), matrix.offsets[1:].tolist(), strict=True)
    return pb.Matrix(
        rows=[
            pb.MatrixRow(
                labels=label_pb2.LabelSet(labels=label_messages(labels)),
                timestamps_ms=timestamps_ms[low:high].tobytes(),
                values=values[low:high].tobytes(),
            )
            for labels, (low, high) in zip(matrix.labels, bounds, strict=True)
        ]
    )


def server_message(state: ServerState) -> pb.Server:
    """One server."""
    return pb.Server(
        name=state.name,
        role=state.role,
        health=_HEALTH[state.health],
        last_seen=timestamp_message(state.last_seen_ms),
        labels=label_messages(state.labels),
        metrics=state.metrics,
        expressions=state.expressions,
        reasons=state.reasons,
    )


def concept_message(concept: Concept, present: Callable[[Formula], bool]) -> pb.Concept:
    """One concept; `present` says whether the store has what a formula needs."""
    formulas = [
        pb.Formula(
            source=formula.source,
            kind=_FORMULA_KINDS[formula.kind],
            selectors=formula.selectors,
            template=formula.template,
            present=present(formula),
        )
        for formula in concept.formulas
    ]
    return pb.Concept(name=concept.name, unit=concept.unit, formulas=formulas)
