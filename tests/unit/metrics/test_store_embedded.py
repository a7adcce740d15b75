"""What the embedded store does beyond the contract: group commit, a full disk, sealing, bulk, memory."""

import asyncio
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from services.common.errors import ResourceExhaustedError, UnavailableError
from services.metrics.adapters.embedded import EmbeddedOptions, EmbeddedStore, codec
from services.metrics.adapters.embedded.engine import Engine
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS, Columns, WriteMode
from tests.support.samples import DAY_MS, HOUR_MS, NOW_MS, by_id, columns, equal, everything, register, series


def engine_of(store: EmbeddedStore) -> Engine:
    return store._engine


async def test_batches_that_wait_share_one_commit(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path)
    ids = (await register(store, *(f"m{i}" for i in range(50)))).tolist()
    batches = [columns([(series_id, NOW_MS, float(series_id)), (ids[0], NOW_MS + series_id, 0.0)]) for series_id in ids]
    receipts = await asyncio.gather(*(store.append(batch, now_ms=NOW_MS) for batch in batches))
    assert [receipt.accepted for receipt in receipts] == [2] * 50
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        (commits,) = connection.execute("SELECT count(*) FROM batch").fetchone()
    connection.close()
    assert commits < 10
    found = await everything(store)
    assert len(found) == 50
    assert len(found[ids[0]]) == 51
    await store.close()


async def test_a_sample_in_two_batches_of_one_commit_is_a_duplicate_in_the_second(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path)
    (cpu,) = (await register(store, "cpu")).tolist()
    receipts = await asyncio.gather(*(store.append(columns([(cpu, NOW_MS, float(i))]), now_ms=NOW_MS) for i in range(20)))
    assert [receipt.accepted for receipt in receipts] == [1] + [0] * 19
    assert [receipt.duplicate for receipt in receipts] == [0] + [1] * 19
    assert (await store.latest()).values.tolist() == [0.0]
    await store.close()


@pytest.mark.parametrize("direct_rows", [10**9, 1_000], ids=["through the journal", "straight into blocks"])
async def test_a_full_disk_refuses_the_batch_and_loses_nothing(tmp_path: Path, direct_rows: int) -> None:
    store = await EmbeddedStore.open(tmp_path, options=EmbeddedOptions(direct_rows=direct_rows))
    (cpu,) = (await register(store, "cpu")).tolist()
    await store.append(columns([(cpu, NOW_MS, 1.0)]), now_ms=NOW_MS)
    noise = np.random.default_rng(4).normal(size=50_000)
    big = Columns(np.full(50_000, cpu, np.uint64), NOW_MS + 1 + np.arange(50_000), noise)
    for connection in (engine_of(store).journal.connection, engine_of(store).catalog.connection):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(2):
        with pytest.raises(UnavailableError, match="full") as refusal:
            await store.append(big, now_ms=NOW_MS)
        assert refusal.value.reason == "STORE_WRITE_FAILED"
        assert refusal.value.retry_after_seconds
    with pytest.raises(UnavailableError):
        await store.register([series("m", i=str(i)) for i in range(5000)])
    assert await everything(store) == {cpu: [(NOW_MS, 1.0)]}
    assert store.stats().series == 1
    assert store.stats().write_failures == 3
    for connection in (engine_of(store).journal.connection, engine_of(store).catalog.connection):
        connection.execute("PRAGMA max_page_count = 1000000")
    assert (await store.append(big, now_ms=NOW_MS)).accepted == 50_000
    assert (await register(store, "memory")).all()
    assert len((await everything(store))[cpu]) == 50_001
    await store.close()


