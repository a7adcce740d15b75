"""Senders of other programs: samples per CPU second of the server, from HTTP to the disk, beside VictoriaMetrics in the same run.

Run: `python -m benchmarks.bench_remote_write`. The workload is 1,000 hosts with 20 metrics each every 10 s: half of them gauges with one
decimal, the others counters, constants and noise. Requests go over two connections; each is answered once its samples are on the disk
(VictoriaMetrics answers before). CPU is that of the server alone, with what it puts off. VictoriaMetrics takes part where
`victoria-metrics` is installed or `OPENMANAGER_TEST_VICTORIAMETRICS` names it.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cramjam
import numpy as np
import numpy.typing as npt
from aiohttp import ClientConnectionError, ClientSession

from benchmarks.support import print_table, rate, ratio, settled_cpu_seconds
from tests.support.remote_write import write_request
from tests.support.stack import TOKEN, start_all_in_one

LOAD_SECONDS = 6.0
STEP_MS = 10_000
HOSTS, METRICS, BATCH = 1_000, 20, 10_000
PROMETHEUS_BATCH = 2_000
"""Samples of a request of a Prometheus as it is set up by default (max_samples_per_send)."""
SCRAPED = 0.98
"""Share of series that are in one round of scrapes, so that no request of the shifting senders is like another."""
CONNECTIONS = 2
NO_OTHER_WORK = {"OPENMANAGER_METRICS_HOST_ENABLED": "false", "OPENMANAGER_METRICS_FLEET_ENABLED": "false"}
REMOTE_WRITE = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}

Floats = npt.NDArray[np.float64]
Bodies = Iterator[tuple[bytes, int]]
"""Bodies of requests, and how many samples each holds."""


@dataclass(frozen=True)
class Row:
    """What one way did: samples that were answered for, CPU seconds of the server, seconds from first to last."""

    way: str
    samples: int
    cpu_seconds: float
    wall_seconds: float


def steps() -> Iterator[tuple[int, Floats]]:
    """Time and values of every series, host by host, from 23 hours ago."""
    rng = np.random.default_rng(7)
    level, total = rng.uniform(20, 80, (HOSTS, 10)), np.zeros((HOSTS, 5))
    constant = rng.integers(1, 64, (HOSTS, 3)) * 2.0**30
    time_ms = round(time.time() * 1000) // STEP_MS * STEP_MS - 23 * 3_600_000
    while True:
        level = np.clip(level + rng.normal(0, 0.8, level.shape), 1, 100)
        total = total + rng.integers(1, 5000, total.shape)
        yield time_ms, np.concatenate([np.round(level, 1), total, constant, rng.normal(10, 1, (HOSTS, 2))], axis=1).ravel()
        time_ms += STEP_MS


class RequestTable:
    """A row of bytes for each series, into which values and times are written; all rows have one length."""

    def __init__(self) -> None:
        marks = 1.25, 1_700_000_000_000
        rows = [
            write_request(({"__name__": f"node_metric_{metric:02}", "host": f"h{host:04}", "job": "node"}, [marks]))
            for host in range(HOSTS)
            for metric in range(METRICS)
        ]
        self._rows = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1).copy()

    def at(self, time_ms: int, values: Floats) -> npt.NDArray[np.uint8]:
        """The rows of one step."""
        seven_bits = [time_ms >> shift & 0x7F | (0x80 if shift < 35 else 0) for shift in range(0, 42, 7)]
        self._rows[:, -6:] = np.array(seven_bits, np.uint8)
        self._rows[:, -15:-7] = values.astype("<f8").view(np.uint8).reshape(-1, 8)
        return self._rows


def repeating() -> Bodies:
    """An agent or proxy that sends the same series in every round."""
    table = RequestTable()
    for time_ms, values in steps():
        rows = table.at(time_ms, values)
        for first in range(0, len(rows), BATCH):
            yield bytes(cramjam.snappy.compress_raw(rows[first : first + BATCH].tobytes())), BATCH


def shifting(batch: int) -> Bodies:
    """A Prometheus, in whose requests no series has its place."""
    table, rng = RequestTable(), np.random.default_rng(8)
    for time_ms, values in steps():
        rows = table.at(time_ms, values)[rng.random(HOSTS * METRICS) < SCRAPED]
        for first in range(0, len(rows) - batch + 1, batch):
            yield bytes(cramjam.snappy.compress_raw(rows[first : first + batch].tobytes())), batch


def lines() -> Bodies:
    """A Telegraf: one line a host, 20 fields a line."""
    hosts = BATCH // METRICS
    fields = ",".join(f"m{metric:02}=%r" for metric in range(METRICS))
    for time_ms, values in steps():
        table = values.reshape(HOSTS, METRICS).tolist()
        for first in range(0, HOSTS, hosts):
            text = [
                f"node,host=h{first + k:04} {fields % tuple(row)} {time_ms}000000"
                for k, row in enumerate(table[first : first + hosts])
            ]
            yield "\n".join(text).encode(), BATCH


def run() -> list[Row]:
    """Measure every way; takes about a minute."""
    ways: tuple[tuple[str, str, dict[str, str], Bodies], ...] = (
        ("remote write, the same series each time", "/prometheus/api/v1/write", REMOTE_WRITE, repeating()),
        ("remote write, other series each time", "/prometheus/api/v1/write", REMOTE_WRITE, shifting(BATCH)),
        (f"the same, {PROMETHEUS_BATCH:,} a request", "/prometheus/api/v1/write", REMOTE_WRITE, shifting(PROMETHEUS_BATCH)),
        ("InfluxDB lines of 20 fields", "/influx/write", {}, lines()),
    )
    found = []
    with tempfile.TemporaryDirectory(prefix="openmanager-bench-") as name:
        for number, (way, path, headers, bodies) in enumerate(ways):
            stack = start_all_in_one(Path(name) / str(number), **NO_OTHER_WORK)
            try:
                headers = {**headers, "Authorization": f"Bearer {TOKEN}"}
                found.append(asyncio.run(load(way, stack.url + path, headers, bodies, stack.process("gateway").pid)))
            finally:
                stack.stop()
        found += peers(Path(name))
    return found


def peers(folder: Path) -> list[Row]:
    """The same requests to a VictoriaMetrics, if there is one."""
    binary = os.environ.get("OPENMANAGER_TEST_VICTORIAMETRICS") or shutil.which("victoria-metrics")
    if binary is None:
        print("there is no victoria-metrics here to compare with", flush=True)
        return []
    found = []
    ways: tuple[tuple[str, str, dict[str, str], Bodies], ...] = (
        ("VictoriaMetrics, remote write", "/api/v1/write", REMOTE_WRITE, repeating()),
        ("VictoriaMetrics, InfluxDB lines", "/write", {}, lines()),
    )
    for way, path, headers, bodies in ways:
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        data = folder / way.replace(" ", "-")
        command = [binary, f"-storageDataPath={data}", f"-httpListenAddr={address}", "-retentionPeriod=100y", "-loggerLevel=ERROR"]
        with subprocess.Popen(command) as process:
            try:
                found.append(asyncio.run(load(way, f"http://{address}{path}", headers, bodies, process.pid)))
            finally:
                process.terminate()
    return found


async def load(way: str, url: str, headers: dict[str, str], bodies: Bodies, pid: int) -> Row:
    """Send as fast as the server answers; a first round makes the series known."""
    async with ClientSession(headers=headers) as session:

        async def send() -> int:
            body, count = next(bodies)
            async with session.post(url, data=body) as response:
                if response.status != 204:
                    raise RuntimeError(f"{way}: {response.status} {await response.text()}")
            return count

        await _answering(session, url)
        known = 0
        while known < 3 * HOSTS * METRICS:
            known += await send()
        cpu, started, samples = settled_cpu_seconds(pid), time.perf_counter(), 0

        async def connection() -> None:
            nonlocal samples
            while time.perf_counter() - started < LOAD_SECONDS:
                count = await send()
                samples += count  # in one step: the other connection counts too

        await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
        wall = time.perf_counter() - started
        return Row(way, samples, await asyncio.to_thread(settled_cpu_seconds, pid) - cpu, wall)


async def _answering(session: ClientSession, url: str) -> None:
    """Wait until somebody listens there."""
    deadline = time.monotonic() + 10
    while True:
        try:
            async with session.get(url):
                return
        except ClientConnectionError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


def main() -> None:
    rows = run()
    baseline = next((row for row in rows if row.way == "VictoriaMetrics, remote write"), None)
    cells = [
        (
            row.way,
            rate(row.samples / row.cpu_seconds),
            rate(row.samples / row.wall_seconds),
            f"{row.samples / 1e6:.2f} M",
            ratio(row.samples / row.cpu_seconds, baseline.samples / baseline.cpu_seconds) if baseline else "",
        )
        for row in rows
    ]
    columns = ("20,000 series, two connections", "samples/CPU-s", "samples/s", "samples", "ratio")
    print_table("samples of other programs, durable before each answer; baseline: VictoriaMetrics' remote write", columns, cells)


if __name__ == "__main__":
    main()
