"""What remote write out tells about itself."""

from typing import Final

from services.common.telemetry import Telemetry

SENT: Final = "sent"
REFUSED: Final = "refused"
OVERFLOW: Final = "overflow"
QUEUE_FAILED: Final = "queue_failed"
FORGOTTEN: Final = "forgotten"


class RemoteWriteInstruments:
    """Counts samples and requests, and shows the queue."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.samples = telemetry.counter(
            "metrics_remote_write_samples_total",
            "Samples by what became of them: sent; refused by the receiver; dropped since the queue was full (overflow) or could not "
            "be written (queue_failed); of series that are deleted by now (forgotten).",
            ("outcome",),
        )
        self.requests = telemetry.histogram("metrics_remote_write_request_seconds", "Time of requests by outcome.", ("outcome",))
        self.up = telemetry.gauge("metrics_remote_write_up", "1 when the receiver took the last request, else 0.")
        self.queued_samples = telemetry.gauge("metrics_remote_write_queued_samples", "Samples that wait to be sent.")
        self.queued_bytes = telemetry.gauge(
            "metrics_remote_write_queued_bytes", "Size of what waits to be sent, compressed on disk."
        )
        for outcome in (SENT, REFUSED, OVERFLOW, QUEUE_FAILED, FORGOTTEN):
            self.samples.labels(outcome).inc(0)