async def test_a_seal_that_fails_is_tried_again(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path, options=EmbeddedOptions(seal_samples=100, direct_rows=10**9))
    (cpu,) = (await register(store, "cpu")).tolist()
    connection = engine_of(store).catalog.connection
    connection.execute("CREATE TEMP TRIGGER full BEFORE INSERT ON block BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    expected = []
    for step in range(30):
        rows = [(cpu, NOW_MS + step * 10 + i, float(i)) for i in range(10)]
        expected += [(time_ms, value) for _, time_ms, value in rows]
        assert (await store.append(columns(rows), now_ms=NOW_MS)).accepted == 10
        if step == 20:
            await asyncio.to_thread(engine_of(store).packer.wait)
            failures = store.stats().write_failures
            assert failures > 0
            assert store.stats().blocks == 0
            connection.execute("DROP TRIGGER full")
    await store.flush()
    assert store.stats().head_samples == 0
    assert await everything(store) == {cpu: expected}
    await store.close()


async def test_the_head_is_sealed_when_it_is_old(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path)
    (cpu,) = (await register(store, "cpu")).tolist()
    for hour in range(4):
        await store.append(columns([(cpu, NOW_MS + hour * HOUR_MS, 1.0)]), now_ms=NOW_MS + hour * HOUR_MS)
    await asyncio.to_thread(engine_of(store).packer.wait)
    stats = store.stats()
    assert (stats.seals, stats.head_samples, stats.block_samples) == (1, 1, 3)
    await store.close()


async def test_reads_see_every_sample_once_while_the_head_is_sealed(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path, options=EmbeddedOptions(seal_samples=700, direct_rows=10**9))
    ids = await register(store, *(f"m{i}" for i in range(20)))
    written = 0
    done = asyncio.Event()

    async def write() -> None:
        nonlocal written
        for step in range(300):
            await store.append(Columns(ids, np.full(20, NOW_MS + step), np.full(20, float(step))), now_ms=NOW_MS)
            written = step + 1
        done.set()

    async def read() -> int:
        reads = 0
        while not done.is_set():
            before = written
            data = await store.select([], MIN_TIME_MS, MAX_TIME_MS)
            for rows in by_id(data).values():
                assert len(rows) >= before
                assert [value for _, value in rows] == [float(step) for step in range(len(rows))]
            reads += 1
        return reads

    _, *reads = await asyncio.gather(write(), read(), read())
    assert min(reads) > 3
    assert store.stats().seals > 5
    await store.close()


async def test_bulk_goes_into_blocks_and_not_through_the_head(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path)
    ids = await register(store, *(f"m{i}" for i in range(38)))
    rows = 3_000
    times = np.repeat(NOW_MS - 5 * DAY_MS + np.arange(rows) * 60_000, 38)
    rng = np.random.default_rng(3)
    history = Columns(np.tile(ids, rows), times, np.round(rng.uniform(0, 1, rows * 38), 4))
    await store.append(columns([(int(ids[0]), NOW_MS, 1.0), (int(ids[1]), NOW_MS - 4 * DAY_MS, 2.0)]), now_ms=NOW_MS)
    receipt = await store.append(history, mode=WriteMode.IMPORT, now_ms=NOW_MS)
    assert receipt.accepted == rows * 38 - 1
    assert receipt.duplicate == 1
    stats = store.stats()
    assert (stats.head_samples, stats.block_samples) == (2, rows * 38 - 1)
    assert (await store.append(history, mode=WriteMode.IMPORT, now_ms=NOW_MS)).duplicate == rows * 38
    live = columns([(int(ids[2]), NOW_MS, 9.0), (int(ids[0]), NOW_MS - 1, 8.0)])
    assert (await store.append(live, now_ms=NOW_MS)).accepted == 2
    for _ in range(2):
        data = await store.select([equal("__name__", "m2")], MIN_TIME_MS, MAX_TIME_MS)
        assert data.values[:-1].tolist() == history.values[2::38].tolist()
        assert (await store.latest([equal("__name__", "m2")])).values.tolist() == [9.0]
        assert (await store.latest([equal("__name__", "m0")])).values.tolist() == [1.0]
        await store.close()
        store = await EmbeddedStore.open(tmp_path)
    await store.close()


async def test_too_much_waiting_is_refused(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path, options=EmbeddedOptions(pending_samples=10))
    (cpu,) = (await register(store, "cpu")).tolist()
    batches = [columns([(cpu, NOW_MS + i * 10 + j, 0.0) for j in range(4)]) for i in range(5)]
    results = await asyncio.gather(*(store.append(batch, now_ms=NOW_MS) for batch in batches), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ResourceExhaustedError)]
    assert len(refused) == 3
    assert {error.reason for error in refused} == {"STORE_BUSY"}
    assert len((await everything(store))[cpu]) == 8
    await store.close()


