"""Columns over gRPC into the metrics service: samples per CPU second of its process, each batch fsynced before its answer.

Run: `python -m benchmarks.bench_store_columnar [--samples 20000000]`. Workload: 1,000 servers x 20 metrics every 10 s in batches of
10,000: ten one-decimal gauges, five counters, three constants, two of full-precision noise. CPU is that of the server alone, packing
and merging that was put off until after the load included. `Write` has one batch under way a writer, `WriteStream` four.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.bench_ingest import NO_OTHER_WORK
from benchmarks.support import print_table, rate, settled_cpu_seconds
from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1 import metrics_pb2_grpc
from services.common.rpc.connect import connect
from tests.support.stack import Process, base_environment

SERVERS, METRICS, BATCH, STEP_MS = 1_000, 20, 10_000, 10_000
AHEAD: Final = 4
"""Batches of a stream under way at a time."""

Ids = NDArray[np.uint64]


def make_values(steps: int, seed: int = 7) -> NDArray[np.float64]:
    """f64[steps, servers * metrics]: what the servers report, server by server."""
    rng = np.random.default_rng(seed)
    values = np.empty((steps, SERVERS, METRICS))
    walk = rng.normal(0, 0.8, (steps, SERVERS, 10)).cumsum(0)
    values[:, :, :10] = np.round(np.abs((50 + walk) % 200 - 100), 1)
    values[:, :, 10:15] = rng.integers(0, 5_000, (steps, SERVERS, 5)).cumsum(0)
    values[:, :, 15:18] = rng.integers(1, 64, (SERVERS, 3)) * 2.0**30
    values[:, :, 18:] = rng.normal(10, 1, (steps, SERVERS, 2))
    return values.reshape(steps, SERVERS * METRICS)


@dataclass(frozen=True)
class Row:
    """What one way of sending did."""

    way: str
    samples: int
    cpu_seconds: float
    wall_seconds: float
    bytes_on_disk: int
    grown_bytes: int


Stub: TypeAlias = "metrics_pb2_grpc.MetricsServiceAsyncStub"
Send = Callable[[Stub, Iterator[pb.WriteRequest]], Awaitable[None]]


async def one_by_one(stub: Stub, batches: Iterator[pb.WriteRequest]) -> None:
    """Send the next batch after the answer to the last."""
    for batch in batches:
        _check(await stub.Write(batch))


async def streamed(stub: Stub, batches: Iterator[pb.WriteRequest]) -> None:
    """Send batches while others wait for their answers."""
    call = stub.WriteStream()
    room = asyncio.Semaphore(AHEAD)

    async def write() -> None:
        for batch in batches:
            await room.acquire()
            await call.write(pb.WriteStreamRequest(batch=batch))
        await call.done_writing()

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        async for response in call:
            _check(response.result)
            room.release()


async def measure(way: str, send: Send, samples: int) -> Row:
    """Load a new metrics service and give what it used."""
    with tempfile.TemporaryDirectory(prefix="openmanager-bench-") as name:
        folder = Path(name)
        environment = base_environment(folder, OPENMANAGER_METRICS_LISTEN="127.0.0.1:0", **NO_OTHER_WORK)
        process = Process("services.metrics", environment, folder / "metrics.log")
        try:
            channel = connect(await asyncio.to_thread(process.wait_ready), caller="bench")
            try:
                stub: Stub = metrics_pb2_grpc.MetricsServiceStub(channel)
                before = psutil.Process(process.pid).memory_info().rss
                store_id, ids = await _register(stub)
                steps = samples // len(ids)
                values, start_ms = make_values(steps), round(time.time() * 1000) - steps * STEP_MS
                halves = [_batches(store_id, ids, values, start_ms, first) for first in range(0, len(ids), BATCH)]
                cpu, started = settled_cpu_seconds(process.pid), time.perf_counter()
                await asyncio.gather(*(send(stub, batches) for batches in halves))
                wall = time.perf_counter() - started
                grown = psutil.Process(process.pid).memory_info().rss - before
                used = await asyncio.to_thread(settled_cpu_seconds, process.pid) - cpu
            finally:
                await channel.close()
        finally:
            await asyncio.to_thread(process.stop)
        size = await asyncio.to_thread(lambda: sum(file.stat().st_size for file in (folder / "metrics").iterdir()))
    return Row(way, steps * len(ids), used, wall, size, grown)


async def _register(stub: Stub) -> tuple[str, Ids]:
    series = [
        label_pb2.LabelSet(
            labels=[
                label_pb2.Label(name="__name__", value=f"node_metric_{metric:02d}"),
                label_pb2.Label(name="job", value="node"),
                label_pb2.Label(name="server", value=f"h{server:04d}"),
            ]
        )
        for server in range(SERVERS)
        for metric in range(METRICS)
    ]
    registered = await stub.RegisterSeries(pb.RegisterSeriesRequest(series=series))
    return registered.store_id, np.frombuffer(registered.ids, "<u8")


def _batches(store_id: str, ids: Ids, values: NDArray[np.float64], start_ms: int, first: int) -> Iterator[pb.WriteRequest]:
    part = slice(first, first + BATCH)
    series_ids = ids[part].astype("<u8").tobytes()
    for step in range(len(values)):
        columns = label_pb2.SampleColumns(
            series_ids=series_ids,
            timestamps_ms=np.full(BATCH, start_ms + step * STEP_MS, "<i8").tobytes(),
            values=values[step, part].astype("<f8").tobytes(),
        )
        yield pb.WriteRequest(store_id=store_id, samples=columns, mode=pb.WRITE_MODE_LIVE)


def _check(response: pb.WriteResponse) -> None:
    if response.accepted != BATCH:
        raise RuntimeError(f"the metrics service took {response.accepted} of {BATCH} samples: {response.errors[:1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Columns over gRPC into the metrics service")
    parser.add_argument("--samples", type=int, default=20_000_000)
    samples: int = parser.parse_args().samples
    rows = [
        asyncio.run(measure("Write, two writers", one_by_one, samples)),
        asyncio.run(measure(f"WriteStream, two writers, {AHEAD} batches ahead", streamed, samples)),
    ]
    cells = [
        (
            row.way,
            rate(row.samples / row.cpu_seconds),
            rate(row.samples / row.wall_seconds),
            f"{row.bytes_on_disk / row.samples:.2f}",
            f"{row.grown_bytes / (SERVERS * METRICS):,.0f}",
        )
        for row in rows
    ]
    columns = ("columns over gRPC, fsync before the answer", "samples/CPU-s", "samples/s", "bytes/sample", "memory/series")
    print_table(f"{samples / 1e6:g} M samples of {SERVERS * METRICS:,} series", columns, cells)


if __name__ == "__main__":
    main()
