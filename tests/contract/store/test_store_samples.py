"""What every `SampleStore` does with samples."""

import asyncio

import numpy as np
import pytest

from services.common.errors import RefusedError, ResourceExhaustedError
from services.metrics.domain.ports import MAX_ROW_ERRORS, MAX_TIME_MS, MIN_TIME_MS, Columns, Reason, Receipt, SampleStore, WriteMode
from tests.contract.store.conftest import Harness
from tests.support.samples import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, by_id, columns, equal, everything, register


async def append(store: SampleStore, rows: list[tuple[int, int, float]], mode: WriteMode = WriteMode.LIVE) -> Receipt:
    receipt = await store.append(columns(rows), mode=mode, now_ms=NOW_MS)
    assert receipt.accepted + receipt.rejected + receipt.duplicate + receipt.late == len(rows)
    assert int(receipt.mask.sum()) == receipt.accepted
    assert len(receipt.mask) == len(rows)
    return receipt


async def test_samples_come_back_by_series_and_time(store: SampleStore, harness: Harness) -> None:
    cpu, memory = (await register(store, "cpu", "memory")).tolist()
    receipt = await append(store, [(memory, NOW_MS, 3.0), (cpu, NOW_MS, 1.5), (cpu, NOW_MS + 1, -0.0), (cpu, NOW_MS - 5, 1e300)])
    assert receipt.accepted == 4
    store = await harness.settle(store)
    found = await everything(store)
    assert found == {cpu: [(NOW_MS - 5, 1e300), (NOW_MS, 1.5), (NOW_MS + 1, -0.0)], memory: [(NOW_MS, 3.0)]}
    assert np.signbit(found[cpu][-1][1]), "minus zero keeps its sign"


async def test_values_come_back_bit_for_bit(store: SampleStore, harness: Harness) -> None:
    ids = (await register(store, *(f"m{i}" for i in range(8)))).tolist()
    rng = np.random.default_rng(7)
    rows = []
    for step in range(50):
        values = [41.7 + step / 10, 1e15 + step, rng.normal(), 5e-324, -1.0 / 3, float(step % 2), 2.0**53 + 2 * step, 1.7e308]
        rows += [
            (series_id, NOW_MS - 60_000 + step * 1000 + series_id, value) for series_id, value in zip(ids, values, strict=True)
        ]
    assert (await append(store, rows)).accepted == len(rows)
    store = await harness.settle(store)
    found = await everything(store)
    expected: dict[int, list[tuple[int, float]]] = {}
    for series_id, time_ms, value in rows:
        expected.setdefault(series_id, []).append((time_ms, value))
    assert found == expected


async def test_the_range_is_inclusive_at_both_ends(store: SampleStore, harness: Harness) -> None:
    (cpu,) = (await register(store, "cpu")).tolist()
    await append(store, [(cpu, NOW_MS - i * 1000, float(i)) for i in range(10)])
    store = await harness.settle(store)
    data = await store.select([equal("__name__", "cpu")], NOW_MS - 7000, NOW_MS - 5000)
    assert by_id(data) == {cpu: [(NOW_MS - 7000, 7.0), (NOW_MS - 6000, 6.0), (NOW_MS - 5000, 5.0)]}
    assert data.labels == [(("__name__", "cpu"), ("server", "web-01"))]
    assert len(await store.select([equal("__name__", "cpu")], NOW_MS + 1, NOW_MS + 9)) == 0
    nothing = await store.select([equal("__name__", "absent")], MIN_TIME_MS, MAX_TIME_MS)
    assert len(nothing) == 0
    assert nothing.offsets.tolist() == [0]


