"""What the store on InfluxDB tells about itself."""

from services.common.telemetry import Telemetry


class InfluxInstruments:
    """Times requests, counts samples, and shows whether InfluxDB answers."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._seconds = telemetry.histogram(
            "metrics_influxdb_request_seconds", "Time of requests to InfluxDB by kind and outcome.", ("kind", "outcome")
        )
        self.written = telemetry.counter("metrics_influxdb_written_samples_total", "Samples that InfluxDB acknowledged.")
        self.refused = telemetry.counter("metrics_influxdb_refused_samples_total", "Samples that InfluxDB did not take.")
        self.up = telemetry.gauge("metrics_influxdb_up", "1 when the last request to InfluxDB was answered, else 0.")

    def observe(self, kind: str, outcome: str, seconds: float) -> None:
        """Note a request."""
        self._seconds.labels(kind, outcome).observe(seconds)
        if outcome != "given_up":
            self.up.set(0 if outcome == "failed" else 1)
