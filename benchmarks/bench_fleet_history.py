"""The virtual fleet into the store: fourteen days at once, and a thousand servers live.

Run: `python -m benchmarks.bench_fleet_history`. The simulation, gRPC in process, the collector and the embedded store run in this process
as in `make run`, and all its CPU time is counted. What is stored is durable when the clock stops. The bars are those of issue 3: at most
10 s of CPU for 20 servers x 25 series x 14 days at one minute, and at most a tenth of a core for 1,000 servers x 25 series every 10 s.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.support import print_table, rate
from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1.metrics_pb2_grpc import MetricsServiceStub
from openmanager.server_gen.v1 import server_gen_pb2, server_gen_pb2_grpc
from services.common.clock import Clock, ManualClock
from services.common.logs import configure_logging
from services.common.rpc.streams import cancelling
from services.metrics.app import build as build_metrics
from services.metrics.settings import MetricsSettings
from services.server_gen.app import build as build_server_gen
from services.server_gen.settings import ServerGenSettings
from tests.support.services import InProcess, in_process

NOW = 1_795_000_004.0
DAYS, SERVERS, SERIES_BAR = 14.0, 20, 25
CPU_BAR_SECONDS = 10.0
LIVE_SERVERS, LIVE_STEPS, STEP_SECONDS = 1_000, 60, 10.0
"""Ten minutes, so that the seals that it takes to pack two million samples are in it."""
CORE_BAR = 0.10
LAG_EVERY_SECONDS = 0.005


@dataclass
class Waits:
    """How long others had to wait, in seconds, while the history was being stored."""

    loop: list[float] = field(default_factory=list)
    queries: list[float] = field(default_factory=list)


async def start_fleet(services: InProcess, folder: Path, clock: Clock, servers: int) -> None:
    settings = ServerGenSettings(data_dir=folder, demo=True, target_count=servers)
    await services.start("server_gen", lambda connect, telemetry: build_server_gen(settings, connect, telemetry, clock))


async def start_metrics(services: InProcess, folder: Path, clock: Clock, days: float) -> None:
    settings = MetricsSettings(data_dir=folder, host_enabled=False, fleet_history_days=days)
    await services.start("metrics", lambda connect, telemetry: build_metrics(settings, connect, telemetry, clock))


@contextlib.contextmanager
def watched(services: InProcess) -> Iterator[Waits]:
    """Notes how late the event loop is, and how long a dashboard's query takes."""
    waits = Waits()
    stub = MetricsServiceStub(services.channel("metrics"))

    async def lag() -> None:
        while True:
            due = time.perf_counter() + LAG_EVERY_SECONDS
            await asyncio.sleep(LAG_EVERY_SECONDS)
            waits.loop.append(time.perf_counter() - due)

    async def queries() -> None:
        while True:
            await asyncio.sleep(0.1)
            started = time.perf_counter()
            await stub.Query(pb.QueryRequest(expr="avg by (role) (cpu)"))
            waits.queries.append(time.perf_counter() - started)

    tasks = [asyncio.create_task(lag()), asyncio.create_task(queries())]
    try:
        yield waits
    finally:
        for task in tasks:
            task.cancel()


async def read_history(services: InProcess) -> int:
    """Samples of the same history, generated and sent and thrown away."""
    stub = server_gen_pb2_grpc.ServerGenServiceStub(services.channel("server_gen"))
    fleet = await stub.GetFleet(server_gen_pb2.GetFleetRequest())
    samples = 0
    for server in fleet.servers:
        request = server_gen_pb2.ReadFleetHistoryRequest(servers=[server.hostname])
        request.start.FromSeconds(round(NOW - DAYS * 86_400))
        request.end.FromSeconds(round(NOW))
        with cancelling(stub.ReadFleetHistory(request)) as stream:
            async for message in stream:
                samples += len(message.samples.values) // 8
    return samples


