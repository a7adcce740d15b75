"""Everything stored is sent on: to a receiver that works, fails, is slow, is away or picky, over restarts and kills."""

import asyncio
import random
import sqlite3
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from services.common.clock import Clock, ManualClock, SystemClock, settle
from services.common.telemetry import Telemetry
from services.metrics.adapters.embedded import EmbeddedStore
from services.metrics.adapters.remote_write_out.forwarder import RemoteWriteForwarder
from services.metrics.adapters.remote_write_out.options import RemoteWriteOptions
from services.metrics.adapters.remote_write_out.queue_file import QueueFile
from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import Columns, IdArray
from services.metrics.domain.write import SampleWriter, Source
from tests.support.killed_writer import write_until_killed
from tests.support.promql_corpus.prometheus import BINARY_VARIABLE, Prometheus, find_binary, running_prometheus
from tests.support.remote_write_receiver import Answer, RemoteWriteReceiver, Sample
from tests.support.samples import NOW_MS, columns, equal, register
from tests.support.waiting import until

KILLS = 6


@dataclass
class World:
    """A store whose samples are sent on."""

    store: EmbeddedStore
    forwarder: RemoteWriteForwarder
    writer: SampleWriter
    telemetry: Telemetry

    async def write(self, rows: list[tuple[int, int, float]]) -> int:
        return (await self.writer.write(columns(rows), Source.RPC)).accepted

    def count(self, outcome: str) -> float:
        return (
            self.telemetry.registry.get_sample_value("openmanager_metrics_remote_write_samples_total", {"outcome": outcome}) or 0.0
        )

    def queued(self) -> float:
        return self.telemetry.registry.get_sample_value("openmanager_metrics_remote_write_queued_samples") or 0.0

    async def until_empty(self) -> None:
        async def empty() -> bool:
            return self.queued() == 0

        await until(empty, every=0.01)

    async def until_counted(self, outcome: str, number: int) -> None:
        async def counted() -> bool:
            return self.count(outcome) >= number

        await until(counted, every=0.01)
        assert self.count(outcome) == number


@asynccontextmanager
async def world(
    folder: Path, url: str, *, clock: Clock | None = None, sending: bool = True, **options: int
) -> AsyncIterator[World]:
    store = await EmbeddedStore.open(folder)
    telemetry = Telemetry("metrics")
    tuned = RemoteWriteOptions(url, backoff_seconds=0.02, max_backoff_seconds=0.1, **options)  # type: ignore[arg-type]
    forwarder = await RemoteWriteForwarder.open(folder, tuned, store, clock or SystemClock(), telemetry)
    task = asyncio.create_task(forwarder.run()) if sending else None
    feed = Feed(NOW_MS)
    try:
        yield World(
            store, forwarder, SampleWriter(store, feed, ManualClock(NOW_MS / 1000), lambda _s, _r: None, forwarder), telemetry
        )
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await forwarder.close()
        await store.close()


@pytest.fixture
async def receiver() -> AsyncIterator[RemoteWriteReceiver]:
    made = RemoteWriteReceiver()
    await made.start()
    yield made
    await made.stop()


def sample(name: str, time_ms: int, value: float) -> Sample:
    return (("__name__", name), ("server", "web-01")), time_ms, struct.unpack("<q", struct.pack("<d", value))[0]