async def test_a_caller_that_gives_up_does_not_disturb_the_others(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path)
    (cpu,) = (await register(store, "cpu")).tolist()
    tasks = [asyncio.create_task(store.append(columns([(cpu, NOW_MS + i, 0.0)]), now_ms=NOW_MS)) for i in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 10
    times = {time_ms for time_ms, _ in (await everything(store))[cpu]}
    assert {NOW_MS + i for i in range(1, 20, 2)} <= times
    await store.close()


async def test_without_pcodec_blocks_are_still_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(codec, "HAS_PCODEC", False)
        store = await EmbeddedStore.open(tmp_path)
        (cpu,) = (await register(store, "cpu")).tolist()
        rows = [(cpu, NOW_MS + i * 10, 40.0 + i % 7 / 10) for i in range(2000)]
        await store.append(columns(rows), now_ms=NOW_MS)
        await store.flush()
        assert store.stats().block_bytes < 2000
        assert (await everything(store))[cpu] == [(time_ms, value) for _, time_ms, value in rows]
    await store.append(columns([(cpu, NOW_MS - 5, 0.0)]), now_ms=NOW_MS)
    await store.flush()
    assert len((await everything(store))[cpu]) == 2001
    await store.close()


async def test_a_block_of_a_codec_that_is_missing_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not codec.HAS_PCODEC:
        pytest.skip("needs pcodec to write the block")
    store = await EmbeddedStore.open(tmp_path)
    (cpu,) = (await register(store, "cpu")).tolist()
    await store.append(columns([(cpu, NOW_MS, 1.0), (cpu, NOW_MS + 1, 1.0)]), now_ms=NOW_MS)
    await store.flush()
    monkeypatch.setattr(codec, "HAS_PCODEC", False)
    assert await everything(store) == {}
    assert store.stats().bad_blocks == 1
    await store.close()


async def test_memory_of_a_series_is_small(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path)
    answer = await store.register([series(f"m{i % 20}", server=f"s{i // 20}") for i in range(20_000)])
    for step in range(10):
        times = np.full(20_000, NOW_MS + step)
        await store.append(Columns(answer.ids, times, np.zeros(20_000)), now_ms=NOW_MS)
    assert store.stats().head_bytes < 20_000 * 600
    await store.close()


async def test_expired_blocks_leave_the_file(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path)
    cpu, gone = (await register(store, "cpu", "gone")).tolist()
    await store.append(columns([(cpu, NOW_MS - HOUR_MS, 1.0), (gone, NOW_MS - HOUR_MS, 1.0)]), now_ms=NOW_MS)
    await store.flush()
    await store.append(columns([(cpu, NOW_MS, 2.0)]), now_ms=NOW_MS)
    await store.flush()
    assert store.stats().blocks == 3
    await store.delete_before(NOW_MS - 1000)
    assert store.stats().blocks == 1
    assert store.stats().series == 1
    await store.close()


async def test_what_merges_and_deletions_leave_free_is_given_back(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path, options=EmbeddedOptions(seal_samples=10**9, direct_rows=10**9))
    ids = await register(store, *(f"m{i}" for i in range(30)))
    noise = np.random.default_rng(5).normal(size=(6, 400 * len(ids)))
    for part, values in enumerate(noise):
        times = NOW_MS + part * 400_000 + np.arange(400) * 1000
        receipt = await store.append(Columns(np.repeat(ids, 400), np.tile(times, len(ids)), values), now_ms=NOW_MS + 2 * HOUR_MS)
        assert receipt.accepted == values.size
        await store.flush()
    before = await everything(store)
    await store.compact()
    stats = store.stats()
    assert stats.blocks == len(ids)
    assert await everything(store) == before
    await store.delete_series([equal("__name__", "m0")])
    await store.compact()
    await store.close()
    connection = sqlite3.connect(tmp_path / "blocks.db")
    assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    connection.close()
    assert (tmp_path / "journal.db").stat().st_size < 2**20
    assert (tmp_path / "blocks.db").stat().st_size < 1.2 * stats.block_bytes