async def bench_backfill() -> None:
    clock = ManualClock(NOW)
    with tempfile.TemporaryDirectory() as folder:
        async with in_process() as services:
            await start_fleet(services, Path(folder), clock, SERVERS)
            cpu = time.process_time()
            generated = await read_history(services)
            generation_cpu = time.process_time() - cpu
        async with in_process() as services:
            await start_fleet(services, Path(folder), clock, SERVERS)
            cpu, wall = time.process_time(), time.perf_counter()
            await start_metrics(services, Path(folder), clock, DAYS)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            stored, series = _figure(services, "block_samples"), _figure(services, "series")
    with tempfile.TemporaryDirectory() as folder:
        async with in_process() as services:
            # The metrics service first, so that it is ready at once and answers queries while the history comes.
            await start_metrics(services, Path(folder), clock, DAYS)
            await start_fleet(services, Path(folder), clock, SERVERS)
            with watched(services) as waits:
                await clock.advance(1.0)
                while _figure(services, "block_samples") < stored:  # noqa: ASYNC110  a store tells nobody
                    await asyncio.sleep(0.25)
    series_a_server = stored / (SERVERS * DAYS * 1440)
    rows = [
        ["generated and sent", f"{generated:,}", f"{generation_cpu:.2f} s", "", f"{rate(generated / generation_cpu)}/s"],
        ["and stored", f"{stored:,}", f"{cpu:.2f} s", f"{wall:.2f} s", f"{rate(stored / cpu)}/s"],
    ]
    title = f"{DAYS:.0f} days of {SERVERS} servers x {series_a_server:.1f} series ({series} in all) at one minute, from nothing to durable:"
    print_table(title, ["way", "samples", "CPU", "wall", "per CPU-s"], rows)
    bar = cpu * SERIES_BAR / series_a_server
    print(
        f"  for {SERIES_BAR} series a server: {bar:.2f} s of CPU; the bar is {CPU_BAR_SECONDS:.0f} s: {_verdict(bar <= CPU_BAR_SECONDS)}"
    )
    print(f"  meanwhile `avg by (role) (cpu)` took {_spread(waits.queries)}")
    print(f"  and the event loop was late by {_spread(waits.loop)}\n", flush=True)


async def bench_live() -> None:
    clock = ManualClock(NOW)
    with tempfile.TemporaryDirectory() as folder:
        async with in_process() as services:
            await start_fleet(services, Path(folder), clock, LIVE_SERVERS)
            await start_metrics(services, Path(folder), clock, 0.0)
            stub = MetricsServiceStub(services.channel("metrics"))
            seen = 0.0
            samples = 0
            arrived = asyncio.Event()

            async def read() -> None:
                nonlocal seen, samples
                with cancelling(stub.WatchSamples(pb.WatchSamplesRequest())) as stream:
                    async for message in stream:
                        samples += len(message.samples.values) // 8
                        seen = clock.now()
                        arrived.set()

            reader = asyncio.create_task(read())
            await arrived.wait()
            samples = 0
            cpu, slowest = time.process_time(), 0.0
            with watched(services) as waits:
                for _ in range(LIVE_STEPS):
                    arrived.clear()
                    started = time.perf_counter()
                    await clock.advance(STEP_SECONDS)
                    await asyncio.wait_for(arrived.wait(), 30.0)
                    slowest = max(slowest, time.perf_counter() - started)
            cpu = time.process_time() - cpu
            reader.cancel()
            series = samples / LIVE_STEPS / LIVE_SERVERS
    share = cpu / (LIVE_STEPS * STEP_SECONDS)
    scaled = share * SERIES_BAR / series
    print(
        f"{LIVE_SERVERS:,} servers x {series:.1f} series every {STEP_SECONDS:.0f} s, generated, sent, stored and read from the feed:"
    )
    print(f"  {share:.1%} of a core ({rate(samples / cpu)} samples a CPU second), slowest step {slowest * 1e3:.0f} ms")
    print(f"  meanwhile the event loop was late by {_spread(waits.loop)}")
    print(f"  for {SERIES_BAR} series a server: {scaled:.1%}; the bar is {CORE_BAR:.0%}: {_verdict(scaled <= CORE_BAR)}")


def _figure(services: InProcess, name: str) -> int:
    """A figure of the store."""
    lines = services.telemetry["metrics"].exposition().decode().splitlines()
    line = next(line for line in lines if line.startswith(f"openmanager_metrics_store_{name} "))
    return int(float(line.split()[1]))


def _verdict(held: bool) -> str:
    return "held" if held else "NOT HELD"


def _spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2] * 1e3:.1f} ms at the median and {ordered[-1] * 1e3:.0f} ms at most"


def main() -> None:
    stop_logging = configure_logging(level="WARNING")
    try:
        asyncio.run(bench_backfill())
        asyncio.run(bench_live())
    finally:
        stop_logging()


if __name__ == "__main__":
    main()
