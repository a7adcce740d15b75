"""What a call between services costs: in process against a unix socket and loopback TCP, same stub, servicer and interceptors.

Run: `python -m benchmarks.bench_rpc`. The caller and the servicer share one process and one event loop on every transport, so a socket's figure holds both ends' work.
Each transport's calls come in rounds that take turns, so that a busy moment of the machine falls on all of them.
"""

import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.rpc.connect import connect
from services.common.rpc.inproc.network import InprocNetwork
from services.common.rpc.server import RpcServer
from services.common.telemetry import Telemetry

ROUNDS = 10
SECONDS_A_ROUND = 0.1
BASELINE = "tcp"


@dataclass(frozen=True)
class Row:
    """Latency of one unary call with a small message on one transport, and how many times faster it is than the baseline."""

    transport: str
    calls: int
    p50_us: float
    p99_us: float
    speedup: float


def run() -> list[Row]:
    """Measure every transport; takes about three seconds."""
    if sys.platform == "linux":
        import uvloop

        return uvloop.run(_measure())
    return asyncio.run(_measure())


def main() -> None:
    print(f"unary call, small message, one at a time; baseline: grpc.aio over {BASELINE}")
    print(f"{'transport':<10} {'calls':>7} {'p50 us':>9} {'p99 us':>9} {'speedup':>9}")
    for row in run():
        print(f"{row.transport:<10} {row.calls:>7} {row.p50_us:>9.1f} {row.p99_us:>9.1f} {row.speedup:>8.1f}x")


async def _measure() -> list[Row]:
    network = InprocNetwork()
    with tempfile.TemporaryDirectory(prefix="openmanager-bench-") as folder:
        server = RpcServer("bench", telemetry=Telemetry("bench"), network=network)
        await server.start("127.0.0.1:0", f"unix:{folder}/rpc.sock", "inproc:bench")
        names = ("tcp", "unix", "inproc")
        channels = {
            name: connect(address, caller="bench", network=network) for name, address in zip(names, server.addresses, strict=True)
        }
        try:
            seconds: dict[str, list[float]] = {name: [] for name in names}
            for channel in channels.values():
                await _call_for(SECONDS_A_ROUND, channel, [])  # connects, and warms what is made at the first call
            for _ in range(ROUNDS):
                for name, channel in channels.items():
                    await _call_for(SECONDS_A_ROUND, channel, seconds[name])
        finally:
            for channel in channels.values():
                await channel.close()
            await server.stop(0)
    baseline = _quantile(seconds[BASELINE], 0.5)
    return [_row(name, took, baseline) for name, took in seconds.items()]


async def _call_for(duration_seconds: float, channel: grpc.aio.Channel, seconds: list[float]) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest()
    end = time.perf_counter() + duration_seconds
    started = time.perf_counter()
    while started < end:
        await stub.Check(request)
        finished = time.perf_counter()
        seconds.append(finished - started)
        started = time.perf_counter()


def _row(name: str, seconds: list[float], baseline: float) -> Row:
    p50, p99 = _quantile(seconds, 0.5), _quantile(seconds, 0.99)
    return Row(name, len(seconds), p50 * 1e6, p99 * 1e6, baseline / p50)


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


if __name__ == "__main__":
    main()