async def test_the_first_of_two_samples_at_one_time_stays(store: SampleStore, harness: Harness) -> None:
    (cpu,) = (await register(store, "cpu")).tolist()
    receipt = await append(store, [(cpu, NOW_MS, 1.0), (cpu, NOW_MS, 2.0), (cpu, NOW_MS - 10, 5.0), (cpu, NOW_MS - 10, 6.0)])
    assert (receipt.accepted, receipt.duplicate) == (2, 2)
    assert receipt.mask.tolist() == [True, False, True, False]
    store = await harness.settle(store)
    receipt = await append(store, [(cpu, NOW_MS - 10, 9.0), (cpu, NOW_MS - 5, 7.0), (cpu, NOW_MS, 9.0), (cpu, NOW_MS + 1, 8.0)])
    assert receipt.mask.tolist() == [False, True, False, True]
    assert receipt.duplicate == 2
    store = await harness.settle(store)
    assert await everything(store) == {cpu: [(NOW_MS - 10, 5.0), (NOW_MS - 5, 7.0), (NOW_MS, 1.0), (NOW_MS + 1, 8.0)]}


async def test_a_batch_sent_again_changes_nothing(store: SampleStore, harness: Harness) -> None:
    ids = (await register(store, "cpu", "memory", "disk")).tolist()
    rows = [(series_id, NOW_MS - i * 1000, float(i)) for i in range(20) for series_id in ids]
    assert (await append(store, rows)).accepted == 60
    store = await harness.settle(store)
    before = await everything(store)
    assert (await append(store, rows)).duplicate == 60
    assert await everything(await harness.settle(store)) == before


async def test_out_of_order_samples_find_their_place(store: SampleStore, harness: Harness) -> None:
    cpu, memory = (await register(store, "cpu", "memory")).tolist()
    await append(store, [(cpu, NOW_MS, 0.0), (memory, NOW_MS, 0.0)])
    store = await harness.settle(store)
    for minutes in (30, 10, 20, 15):
        await append(store, [(cpu, NOW_MS - minutes * MINUTE_MS, float(minutes))])
    await append(store, [(cpu, NOW_MS - 12 * MINUTE_MS, 12.0), (cpu, NOW_MS - 18 * MINUTE_MS, 18.0), (memory, NOW_MS + 1, 1.0)])
    store = await harness.settle(store)
    found = await everything(store)
    assert [value for _, value in found[cpu]] == [30.0, 20.0, 18.0, 15.0, 12.0, 10.0, 0.0]
    assert found[memory] == [(NOW_MS, 0.0), (NOW_MS + 1, 1.0)]
    data = await store.select([equal("__name__", "cpu")], NOW_MS - 15 * MINUTE_MS, NOW_MS - 11 * MINUTE_MS)
    assert [value for _, value in by_id(data)[cpu]] == [15.0, 12.0]


async def test_a_new_series_may_begin_anywhere_within_retention(store: SampleStore, harness: Harness) -> None:
    (cpu,) = (await register(store, "cpu")).tolist()
    old = NOW_MS - 29 * DAY_MS
    assert (await append(store, [(cpu, old, 1.0), (cpu, NOW_MS, 2.0), (cpu, old + 1, 3.0)])).accepted == 3
    store = await harness.settle(store)
    assert await everything(store) == {cpu: [(old, 1.0), (old + 1, 3.0), (NOW_MS, 2.0)]}


async def test_live_samples_may_be_a_day_late_and_imports_any_age(store: SampleStore, harness: Harness) -> None:
    (cpu,) = (await register(store, "cpu")).tolist()
    await append(store, [(cpu, NOW_MS, 1.0)])
    store = await harness.settle(store)
    edge = [(cpu, NOW_MS - DAY_MS, 2.0), (cpu, NOW_MS - DAY_MS - 1, 3.0)]
    receipt = await append(store, edge)
    assert (receipt.accepted, receipt.late) == (1, 1)
    assert [(error.index, error.reason) for error in receipt.errors] == [(1, Reason.LATE)]
    receipt = await append(store, edge, WriteMode.IMPORT)
    assert (receipt.accepted, receipt.duplicate) == (1, 1)
    store = await harness.settle(store)
    assert [value for _, value in (await everything(store))[cpu]] == [3.0, 2.0, 1.0]