async def test_what_is_stored_arrives_and_what_is_not_does_not(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    async with world(tmp_path, receiver.url) as here:
        cpu, memory = (await register(here.store, "cpu", "memory")).tolist()
        assert (
            await here.write([(cpu, NOW_MS, 1.0), (memory, NOW_MS, float("inf")), (cpu, NOW_MS, 2.0), (cpu, NOW_MS + 10**9, 3.0)])
            == 2
        )
        assert await here.write([(cpu, NOW_MS, 1.0)]) == 0
        assert await here.write([(cpu, NOW_MS - 5, -0.0), (cpu, NOW_MS + 1, 4.0)]) == 2
        taken = await receiver.until_taken(4)
        assert sorted(taken) == sorted(
            [
                sample("cpu", NOW_MS, 1.0),
                sample("memory", NOW_MS, float("inf")),
                sample("cpu", NOW_MS - 5, -0.0),
                sample("cpu", NOW_MS + 1, 4.0),
            ]
        )
        await here.until_counted("sent", 4)
    assert receiver.headers["content-encoding"] == "snappy"
    assert receiver.headers["x-prometheus-remote-write-version"] == "0.1.0"


async def test_an_outage_and_a_restart_lose_nothing_and_keep_the_order(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    await receiver.stop()
    for start in (0, 50):
        async with world(tmp_path, receiver.url) as here:
            ids = (await register(here.store, "a", "b", "c")).tolist()
            for number in range(start, start + 50):
                assert await here.write([(series_id, NOW_MS + number, float(number)) for series_id in ids]) == 3
    async with world(tmp_path, receiver.url) as here:
        await receiver.start()
        taken = await receiver.until_taken(300)
        await here.until_counted("sent", 300)
        await here.until_empty()
    for name in "abc":
        assert [row for row in taken if dict(row[0])["__name__"] == name] == [
            sample(name, NOW_MS + n, float(n)) for n in range(100)
        ]
    assert len(taken) == 300


@pytest.mark.parametrize("status", [500, 503, 429, 401, 404, 302])
async def test_failures_that_may_pass_are_waited_for(receiver: RemoteWriteReceiver, tmp_path: Path, status: int) -> None:
    async def fail_thrice(_samples: list[Sample]) -> Answer:
        return Answer(status if receiver.requests <= 3 else 200)

    receiver.answer = fail_thrice
    async with world(tmp_path, receiver.url) as here:
        (cpu,) = (await register(here.store, "cpu")).tolist()
        await here.write([(cpu, NOW_MS, 1.0)])
        assert await receiver.until_taken(1) == [sample("cpu", NOW_MS, 1.0)]
        assert receiver.requests == 4
        await here.until_counted("sent", 1)


@pytest.mark.parametrize("header", ["120", "Tue, 14 Nov 2023 22:15:20 GMT"])
async def test_a_receiver_that_asks_for_time_is_given_it(receiver: RemoteWriteReceiver, tmp_path: Path, header: str) -> None:
    async def later(_samples: list[Sample]) -> Answer:
        return Answer(429, {"Retry-After": header}) if receiver.requests == 1 else Answer()

    receiver.answer = later
    clock = ManualClock(NOW_MS / 1000)
    async with world(tmp_path, receiver.url, clock=clock) as here:
        (cpu,) = (await register(here.store, "cpu")).tolist()
        await here.write([(cpu, NOW_MS, 1.0)])
        await receiver.until_asked(1)

        async def asleep() -> bool:
            return bool(clock._sleepers)

        await until(asleep, every=0.01)
        await clock.advance(119.0)
        await settle()
        assert receiver.requests == 1
        await clock.advance(1.0)
        assert await receiver.until_taken(1)


async def test_samples_that_a_receiver_refuses_do_not_take_others_with_them(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    async def picky(samples: list[Sample]) -> Answer:
        return Answer(400 if any(time_ms % 100 == 37 for _, time_ms, _ in samples) else 200)

    receiver.answer = picky
    async with world(tmp_path, receiver.url) as here:
        ids = (await register(here.store, *(f"m{i}" for i in range(5)))).tolist()
        await here.write([(series_id, NOW_MS + number, 1.0) for number in range(200) for series_id in ids])
        await here.until_counted("sent", 990)
        await here.until_counted("refused", 10)
        assert len(receiver.taken) == 990
        for series_id in range(5):
            times = [time_ms for labels, time_ms, _ in receiver.taken if dict(labels)["__name__"] == f"m{series_id}"]
            assert times == sorted(times), "the order of a series is kept while its request is taken apart"


async def test_looking_for_refused_samples_has_an_end(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    async def never(_samples: list[Sample]) -> Answer:
        return Answer(422)

    receiver.answer = never
    async with world(tmp_path, receiver.url, split_requests=20) as here:
        (cpu,) = (await register(here.store, "cpu")).tolist()
        await here.write([(cpu, NOW_MS + number, 1.0) for number in range(1000)])
        await here.until_counted("refused", 1000)
        assert receiver.requests < 60


async def test_history_that_a_receiver_does_not_take_costs_few_requests(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    newest: dict[str, int] = {}

    async def in_order_within_a_window(samples: list[Sample]) -> Answer:
        names = [dict(labels)["__name__"] for labels, _, _ in samples]
        if any(time_ms < newest.get(name, 0) - 50_001 for name, (_, time_ms, _) in zip(names, samples, strict=True)):
            return Answer(400)
        newest.update({name: max(newest.get(name, 0), time_ms) for name, (_, time_ms, _) in zip(names, samples, strict=True)})
        return Answer()

    receiver.answer = in_order_within_a_window
    async with world(tmp_path, receiver.url) as here:
        ids = (await register(here.store, *(f"m{i}" for i in range(5)))).tolist()
        await here.write([(series_id, NOW_MS, 1.0) for series_id in ids])
        await here.until_counted("sent", 5)
        before = receiver.requests
        late = [(series_id, NOW_MS - 100 * number, 1.0) for number in range(1, 1001) for series_id in ids]
        await here.write([*late, *[(series_id, NOW_MS + 1, 2.0) for series_id in ids]])
        await here.until_counted("refused", 5 * 500)
        await here.until_counted("sent", 5 + 5 + 5 * 500)
        assert receiver.requests - before < 140


async def test_a_receiver_that_hangs_holds_nobody_up(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def hang(_samples: list[Sample]) -> Answer:
        await go_on.wait()
        return Answer()

    receiver.answer = hang
    async with world(tmp_path, receiver.url) as here:
        (cpu,) = (await register(here.store, "cpu")).tolist()
        await here.write([(cpu, NOW_MS, 1.0)])
        await receiver.until_asked(1)
        async with asyncio.timeout(20):
            for number in range(1, 100):
                assert await here.write([(cpu, NOW_MS + number, 1.0)]) == 1
        go_on.set()
        assert len(await receiver.until_taken(100)) == 100
        assert receiver.requests < 10, "what has gathered goes together"


async def test_a_full_queue_drops_the_oldest_and_says_so(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    await receiver.stop()
    rng = np.random.default_rng(3)
    async with world(tmp_path, receiver.url, queue_bytes=100_000) as here:
        ids = await register(here.store, *(f"m{i}" for i in range(500)))
        for number in range(60):
            await here.writer.write(Columns(ids.copy(), np.full(500, NOW_MS + number), rng.normal(size=500)), Source.RPC)
        dropped = here.count("overflow")
        assert 0 < dropped < 60 * 500
        await receiver.start()
        await here.until_counted("sent", round(60 * 500 - dropped))
        missing = sorted(set(range(60)) - {time_ms - NOW_MS for _, time_ms, _ in receiver.taken})
        assert len(missing) == dropped / 500
        assert missing == list(range(missing[0], missing[-1] + 1)), "the oldest go, but for those that were on their way"
        assert missing[0] < 10


async def test_after_a_crash_what_was_stored_is_sent_and_what_was_not_is_not(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    async with world(tmp_path, receiver.url, sending=False) as here:
        cpu, memory = (await register(here.store, "cpu", "memory")).tolist()
        await here.store.append(columns([(cpu, NOW_MS - 9, 7.0)]), now_ms=NOW_MS)
        stored = columns([(cpu, NOW_MS, 1.0), (memory, NOW_MS, 2.0), (cpu, NOW_MS - 9, 8.0)])
        await here.forwarder.offer(stored)
        await here.store.append(stored, now_ms=NOW_MS)
        await here.forwarder.offer(columns([(cpu, NOW_MS + 1, 3.0)]))
    async with world(tmp_path, receiver.url) as here:
        await here.write([(memory, NOW_MS + 1, 4.0)])
        taken = await receiver.until_taken(3)
        assert sorted(taken) == sorted(
            [sample("cpu", NOW_MS, 1.0), sample("memory", NOW_MS, 2.0), sample("memory", NOW_MS + 1, 4.0)]
        )
        await here.until_counted("sent", 3)


async def test_a_writer_that_gives_up_holds_up_nobody(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    async with world(tmp_path, receiver.url) as here:
        ids = (await register(here.store, *(f"m{i}" for i in range(20)))).tolist()
        writes = [asyncio.create_task(here.write([(series_id, NOW_MS, 1.0)])) for series_id in ids]
        for turns, write in enumerate(writes):
            await settle(turns % 5)
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)
        assert await here.write([(ids[0], NOW_MS + 1, 2.0)]) == 1
        newest = await here.store.latest()
        expected = {f"m{ids.index(series_id)}" for series_id in newest.ids.tolist()}

        async def all_there() -> bool:
            return {dict(labels)["__name__"] for labels, _, _ in receiver.taken} == expected and here.queued() == 0

        await until(all_there, every=0.01)


async def test_series_that_are_deleted_by_now_are_left_out(receiver: RemoteWriteReceiver, tmp_path: Path) -> None:
    async with world(tmp_path, receiver.url, sending=False) as here:
        cpu, memory = (await register(here.store, "cpu", "memory")).tolist()
        await here.write([(cpu, NOW_MS, 1.0), (memory, NOW_MS, 2.0)])
        await here.writer.delete_series([equal("__name__", "cpu")])
    async with world(tmp_path, receiver.url) as here:
        assert await receiver.until_taken(1) == [sample("memory", NOW_MS, 2.0)]
        await here.until_counted("forgotten", 1)


async def test_a_queue_whose_disk_fails_does_not_stop_the_store(
    receiver: RemoteWriteReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    async with world(tmp_path, receiver.url) as here:
        (cpu,) = (await register(here.store, "cpu")).tolist()
        with monkeypatch.context() as broken:
            broken.setattr(QueueFile, "apply", fail)
            assert await here.write([(cpu, NOW_MS, 1.0)]) == 1
            await here.until_counted("queue_failed", 1)
        assert await here.write([(cpu, NOW_MS + 1, 2.0)]) == 1
        assert await receiver.until_taken(1) == [sample("cpu", NOW_MS + 1, 2.0)]


async def test_a_killed_process_loses_no_acknowledged_sample(receiver: RemoteWriteReceiver) -> None:
    rng = random.Random(5)

    async def moody(_samples: list[Sample]) -> Answer:
        return Answer(503 if rng.random() < 0.3 else 200)

    receiver.answer = moody
    with tempfile.TemporaryDirectory() as folder:
        acknowledged: set[int] = set()
        for kill in range(KILLS):
            command = [
                sys.executable,
                "-m",
                "tests.support.forwarding_writer",
                folder,
                receiver.url,
                str(max(acknowledged, default=0) + 10),
            ]
            acknowledged.update(await asyncio.to_thread(write_until_killed, command, rng.randint(10, 80)))
            if kill == KILLS // 2:
                await receiver.stop()
            elif kill == KILLS - 2:
                await receiver.start()
        async with world(Path(folder), receiver.url):

            async def all_there() -> bool:
                return acknowledged <= _whole_batches(receiver.taken)

            await until(all_there)


def _whole_batches(taken: list[Sample]) -> set[int]:
    series_of: dict[int, set[str]] = {}
    for labels, time_ms, _ in taken:
        series_of.setdefault((time_ms - NOW_MS) // 1000, set()).add(dict(labels)["i"])
    return {number for number, series in series_of.items() if len(series) == 50}


@pytest.fixture
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    binary = find_binary()
    if binary is None:
        pytest.skip(f"no Prometheus here: install the package `prometheus`, or name the program in {BINARY_VARIABLE}")
    with running_prometheus(binary, tmp_path_factory.mktemp("prometheus")) as running:
        yield running


async def test_a_real_prometheus_has_what_we_have(prometheus: Prometheus, tmp_path: Path) -> None:
    async with world(tmp_path, f"{prometheus.url}/api/v1/write") as here:
        ids: IdArray = await register(here.store, *(f"m{i}" for i in range(100)))
        for number in range(20):
            await here.writer.write(
                Columns(ids.copy(), np.full(100, NOW_MS + number * 1000), np.arange(100.0) + number / 8), Source.RPC
            )
        # Two of these are older than Prometheus takes, and come in one request with some that it does take.
        late = [(int(ids[0]), NOW_MS - 5000, 1.0), (int(ids[1]), NOW_MS - 7_200_000, 1.0), (int(ids[2]), NOW_MS + 20_000, 5.0)]
        await here.write(late)
        await here.until_counted("sent", 2001)
        await here.until_counted("refused", 2)
        answer = prometheus.query('{server="web-01"}', NOW_MS + 19_000)
        values = {row["metric"]["__name__"]: float(row["value"][1]) for row in answer["data"]["result"]}
        assert values == {f"m{i}": i + 19 / 8 for i in range(100)}
        for name, number in (("m0", 20), ("m1", 20), ("m2", 21)):
            counted = prometheus.query(f"count_over_time({name}[1m])", NOW_MS + 20_000)
            assert counted["data"]["result"][0]["value"][1] == str(number)
