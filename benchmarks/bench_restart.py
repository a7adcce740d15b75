"""Restart of the whole suite after a `kill -9`: from the start of its process to ready, with ten million recent samples and with none.

Run: `python -m benchmarks restart`. 20,000 series every 10 s, written until the store is one step short of packing its newest two
million, so that as much as ever is in the journal alone; then the writer is killed. The bar is that of issue 4: ready within 5 s. The
start with an empty folder beside it says how much of that is Python, its libraries and the other services.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.support import cpu_seconds, print_table
from services.common.clock import SystemClock
from services.metrics.adapters.embedded import EmbeddedStore
from services.metrics.domain.ports import Columns
from tests.support.stack import ROOT, Stack, open_api, start_all_in_one

SERIES, STEPS, STEP_MS = 20_000, 599, 10_000
"""11.98 million samples: five times the two million that are packed at once, and all of the sixth but the last step."""
METRICS = 20
ROUNDS = 3
BAR_SECONDS = 5.0


async def fill(folder: Path) -> None:
    """Write all samples up to now, say how many are packed and how many are in the journal, and wait to be killed."""
    rng = np.random.default_rng(1)
    start_ms = round(SystemClock().now() * 1000) - STEPS * STEP_MS
    store = await EmbeddedStore.open(folder)
    labels = [[("__name__", f"metric_{k % METRICS}"), ("server", f"web-{k // METRICS:04d}")] for k in range(SERIES)]
    ids = (await store.register(labels)).ids
    level = rng.uniform(10, 60, SERIES)
    for step in range(STEPS):
        level = np.clip(level + rng.normal(0, 0.5, SERIES), 0, 100)
        time_ms = start_ms + step * STEP_MS
        receipt = await store.append(Columns(ids, np.full(SERIES, time_ms), np.round(level, 1)), now_ms=time_ms)
        assert receipt.accepted == SERIES
    stats = store.stats()
    sys.stdout.write(f"{stats.block_samples} {stats.head_samples}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def fill_and_kill(folder: Path) -> tuple[int, int]:
    """Samples in blocks and in the journal of a store whose writer was killed."""
    command = [sys.executable, "-m", "benchmarks.bench_restart", "--fill", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        packed, journalled = process.stdout.readline().split()
        process.kill()
    return int(packed), int(journalled)


@dataclass(frozen=True)
class Start:
    """What a start took until ready; CPU is that of the suite's process, which other work on the machine does not lengthen."""

    wall_seconds: float
    cpu_seconds: float


def start(folder: Path) -> tuple[Stack, Start]:
    """The suite, ready."""
    started = time.perf_counter()
    stack = start_all_in_one(folder, OPENMANAGER_METRICS_HOST_ENABLED="false", OPENMANAGER_METRICS_FLEET_ENABLED="false")
    return stack, Start(time.perf_counter() - started, cpu_seconds(stack.process("metrics").pid))


async def count(stack: Stack) -> int:
    """Samples that queries see."""
    async with open_api(stack) as api:
        return sum([int((await api.value(f"sum(count_over_time(metric_{k}[3h]))"))[0]) for k in range(METRICS)])


def restart(folder: Path, rounds: int, expected: int) -> list[Start]:
    """The starts, each after a kill."""
    starts = []
    for k in range(rounds):
        stack, took = start(folder)
        try:
            starts.append(took)
            if expected and k == rounds - 1:
                found = asyncio.run(count(stack))
                assert found == expected, f"{found:,} of {expected:,} samples are there"
        finally:
            stack.kill()
    return starts


def bench(rounds: int) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start(folder / "empty")[0].kill()  # makes what the first start makes, and warms the files of the libraries
        empty = restart(folder / "empty", rounds, 0)
        packed, journalled = fill_and_kill(folder / "full" / "metrics")
        full = restart(folder / "full", rounds, SERIES * STEPS)
    for what, samples, starts in (("no samples", 0, empty), ("recent samples", packed + journalled, full)):
        wall = [one.wall_seconds for one in starts]
        cpu = statistics.median(one.cpu_seconds for one in starts)
        rows.append([what, f"{samples:,}", f"{statistics.median(wall):.2f} s", f"{max(wall):.2f} s", f"{cpu:.2f} s"])
    print_table(f"kill -9, then ready after ({rounds} rounds):", ["data folder", "samples", "median", "slowest", "CPU"], rows)
    print(f"  {journalled:,} of the samples were in the journal alone, and all {packed + journalled:,} are there in queries")
    slowest = max(one.wall_seconds for one in full)
    print(f"  the bar is {BAR_SECONDS:.0f} s: {'held' if slowest <= BAR_SECONDS else 'NOT HELD'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--fill", type=Path, metavar="FOLDER", help="only write the samples, into the store of this folder")
    options = parser.parse_args()
    if options.fill:
        asyncio.run(fill(options.fill))
    else:
        bench(options.rounds)


if __name__ == "__main__":
    main()
