"""What all doors for samples share: which series are known, how much is being taken in, and the way on to the store."""

from typing import Final

from services.common.clock import Clock
from services.common.telemetry import Telemetry
from services.gateway.domain.batch import Receipt, SampleBatch
from services.gateway.domain.budget import ByteBudget, Holder
from services.gateway.domain.ports import SampleWriter
from services.gateway.domain.series_table import SeriesTable

SMALL_BYTES: Final = 8 * 1024
"""Bodies up to this size are taken apart on the event loop: a thread would cost more, and even if every series in them is new they
hold nobody up for more than some milliseconds."""


class Intake:
    """Takes batches in.

    Args:
        writer: makes them durable.
        clock: the time of samples that have none.
        telemetry: where samples are counted.
        max_bytes: memory that all requests together may take before further ones are asked to come again.
    """

    def __init__(self, writer: SampleWriter, clock: Clock, telemetry: Telemetry, max_bytes: int) -> None:
        self._writer = writer
        self._clock = clock
        self._series = SeriesTable()
        self._budget = ByteBudget(max_bytes)
        self._samples = telemetry.counter(
            "ingest_samples_total", "Values that came in, by door and by what became of them.", ("door", "outcome")
        )
        self._ignored = telemetry.counter(
            "ingest_ignored_total", "Things in requests that have no place here, such as exemplars, by door.", ("door", "kind")
        )
        self._requests = telemetry.counter(
            "ingest_batches_total", "Batches by door and by the way they were read.", ("door", "way")
        )
        telemetry.gauge("ingest_held_bytes", "Memory of requests that are being taken in.").set_function(
            lambda: self._budget.held_bytes
        )

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return round(self._clock.now() * 1000)

    def series(self) -> SeriesTable:
        """The series known so far; a new table once they take too much memory."""
        if self._series.is_full:
            self._series = SeriesTable()
        return self._series

    def holder(self) -> Holder:
        """Counts the memory of one request, and raises when there is too much of all."""
        return self._budget.holder()

    async def store(self, door: str, batch: SampleBatch, way: str = "parsed") -> Receipt:
        """Store a batch; what was accepted is durable on return."""
        receipt = await self._writer.write(batch)
        for outcome in ("accepted", "rejected", "duplicate", "late"):
            if count := getattr(receipt, outcome):
                self._samples.labels(door, outcome).inc(count)
        self._requests.labels(door, way).inc()
        return receipt

    def ignore(self, door: str, kind: str, count: int) -> None:
        """Count what was left out."""
        if count:
            self._ignored.labels(door, kind).inc(count)
