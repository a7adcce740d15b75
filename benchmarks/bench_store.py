"""The embedded store against one row a sample in SQLite, in the same run: ingest, size and reads.

Run: `python -m benchmarks.bench_store [--samples 6000000]`. Workload: 1,000 servers x 20 metrics every 10 s in batches of 10,000
(half one-decimal gauges, a quarter counters, the rest constants and noise of full precision), each batch acknowledged after its fsync.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from services.metrics.adapters.embedded import EmbeddedStore
from services.metrics.domain.ports import Columns, IdArray, Matcher, MatchOp

SERVERS, METRICS, STEP_MS, BATCH = 1_000, 20, 10_000, 10_000
START_MS = 1_700_000_000_000
BASELINE_SAMPLES = 500_000


def make_steps(ids: IdArray, steps: int) -> list[Columns]:
    """Batches of all steps, made before the clock starts."""
    rng = np.random.default_rng(1)
    series = len(ids)
    kind = np.arange(series) % METRICS
    level = rng.uniform(10, 60, series)
    counter = rng.integers(10**6, 10**9, series).astype(np.float64)
    batches = []
    for step in range(steps):
        level = np.clip(level + rng.normal(0, 0.5, series), 0, 100)
        counter += rng.integers(0, 50_000, series)
        values = np.where(kind < 10, np.round(level, 1), np.where(kind < 15, counter, np.where(kind < 18, 100.0, level)))
        times = np.full(series, START_MS + step * STEP_MS)
        for first in range(0, series, BATCH):
            rows = slice(first, first + BATCH)
            batches.append(Columns(ids[rows], times[rows], values[rows]))
    return batches


async def bench_embedded(folder: Path, samples: int) -> None:
    store = await EmbeddedStore.open(folder)
    labels = [
        [("__name__", f"metric_{metric}"), ("server", f"web-{server:04d}"), ("role", "web")]
        for server in range(SERVERS)
        for metric in range(METRICS)
    ]
    started = time.perf_counter()
    ids = (await store.register(labels)).ids
    print(f"register {len(ids):,} series: {time.perf_counter() - started:.2f} s")
    batches = make_steps(ids, samples // len(ids))
    cpu, wall, worst = time.process_time(), time.perf_counter(), 0.0
    for batch in batches:
        sent = time.perf_counter()
        receipt = await store.append(batch, now_ms=int(batch.timestamps_ms[0]))
        worst = max(worst, time.perf_counter() - sent)
        assert receipt.accepted == len(batch)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    count = sum(map(len, batches))
    print(f"embedded, columnar, fsync a batch, sealing included: {count / cpu / 1e6:.2f} M samples/CPU-s, ", end="")
    print(f"{count / wall / 1e6:.2f} M/s, slowest batch {worst * 1e3:.0f} ms, {store.stats().seals} seals")

    end_ms = int(batches[-1].timestamps_ms[0])
    await query_times(store, "head and blocks", end_ms)
    await store.flush()
    stats = store.stats()
    size = await asyncio.to_thread(lambda: sum(path.stat().st_size for path in folder.iterdir()))
    print(
        f"sealed: {stats.block_bytes / stats.block_samples:.2f} bytes/sample in blocks, {size / count:.2f} on disk with the journal"
    )
    await query_times(store, "blocks, cached", end_ms)
    await store.close()
    started = time.perf_counter()
    store = await EmbeddedStore.open(folder)
    print(f"open again: {time.perf_counter() - started:.2f} s")
    await query_times(store, "blocks, cold", end_ms, repeats=1)
    await bench_import(store, end_ms)
    await store.close()


async def bench_import(store: EmbeddedStore, end_ms: int) -> None:
    """38 series x 23,694 rows in one call, as from a file."""
    ids = (await store.register([[("__name__", f"import_{i}"), ("server", "machine-1-2")] for i in range(38)])).ids
    rows = 23_694
    rng = np.random.default_rng(2)
    times = np.repeat(end_ms - np.arange(rows)[::-1] * 60_000, 38)
    columns = Columns(np.tile(ids, rows), times, np.round(rng.uniform(0, 1, rows * 38), 6))
    cpu, wall = time.process_time(), time.perf_counter()
    receipt = await store.append(columns, now_ms=end_ms)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    assert receipt.accepted == len(columns)
    print(
        f"import of {len(columns):,} samples in one call: {len(columns) / wall / 1e6:.2f} M/s, {len(columns) / cpu / 1e6:.2f} M/CPU-s"
    )


async def query_times(store: EmbeddedStore, state: str, end_ms: int, repeats: int = 9) -> None:
    one_metric = [Matcher("__name__", MatchOp.EQUAL, "metric_3")]
    one_series = [*one_metric, Matcher("server", MatchOp.EQUAL, "web-0500")]

    async def hour_average() -> object:
        data = await store.select(one_metric, end_ms - 3_600_000, end_ms)
        return np.add.reduceat(data.values, data.offsets[:-1]) / np.diff(data.offsets)

    cases: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("latest of 1,000 servers", lambda: store.latest(one_metric)),
        ("1 h average of 1,000 servers", hour_average),
        ("one series, all of it", lambda: store.select(one_series, START_MS, end_ms)),
    ]
    for name, query in cases:
        took = []
        for _ in range(repeats):
            started = time.perf_counter()
            await query()
            took.append(time.perf_counter() - started)
        print(f"{name} ({state}): {sorted(took)[len(took) // 2] * 1e3:.2f} ms")


def bench_rows(folder: Path) -> None:
    """The baseline: a table of (time, series, value) with its primary key, one executemany and one fsync a batch."""
    connection = sqlite3.connect(folder / "rows.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE sample (time INTEGER, series INTEGER, value REAL, PRIMARY KEY (time, series)) WITHOUT ROWID")
    series = SERVERS * METRICS
    batches = make_steps(np.arange(1, series + 1, dtype=np.uint64), BASELINE_SAMPLES // series)
    cpu = time.process_time()
    for batch in batches:
        rows = zip(batch.timestamps_ms.tolist(), batch.ids.tolist(), batch.values.tolist(), strict=True)
        connection.execute("BEGIN")
        connection.executemany("INSERT OR IGNORE INTO sample VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    cpu = time.process_time() - cpu
    count = sum(map(len, batches))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size = (folder / "rows.db").stat().st_size
    print(f"baseline, SQLite executemany, fsync a batch: {count / cpu / 1e6:.2f} M samples/CPU-s, {size / count:.1f} bytes/sample")


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of the embedded store")
    parser.add_argument("--samples", type=int, default=6_000_000)
    samples: int = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as folder:
        bench_rows(Path(folder))
        asyncio.run(bench_embedded(Path(folder) / "store", samples))


if __name__ == "__main__":
    main()
