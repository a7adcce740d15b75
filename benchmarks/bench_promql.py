"""PromQL over the embedded store, beside a Prometheus with the same samples when there is one.

Run: `python -m benchmarks.bench_promql [--series 20000]`. An hour of counters every 15 s, 20 a server, and one series over a day. Ours
is timed from the text of the query to the JSON of the answer, within the process; Prometheus over HTTP. Medians of five.
"""

import argparse
import asyncio
import contextlib
import statistics
import struct
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.support import print_table, ratio
from services.gateway.web.prometheus_json import result_json
from services.metrics.adapters.embedded import EmbeddedStore
from services.metrics.domain.ports import Columns, Labels, WriteMode
from services.metrics.domain.promql import evaluate_range
from tests.support.promql_corpus import ours
from tests.support.promql_corpus.prometheus import Prometheus, find_binary, running_prometheus
from tests.support.promql_corpus.remote_write import encode_series, snappy_literals

START_MS = 1_700_000_000_000
HOUR_MS, DAY_MS, EVERY_MS = 3_600_000, 86_400_000, 15_000
METRICS = 20
QUERIES = (
    "work_total",
    "rate(work_total[5m])",
    "sum by (part) (rate(work_total[5m]))",
    "max_over_time(work_total[10m])",
    "stddev_over_time(work_total[5m])",
    "quantile by (server) (0.9, work_total)",
    "topk(5, rate(work_total[5m]))",
    "work_total / on(server, part) work_total",
    "sum by (server) (work_total) / on(server) group_right work_total",
    "avg_over_time(sum by (part) (rate(work_total[1m]))[10m:1m])",
)
DAY_QUERIES = ("day_total", "rate(day_total[5m])", "avg_over_time(day_total[1h])")


def series_of(count: int) -> list[Labels]:
    return [(("__name__", "work_total"), ("part", f"p{k % METRICS}"), ("server", f"web-{k // METRICS:04}")) for k in range(count)]


def counters(count: int, steps: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.cumsum(np.random.default_rng(1).integers(0, 1_000, (count, steps)), axis=1).astype(np.float64)


async def fill(store: EmbeddedStore, labels: list[Labels], steps: int) -> None:
    ids = (await store.register(labels)).ids
    values = counters(len(labels), steps)
    times = START_MS + np.arange(steps) * EVERY_MS
    columns = Columns(np.repeat(ids, steps), np.tile(times, len(labels)), values.ravel())
    receipt = await store.append(columns, mode=WriteMode.IMPORT, now_ms=int(times[-1]))
    assert receipt.accepted == len(columns)


def fill_prometheus(prometheus: Prometheus, labels: list[Labels], steps: int) -> None:
    values, names = counters(len(labels), steps), [encode_series(one) for one in labels]
    for step in range(steps):
        parts = []
        for name, value in zip(names, values[:, step].tolist(), strict=True):
            parts.append(name(struct.pack("<d", value), START_MS + step * EVERY_MS))
            if len(parts) == 50_000:
                _post(prometheus, parts)
                parts = []
        _post(prometheus, parts)


def _post(prometheus: Prometheus, parts: list[bytes]) -> None:
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    body = snappy_literals(b"".join(parts))
    with urllib.request.urlopen(urllib.request.Request(f"{prometheus.url}/api/v1/write", body, headers), timeout=120):
        pass


async def median_ms(ask: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


async def answer(store: EmbeddedStore, query: str, start: int, end: int, step: int) -> str:
    return result_json(ours.result_of((await evaluate_range(query, store, start, end, step)).matrix))


@contextlib.contextmanager
def maybe_prometheus(folder: Path) -> Iterator[Prometheus | None]:
    binary = find_binary()
    if binary is None:
        print("no Prometheus here; ours alone")
        yield None
        return
    with running_prometheus(binary, folder) as running:
        yield running


async def compare(
    store: EmbeddedStore, peer: Prometheus | None, queries: tuple[str, ...], title: str, *ranges: tuple[int, int, int]
) -> None:
    rows = []
    for query in queries:
        row = [query]
        for start, end, step in ranges:
            mine = await median_ms(lambda: answer(store, query, start, end, step))  # noqa: B023  called before it changes
            row.append(f"{mine:.1f} ms")
            if peer is not None:
                theirs = await median_ms(lambda: asyncio.to_thread(peer.query_range, query, start, end, step))  # noqa: B023
                row += [f"{theirs:.1f} ms", ratio(theirs, mine)]
        rows.append(row)
    columns = [f"{(end - start) // step + 1} steps" for start, end, step in ranges]
    heads = [part for head in columns for part in ((head, "Prometheus", "ours is faster") if peer is not None else (head,))]
    print_table(title, ["query", *heads], rows)


async def run(series: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "peer").mkdir()
        store = await EmbeddedStore.open(folder / "store")
        with maybe_prometheus(folder / "peer") as peer:
            hour: list[Labels] = series_of(series)
            day: list[Labels] = [(("__name__", "day_total"), ("server", "web-0000"))]
            await fill(store, hour, HOUR_MS // EVERY_MS)
            await fill(store, day, DAY_MS // EVERY_MS)
            if peer is not None:
                await asyncio.to_thread(fill_prometheus, peer, hour, HOUR_MS // EVERY_MS)
                await asyncio.to_thread(fill_prometheus, peer, day, DAY_MS // EVERY_MS)
            end = START_MS + HOUR_MS
            await compare(store, peer, QUERIES, f"{series:,} series over an hour", (end, end, 1000), (START_MS, end, 60_000))
            await compare(store, peer, DAY_QUERIES, "one series over a day", (START_MS, START_MS + DAY_MS, 30_000))
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=5_000)
    asyncio.run(run(parser.parse_args().series))
