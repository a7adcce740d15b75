"""OpenManager: the suite in one process behind HTTP, and the metrics service of the split stack over gRPC."""

import asyncio
import os
from pathlib import Path
from typing import Final

import grpc
import numpy as np

from benchmarks.bench_ingest import NO_OTHER_WORK
from benchmarks.metrics.queries import PromQlQueries, Queries
from benchmarks.metrics.senders import ColumnsSender
from benchmarks.metrics.system import Door, Server, System
from benchmarks.metrics.system_use import disk_bytes
from benchmarks.metrics.wires import HEADERS, LINES
from benchmarks.metrics.workload import JOB, METRICS, Workload, host_name, metric_name
from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1 import metrics_pb2_grpc
from services.metrics.adapters.embedded import EmbeddedStore
from tests.support.stack import TOKEN, Process, base_environment

PROFILE_VARIABLE: Final = "OPENMANAGER_BENCH_PROFILE"
"""Folder to write profiles of our servers into; they are slower under it."""
AUTHORIZATION: Final = {"Authorization": f"Bearer {TOKEN}"}
_REGISTER_SERIES: Final = 20_000


class _OurServer(Server):
    def __init__(self, module: str, folder: Path, workload: Workload) -> None:
        limits = {"OPENMANAGER_METRICS_MAX_SERIES": str(max(1_000_000, 2 * workload.series))}
        environment = base_environment(folder, OPENMANAGER_METRICS_LISTEN="127.0.0.1:0", **NO_OTHER_WORK, **limits)
        if profiles := os.environ.get(PROFILE_VARIABLE):
            environment |= {PROFILE_VARIABLE: str(Path(profiles).resolve() / f"{folder.name}.prof"), f"{PROFILE_VARIABLE}D": module}
            module = "benchmarks.metrics.profiled"
        self._folder, self._running = folder, True
        self._process = Process(module, environment, folder.with_suffix(".log"))
        self.pid, self.headers = self._process.pid, AUTHORIZATION
        try:
            self.url = self._process.wait_ready()
        except BaseException:
            self._process.kill()
            raise

    def queries(self) -> Queries:
        return PromQlQueries(self.url, AUTHORIZATION, "/prometheus")

    def merged_bytes(self, folder: Path) -> int:
        self.stop()
        asyncio.run(_merge(folder / "metrics"))
        return disk_bytes(folder / "metrics")

    def stop(self) -> None:
        if self._running:
            self._running = False
            self._process.stop()


class AllInOne(System):
    """What `openmanager up` runs."""

    name = "OpenManager"
    acknowledges = "fsynced"

    def missing(self) -> str | None:
        return None

    def start(self, folder: Path, workload: Workload) -> Server:
        return _OurServer("services.all_in_one", folder, workload)

    def door(self, wire: str) -> Door:
        path = "/influx/write" if wire == LINES else "/prometheus/api/v1/write"
        return Door(path, wire, HEADERS[wire] | AUTHORIZATION)


def start_metrics_service(folder: Path, workload: Workload) -> Server:
    """The metrics service alone, listening for gRPC over TCP."""
    return _OurServer("services.metrics", folder, workload)


def columns_sender(server: Server, payloads: Path, workload: Workload, *, stream: bool) -> ColumnsSender:
    """Registers every series, which a writer does once."""
    series = [
        label_pb2.LabelSet(
            labels=[
                label_pb2.Label(name=name, value=value)
                for name, value in (("__name__", metric_name(metric)), ("job", JOB), ("server", host_name(host)))
            ]
        )
        for host in range(workload.hosts)
        for metric in range(METRICS)
    ]
    ids, store_id = [], ""
    with grpc.insecure_channel(server.url) as channel:
        stub = metrics_pb2_grpc.MetricsServiceStub(channel)
        for first in range(0, len(series), _REGISTER_SERIES):
            answer = stub.RegisterSeries(pb.RegisterSeriesRequest(series=series[first : first + _REGISTER_SERIES]), timeout=60)
            ids.append(np.frombuffer(answer.ids, "<u8").astype(np.uint64))
            store_id = answer.store_id
    return ColumnsSender(server.url, store_id, np.concatenate(ids), payloads, workload, stream)


async def _merge(folder: Path) -> None:
    store = await EmbeddedStore.open(folder)
    try:
        await store.compact()
    finally:
        await store.close()