async def test_samples_that_cannot_be_are_refused_one_by_one(store: SampleStore, harness: Harness) -> None:
    (cpu,) = (await register(store, "cpu")).tolist()
    retention, future = store.limits.retention_ms, store.limits.future_ms
    rows = [
        (cpu, NOW_MS - retention - 1, 1.0),
        (cpu, NOW_MS - retention, 2.0),
        (cpu, NOW_MS + future + 1, 3.0),
        (cpu, NOW_MS + future, 4.0),
        (cpu + 1000, NOW_MS, 5.0),
        (2**63 + 5, NOW_MS, 5.0),
        (0, NOW_MS, 5.0),
        (cpu, NOW_MS, 6.0),
    ]
    receipt = await append(store, rows)
    assert (receipt.accepted, receipt.rejected) == (3, 5)
    assert [(error.index, error.reason.value) for error in receipt.errors] == [
        (0, "TOO_OLD"),
        (2, "IN_FUTURE"),
        (4, "UNKNOWN_SERIES"),
        (5, "UNKNOWN_SERIES"),
        (6, "UNKNOWN_SERIES"),
    ]
    store = await harness.settle(store)
    assert [value for _, value in (await everything(store))[cpu]] == [2.0, 6.0, 4.0]


async def test_every_double_is_kept_bit_for_bit(store: SampleStore, harness: Harness) -> None:
    (cpu,) = (await register(store, "cpu")).tolist()
    patterns = np.array(
        [
            0x7FF0000000000002,  # Prometheus's staleness marker
            0x7FF8000000000001,  # its ordinary NaN
            0xFFF8000000000000,
            0x7FF0000000000000,  # infinity
            0xFFF0000000000000,
            0x8000000000000000,  # minus zero
            0x4044D9999999999A,  # 41.7
        ],
        np.uint64,
    )
    times = NOW_MS + np.arange(len(patterns)) * 1000
    samples = Columns(np.full(len(patterns), cpu, np.uint64), times, patterns.view(np.float64))
    assert (await store.append(samples, now_ms=NOW_MS)).accepted == len(patterns)
    store = await harness.settle(store)
    found = await store.select([], NOW_MS, NOW_MS + 60_000)
    assert found.values.view(np.uint64).tolist() == patterns.tolist()
    newest = await store.latest()
    assert newest.values.view(np.uint64).tolist() == patterns[-1:].tolist()


async def test_errors_are_described_up_to_a_number(store: SampleStore) -> None:
    (cpu,) = (await register(store, "cpu")).tolist()
    receipt = await append(store, [(cpu + 1000, NOW_MS + i, 1.0) for i in range(300)])
    assert receipt.rejected == 300
    assert len(receipt.errors) == MAX_ROW_ERRORS


async def test_an_empty_batch_is_fine(store: SampleStore) -> None:
    assert (await store.append(Columns.empty(), now_ms=NOW_MS)).accepted == 0


async def test_the_newest_sample_of_each_series(store: SampleStore, harness: Harness) -> None:
    cpu, memory, _silent = (await register(store, "cpu", "memory", "silent")).tolist()
    await append(store, [(cpu, NOW_MS, 1.0), (memory, NOW_MS - 7, 2.0)])
    store = await harness.settle(store)
    await append(store, [(memory, NOW_MS - 9, 3.0), (cpu, NOW_MS + 4, 4.0)])
    store = await harness.settle(store)
    newest = await store.latest()
    assert newest.ids.tolist() == [cpu, memory]
    assert newest.timestamps_ms.tolist() == [NOW_MS + 4, NOW_MS - 7]
    assert newest.values.tolist() == [4.0, 2.0]
    assert (await store.latest([equal("__name__", "memory")])).values.tolist() == [2.0]
    assert (await store.latest(ids=np.array([memory, 999], np.uint64))).ids.tolist() == [memory]


