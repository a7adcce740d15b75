"""One way into one system: load, settle, count, ask, merge."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.metrics.http_client import HttpClient
from benchmarks.metrics.ours import columns_sender, start_metrics_service
from benchmarks.metrics.queries import Latency, time_queries
from benchmarks.metrics.senders import HttpSender, Sender, send_all
from benchmarks.metrics.system import Server, System
from benchmarks.metrics.system_use import Watch
from benchmarks.metrics.wires import day_bodies
from benchmarks.metrics.workload import DAY_STEPS, METRICS, Workload

SETTLE_SECONDS = 15.0


@dataclass(frozen=True)
class Figures:
    """What was found.

    Attributes:
        way: system and wire.
        samples: acknowledged while the clock ran.
        cpu_seconds: of the server, until it was idle again.
        wall_seconds: from the first batch to the last acknowledgement.
        peak_bytes: largest resident memory.
        series_bytes: growth of resident memory from ready to its peak, for each series.
        disk_bytes: on disk for each sample, merged.
        latencies: by query; empty where there is no way to ask.
        acknowledges: what an acknowledgement means.
    """

    way: str
    samples: int
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    series_bytes: float
    disk_bytes: float
    latencies: dict[str, Latency]
    acknowledges: str

    @property
    def per_cpu_second(self) -> float:
        """Samples for each CPU second of the server."""
        return self.samples / self.cpu_seconds


def measure_http(system: System, wire: str, workload: Workload, payloads: Path, folder: Path) -> Figures:
    """Samples through an HTTP door, with the host of a whole day first, and the queries after it."""
    server, door = system.start(folder, workload), system.door(wire)

    def before() -> Sender:
        client = HttpClient(server.url, door.headers)
        for body in day_bodies(wire, workload.start_ms):
            client.post(door.path, body)
        client.close()
        return HttpSender(server.url, door.path, door.headers, payloads, wire)

    def ask() -> dict[str, Latency]:
        server.make_visible()
        queries = server.queries()
        # InfluxDB's measurements have other names than remote write's metrics where both go into the same system.
        if not asks(system, wire):
            return {}
        if (found := queries.stored(workload)) != workload.samples:
            raise RuntimeError(f"{system.name}: {found:,} of {workload.samples:,} samples are found again")
        return time_queries(queries, workload)

    extra = DAY_STEPS * METRICS
    return _measure(f"{system.name}, {wire}", server, system.acknowledges, before, ask, workload, extra, folder)


def measure_columns(workload: Workload, payloads: Path, folder: Path, *, stream: bool) -> Figures:
    """Columns over gRPC into our metrics service."""
    server = start_metrics_service(folder, workload)
    way = columns_way(stream=stream)
    return _measure(
        way, server, "fsynced", lambda: columns_sender(server, payloads, workload, stream=stream), dict, workload, 0, folder
    )


def columns_way(*, stream: bool) -> str:
    """What the report calls columns over gRPC."""
    return f"OpenManager, columns, {'stream' if stream else 'unary'}"


def asks(system: System, wire: str) -> bool:
    """Whether the queries fit what comes by this wire."""
    return system.name == "InfluxDB" or wire == "remote write"


def _measure(
    way: str,
    server: Server,
    acknowledges: str,
    before: Callable[[], Sender],
    ask: Callable[[], dict[str, Latency]],
    workload: Workload,
    extra_samples: int,
    folder: Path,
) -> Figures:
    try:
        watch = Watch(server.pid)
        sender = before()
        watch.settle(SETTLE_SECONDS)
        wall = send_all(sender, watch.start, lambda: _look(watch))
        cpu = watch.settle(SETTLE_SECONDS)
        latencies = ask()
        growth = (watch.peak_bytes - watch.ready_bytes) / workload.series
        merged = server.merged_bytes(folder) / (workload.samples + extra_samples)
        return Figures(way, workload.samples, cpu, wall, watch.peak_bytes, growth, merged, latencies, acknowledges)
    finally:
        server.stop()


def _look(watch: Watch) -> None:
    watch.look()


def new_folder(root: Path) -> Path:
    """An empty folder for a server."""
    return Path(tempfile.mkdtemp(prefix="server-", dir=root))
