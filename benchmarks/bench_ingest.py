"""Durable ingest: samples per CPU second of the process that takes them, against one row a sample in SQLite, in the same run.

Run: `python -m benchmarks.bench_ingest`. Every way acknowledges a batch only after it is on the disk. CPU is that of the server alone,
sealing that was put off until after the load included; the baselines have no network, no HTTP and no checks, which is in their favour.
"""

import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import numpy as np
import numpy.typing as npt
import orjson
from aiohttp import ClientSession

from benchmarks.support import print_table, rate, ratio, settled_cpu_seconds
from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1 import metrics_pb2_grpc
from services.common.rpc.connect import connect
from tests.support.stack import TOKEN, Process, base_environment, start_all_in_one

LOAD_SECONDS = 8.0
STEP_MS = 10_000
WARM_BATCHES = 3
JSON_SERVERS, JSON_METRICS = 500, ("cpu", "memory", "disk", "load", "swap")
SERVERS, METRICS, BATCH = 1_000, 20, 10_000
NO_OTHER_WORK = {"OPENMANAGER_METRICS_HOST_ENABLED": "false", "OPENMANAGER_METRICS_FLEET_ENABLED": "false"}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """What one way of taking samples in did.

    Attributes:
        way: what was measured.
        samples: how many were durable at the end.
        cpu_seconds: CPU time of the process that took them.
        wall_seconds: from the first batch sent to the last acknowledged; one batch at a time.
        baseline: the way that it is compared with; its own name for a baseline.
    """

    way: str
    samples: int
    cpu_seconds: float
    wall_seconds: float
    baseline: str

    @property
    def per_cpu_second(self) -> float:
        """Samples per CPU second."""
        return self.samples / self.cpu_seconds


def run() -> list[Row]:
    """Measure every way; takes about three quarters of a minute."""
    with tempfile.TemporaryDirectory(prefix="openmanager-bench-") as name:
        folder = Path(name)
        (folder / "grpc").mkdir()
        json_rows, grpc_rows = (
            f"SQLite, one row a sample, {_json_size():,} a commit",
            f"SQLite, one row a sample, {BATCH:,} a commit",
        )
        return [
            _sqlite(folder / "json.db", json_rows, _json_rows),
            asyncio.run(_post_json(folder / "json", json_rows)),
            _sqlite(folder / "columns.db", grpc_rows, _column_rows),
            asyncio.run(_write_columns(folder / "grpc", grpc_rows)),
            _append_file(folder / "columns.bin", grpc_rows),
        ]


def main() -> None:
    rows = {row.way: row for row in run()}
    cells = [
        (
            row.way,
            rate(row.per_cpu_second),
            rate(row.samples / row.wall_seconds),
            f"{row.samples / 1e6:.2f} M",
            "baseline" if row.baseline == row.way else ratio(row.per_cpu_second, rows[row.baseline].per_cpu_second),
        )
        for row in rows.values()
    ]
    columns = ("one batch at a time, fsync before each answer", "samples/CPU-s", "samples/s", "samples", "ratio")
    print_table("durable ingest; baseline: sqlite3.executemany, WAL, synchronous=FULL, in one process", columns, cells)


def _json_size() -> int:
    return JSON_SERVERS * len(JSON_METRICS)


def _steps(series: int) -> Iterator[tuple[int, Floats]]:
    """Time and one-decimal gauges of every series, step by step from a day ago."""
    rng = np.random.default_rng(1)
    level = rng.uniform(10, 60, series)
    time_ms = round(time.time() * 1000) - 23 * 3_600_000
    while True:
        level = np.clip(level + rng.normal(0, 0.5, series), 0, 100)
        yield time_ms, np.round(level, 1)
        time_ms += STEP_MS


def _json_bodies() -> Iterator[bytes]:
    for time_ms, values in _steps(_json_size()):
        table = values.reshape(JSON_SERVERS, len(JSON_METRICS)).tolist()
        samples = [
            {"server": f"web-{k:04d}", "timestamp": time_ms / 1000, "metrics": dict(zip(JSON_METRICS, row, strict=True))}
            for k, row in enumerate(table)
        ]
        yield orjson.dumps({"samples": samples})


def _column_batches(ids: npt.NDArray[np.uint64]) -> Iterator[label_pb2.SampleColumns]:
    for time_ms, values in _steps(len(ids)):
        times = np.full(BATCH, time_ms, "<i8").tobytes()
        for first in range(0, len(ids), BATCH):
            part = slice(first, first + BATCH)
            yield label_pb2.SampleColumns(
                series_ids=ids[part].astype("<u8").tobytes(), timestamps_ms=times, values=values[part].astype("<f8").tobytes()
            )


async def _post_json(folder: Path, baseline: str) -> Row:
    stack = await asyncio.to_thread(start_all_in_one, folder, **NO_OTHER_WORK)
    try:
        pid = stack.process("gateway").pid
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        async with ClientSession(headers=headers) as session:

            async def send(body: bytes) -> int:
                async with session.post(f"{stack.url}/api/v1/metrics", data=body) as response:
                    receipt = await response.json()
                if response.status != 200 or receipt["accepted"] != _json_size():
                    raise RuntimeError(f"the gateway answered {response.status}: {receipt}")
                return int(receipt["accepted"])

            bodies = _json_bodies()
            for _ in range(WARM_BATCHES):
                await send(next(bodies))
            cpu, started, samples = settled_cpu_seconds(pid), time.perf_counter(), 0
            while time.perf_counter() - started < LOAD_SECONDS:
                samples += await send(next(bodies))
            wall = time.perf_counter() - started
            used = await asyncio.to_thread(settled_cpu_seconds, pid) - cpu
    finally:
        await asyncio.to_thread(stack.stop)
    return Row("JSON over HTTP, the suite in one process", samples, used, wall, baseline)


