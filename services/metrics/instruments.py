"""What the metrics service tells about itself."""

from functools import partial
from typing import Final

from services.common.telemetry import Telemetry
from services.metrics.domain.ports import Receipt, SampleStore
from services.metrics.domain.write import Source


class Instruments:
    """Counts samples, readers and queries, and shows the figures of the store."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._samples = telemetry.counter(
            "metrics_samples_total", "Samples by source and by what became of them.", ("source", "outcome")
        )
        self.query_seconds = telemetry.histogram("metrics_query_seconds", "Time of PromQL queries by kind.", ("kind",))
        self.feed_readers = telemetry.gauge("metrics_feed_readers", "Readers of stored samples.")
        self.feed_dropped = telemetry.counter(
            "metrics_feed_dropped_samples_total", "Samples that were gone before a slow reader came to them."
        )
        self.fleet_connected = telemetry.gauge("metrics_fleet_connected", "1 while samples of the virtual fleet can come, else 0.")
        self.refused_series = telemetry.gauge(
            "metrics_collector_refused_series", "Samples of the last collection whose series the store did not take.", ("source",)
        )

    def count_receipt(self, source: Source, receipt: Receipt) -> None:
        """Count what became of a batch."""
        for outcome in ("accepted", "rejected", "duplicate", "late"):
            if count := getattr(receipt, outcome):
                self._samples.labels(source.value, outcome).inc(count)

    def show_store(self, store: SampleStore) -> None:
        """Show the figures of the store whenever they are read."""
        for name, help_text in _STORE_FIGURES.items():
            self._telemetry.gauge(f"metrics_store_{name}", help_text).set_function(partial(_figure, store, name))


_STORE_FIGURES: Final = {
    "series": "Series in the store.",
    "head_samples": "Samples in memory.",
    "head_bytes": "Memory of the samples in memory.",
    "blocks": "Compressed blocks on disk.",
    "block_samples": "Samples in compressed blocks.",
    "block_bytes": "Size of the compressed blocks.",
    "journal_bytes": "Size of the journal.",
    "cache_bytes": "Memory of decoded blocks.",
    "bad_blocks": "Blocks that failed their checksum since the start.",
    "write_failures": "Transactions that did not commit since the start.",
    "seals": "Times that samples in memory became blocks since the start.",
}
"""Fields of StoreStats."""


def _figure(store: SampleStore, name: str) -> float:
    return float(getattr(store.stats(), name))