async def test_a_query_that_reads_too_much_is_refused(store: SampleStore, harness: Harness) -> None:
    (cpu,) = (await register(store, "cpu")).tolist()
    await append(store, [(cpu, NOW_MS + i, float(i)) for i in range(100)])
    store = await harness.settle(store)
    assert len((await store.select([], MIN_TIME_MS, MAX_TIME_MS, max_samples=100)).values) == 100
    with pytest.raises(ResourceExhaustedError, match="99") as refusal:
        await store.select([], MIN_TIME_MS, MAX_TIME_MS, max_samples=99)
    assert refusal.value.reason == "TOO_MANY_SAMPLES"


async def test_old_samples_and_the_series_that_held_nothing_else_are_forgotten(store: SampleStore, harness: Harness) -> None:
    cpu, gone, silent = (await register(store, "cpu", "gone", "silent")).tolist()
    await append(store, [(cpu, NOW_MS - HOUR_MS, 1.0), (gone, NOW_MS - HOUR_MS, 2.0), (cpu, NOW_MS, 3.0)])
    store = await harness.settle(store)
    assert await store.delete_before(NOW_MS - MINUTE_MS) == 1
    store = await harness.settle(store)
    assert await everything(store) == {cpu: [(NOW_MS, 3.0)]}
    assert store.matching([]).tolist() == [cpu, silent]
    receipt = await append(store, [(gone, NOW_MS, 1.0), (cpu, NOW_MS - HOUR_MS, 9.0)])
    assert [error.reason for error in receipt.errors] == [Reason.UNKNOWN_SERIES, Reason.TOO_OLD]
    (again,) = (await register(store, "gone")).tolist()
    assert again not in {cpu, gone, silent}, "an id is never used again"
    await append(store, [(again, NOW_MS, 4.0)])
    store = await harness.settle(store)
    assert (await everything(store))[again] == [(NOW_MS, 4.0)]


async def test_deleted_series_are_gone_with_their_samples(store: SampleStore, harness: Harness) -> None:
    cpu, memory = (await register(store, "cpu", "memory")).tolist()
    await append(store, [(cpu, NOW_MS, 1.0), (memory, NOW_MS, 2.0), (cpu, NOW_MS - 1, 1.0)])
    await append(store, [(cpu, NOW_MS - 2, 1.0)])
    store = await harness.settle(store)
    assert await store.delete_series([equal("__name__", "cpu")]) == 1
    store = await harness.settle(store)
    assert await everything(store) == {memory: [(NOW_MS, 2.0)]}
    (again,) = (await register(store, "cpu")).tolist()
    store = await harness.settle(store)
    assert await everything(store) == {memory: [(NOW_MS, 2.0)]}
    assert (await append(store, [(again, NOW_MS, 5.0)])).accepted == 1
    assert (await everything(store))[again] == [(NOW_MS, 5.0)]


async def test_what_was_handed_over_before_a_deletion_does_not_come_back(store: SampleStore, harness: Harness) -> None:
    cpu, memory = (await register(store, "cpu", "memory")).tolist()

    async def write(number: int) -> Receipt:
        rows = [(cpu, NOW_MS + number, 1.0), (cpu, NOW_MS - number - 1, 1.0), (memory, NOW_MS + number, 2.0)]
        return await append(store, rows)

    writes = [asyncio.create_task(write(number)) for number in range(20)]
    deletion = asyncio.create_task(store.delete_series([equal("__name__", "cpu")]))
    assert {receipt.accepted for receipt in await asyncio.gather(*writes)} == {3}
    assert await deletion == 1
    store = await harness.settle(store)
    assert await everything(store) == {memory: [(NOW_MS + number, 2.0) for number in range(20)]}
    assert store.matching([]).tolist() == [memory]


async def test_a_closed_store_says_so(store: SampleStore) -> None:
    await store.close()
    await store.close()
    with pytest.raises(RefusedError) as refusal:
        await store.latest()
    assert refusal.value.reason == "STORE_CLOSED"