async def _write_columns(folder: Path, baseline: str) -> Row:
    environment = base_environment(folder, OPENMANAGER_METRICS_LISTEN="127.0.0.1:0", **NO_OTHER_WORK)
    process = Process("services.metrics", environment, folder / "metrics.log")
    try:
        address = await asyncio.to_thread(process.wait_ready)
        channel = connect(address, caller="bench")
        try:
            samples, used, wall = await _load(channel, process.pid)
        finally:
            await channel.close()
    finally:
        await asyncio.to_thread(process.stop)
    return Row("columns over gRPC and TCP, the metrics service", samples, used, wall, baseline)


async def _load(channel: grpc.aio.Channel, pid: int) -> tuple[int, float, float]:
    stub = metrics_pb2_grpc.MetricsServiceStub(channel)
    series = [
        {"__name__": f"metric_{metric}", "role": "web", "server": f"web-{server:04d}"}
        for server in range(SERVERS)
        for metric in range(METRICS)
    ]
    registered = await stub.RegisterSeries(
        pb.RegisterSeriesRequest(
            series=[
                label_pb2.LabelSet(labels=[label_pb2.Label(name=name, value=value) for name, value in labels.items()])
                for labels in series
            ]
        )
    )
    batches = _column_batches(np.frombuffer(registered.ids, "<u8"))

    async def send() -> int:
        request = pb.WriteRequest(store_id=registered.store_id, samples=next(batches), mode=pb.WRITE_MODE_LIVE)
        response = await stub.Write(request)
        if response.accepted != BATCH:
            raise RuntimeError(f"the metrics service took {response.accepted} of {BATCH} samples: {response.errors[:1]}")
        return int(response.accepted)

    for _ in range(WARM_BATCHES):
        await send()
    cpu, started, samples = settled_cpu_seconds(pid), time.perf_counter(), 0
    while time.perf_counter() - started < LOAD_SECONDS:
        samples += await send()
    wall = time.perf_counter() - started
    return samples, await asyncio.to_thread(settled_cpu_seconds, pid) - cpu, wall


def _json_rows() -> Iterator[Callable[[], list[tuple[int, int, float]]]]:
    """Bodies as the gateway gets them: parsing is part of the baseline's work too."""
    for body in _json_bodies():

        def rows(body: bytes = body) -> list[tuple[int, int, float]]:
            samples = orjson.loads(body)["samples"]
            width = len(JSON_METRICS)
            return [
                (round(sample["timestamp"] * 1000), server * width + k, value)
                for server, sample in enumerate(samples)
                for k, value in enumerate(sample["metrics"].values())
            ]

        yield rows


def _column_rows() -> Iterator[Callable[[], list[tuple[int, int, float]]]]:
    for batch in _column_batches(np.arange(1, SERVERS * METRICS + 1, dtype=np.uint64)):

        def rows(batch: label_pb2.SampleColumns = batch) -> list[tuple[int, int, float]]:
            times, ids = np.frombuffer(batch.timestamps_ms, "<i8"), np.frombuffer(batch.series_ids, "<u8")
            return list(zip(times.tolist(), ids.tolist(), np.frombuffer(batch.values, "<f8").tolist(), strict=True))

        yield rows


def _sqlite(path: Path, way: str, source: Callable[[], Iterator[Callable[[], list[tuple[int, int, float]]]]]) -> Row:
    """The baseline: a row for each sample with its time and series as the key, one commit and one fsync a batch."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE sample (time INTEGER, series INTEGER, value REAL, PRIMARY KEY (time, series)) WITHOUT ROWID")
    samples, cpu, wall = 0, 0.0, 0.0
    for rows_of in source():
        cpu_before, started = time.process_time(), time.perf_counter()
        rows = rows_of()
        connection.execute("BEGIN")
        connection.executemany("INSERT OR IGNORE INTO sample VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
        cpu += time.process_time() - cpu_before
        wall += time.perf_counter() - started
        samples += len(rows)
        if wall > LOAD_SECONDS / 2:
            break
    connection.close()
    return Row(way, samples, cpu, wall, way)


def _append_file(path: Path, baseline: str) -> Row:
    """The bound: the columns as they come to the end of a file, and fdatasync. Nothing can be found in it again."""
    samples, cpu, wall = 0, 0.0, 0.0
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for batch in _column_batches(np.arange(1, SERVERS * METRICS + 1, dtype=np.uint64)):
            cpu_before, started = time.process_time(), time.perf_counter()
            os.writev(file, [batch.series_ids, batch.timestamps_ms, batch.values])
            os.fdatasync(file)
            cpu += time.process_time() - cpu_before
            wall += time.perf_counter() - started
            samples += BATCH
            if wall > LOAD_SECONDS / 4:
                break
    finally:
        os.close(file)
    return Row("bound: columns appended to a file, fdatasync", samples, cpu, wall, baseline)


if __name__ == "__main__":
    main()
