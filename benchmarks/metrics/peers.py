"""VictoriaMetrics, Prometheus and InfluxDB, from Debian: found on PATH or below the folder OPENMANAGER_BENCH_PEERS/usr/bin."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.metrics.http_client import HttpClient
from benchmarks.metrics.queries import InfluxQueries, PromQlQueries, Queries
from benchmarks.metrics.system import Door, Server, System
from benchmarks.metrics.system_use import Watch, disk_bytes
from benchmarks.metrics.wires import HEADERS, LINES
from benchmarks.metrics.workload import Workload

FOLDER_VARIABLE: Final = "OPENMANAGER_BENCH_PEERS"
_START_SECONDS: Final = 40.0
_STOP_SECONDS: Final = 20.0
_MERGE_SECONDS: Final = 30.0
_COLD_SECONDS: Final = 12.0
_DATABASE: Final = "bench"


def find_binary(name: str) -> str | None:
    """The program's file, if there is one."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return (shutil.which(name, path=str(Path(folder) / "usr" / "bin")) if folder else None) or shutil.which(name)


class _Peer(Server):
    """A program that listens for HTTP on loopback."""

    def __init__(self, command: Sequence[str], log: Path, address: str, environment: Mapping[str, str] | None = None) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=os.environ | dict(environment or {})
        )
        self.pid, self.url = self._process.pid, f"http://{address}"
        try:
            self._wait(address, log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()

    def _wait(self, address: str, log: Path) -> None:
        host, _, port = address.rpartition(":")
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection((host, int(port)), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"{self._process.args!r} does not listen:\n{log.read_text(errors='replace')[-2000:]}")


class _VictoriaMetricsServer(_Peer):
    def queries(self) -> Queries:
        return PromQlQueries(self.url, {}, nocache=1)

    def make_visible(self) -> None:
        HttpClient(self.url, {}).get("/internal/force_flush")

    def merged_bytes(self, folder: Path) -> int:
        watch = Watch(self.pid)
        HttpClient(self.url, {}).get("/internal/force_merge")
        watch.settle(_MERGE_SECONDS)
        self.stop()
        return disk_bytes(folder)


class VictoriaMetrics(System):
    """Started as its documentation has it; a month is kept."""

    name = "VictoriaMetrics"
    acknowledges = "not on disk yet (about 1 s later)"

    def missing(self) -> str | None:
        return None if find_binary("victoria-metrics") else "victoria-metrics"

    def start(self, folder: Path, workload: Workload) -> Server:
        address, binary = _free_address(), str(find_binary("victoria-metrics"))
        command = [binary, f"-storageDataPath={folder / 'data'}", f"-httpListenAddr={address}", "-retentionPeriod=1"]
        return _VictoriaMetricsServer(command, folder.with_suffix(".log"), address)

    def door(self, wire: str) -> Door:
        return Door("/write" if wire == LINES else "/api/v1/write", wire, HEADERS[wire])


class _PrometheusServer(_Peer):
    def queries(self) -> Queries:
        return PromQlQueries(self.url, {})

    def merged_bytes(self, folder: Path) -> int:
        HttpClient(self.url, {}).post("/api/v1/admin/tsdb/snapshot")
        self.stop()
        return disk_bytes(folder / "data" / "snapshots")


class Prometheus(System):
    """With its remote-write receiver; its size is that of a snapshot, which has blocks and no log."""

    name = "Prometheus"
    acknowledges = "in its log, no fsync"

    def missing(self) -> str | None:
        return None if find_binary("prometheus") else "prometheus"

    def start(self, folder: Path, workload: Workload) -> Server:
        address, config = _free_address(), folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 1h}\n", encoding="utf-8")
        command = [
            str(find_binary("prometheus")),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--web.enable-admin-api",
            "--web.enable-remote-write-receiver",
        ]
        server = _PrometheusServer(command, folder.with_suffix(".log"), address)
        _wait_ready(server)
        return server

    def door(self, wire: str) -> Door:
        return Door("/api/v1/write", wire, HEADERS[wire])


class _InfluxServer(_Peer):
    def queries(self) -> Queries:
        return InfluxQueries(self.url, _DATABASE)

    def merged_bytes(self, folder: Path) -> int:
        time.sleep(_COLD_SECONDS)  # it looks for cold shards by the clock
        Watch(self.pid).settle(_MERGE_SECONDS)
        self.stop()
        return disk_bytes(folder)


class InfluxDb(System):
    """InfluxDB 1; shards count as cold, and are merged, after some seconds instead of hours."""

    name = "InfluxDB"
    acknowledges = "fsynced"

    def missing(self) -> str | None:
        return None if find_binary("influxd") else "influxd"

    def start(self, folder: Path, workload: Workload) -> Server:
        address = _free_address()
        environment = {
            "INFLUXDB_META_DIR": str(folder / "meta"),
            "INFLUXDB_DATA_DIR": str(folder / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(folder / "wal"),
            "INFLUXDB_HTTP_BIND_ADDRESS": address,
            "INFLUXDB_BIND_ADDRESS": _free_address(),
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_HTTP_LOG_ENABLED": "false",
            "INFLUXDB_MONITOR_STORE_ENABLED": "false",
            "INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": "5s",
            "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": "10s",
        }
        server = _InfluxServer([str(find_binary("influxd")), "run"], folder.with_suffix(".log"), address, environment)
        HttpClient(server.url, {}).post(f"/query?q=CREATE+DATABASE+{_DATABASE}")
        return server

    def door(self, wire: str) -> Door:
        return Door(f"/write?db={_DATABASE}", wire, HEADERS[wire])


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def _wait_ready(server: Server) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            HttpClient(server.url, {}).get("/-/ready")
        except RuntimeError:
            if time.monotonic() > deadline:
                server.stop()
                raise
            time.sleep(0.1)
        else:
            return
