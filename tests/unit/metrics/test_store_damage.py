"""Damaged files: nothing that is still there is lost, and a person is told what to do."""

import sqlite3
from pathlib import Path

import pytest

from services.common.errors import RefusedError
from services.metrics.adapters.embedded import EmbeddedOptions, EmbeddedStore, doctor
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS
from tests.support.samples import NOW_MS, by_id, columns, equal, everything, register

Found = dict[int, list[tuple[int, float]]]


async def fill(folder: Path) -> Found:
    """Two seals and a journal row; three series of different metrics, so that each has blocks of its own."""
    store = await EmbeddedStore.open(folder)
    ids = (await register(store, "cpu", "memory", "disk")).tolist()
    for part in range(3):
        rows = [(series_id, NOW_MS + part * 1000 + i, float(series_id + i)) for series_id in ids for i in range(100)]
        await store.append(columns(rows), now_ms=NOW_MS)
        if part < 2:
            await store.flush()
    found = await everything(store)
    await store.close()
    return found


async def reopened(folder: Path) -> Found:
    store = await EmbeddedStore.open(folder)
    try:
        return await everything(store)
    finally:
        await store.close()


def flip_a_bit_of_block(folder: Path, number: int) -> None:
    with sqlite3.connect(folder / "blocks.db") as connection:
        (data,) = connection.execute("SELECT data FROM block WHERE id = ?", (number,)).fetchone()
        spoiled = bytearray(data)
        spoiled[len(spoiled) // 2] ^= 4
        connection.execute("UPDATE block SET data = ? WHERE id = ?", (bytes(spoiled), number))
    connection.close()


async def test_a_sound_store_is_said_to_be_sound(tmp_path: Path) -> None:
    assert doctor.check(tmp_path / "never-started").sound
    await fill(tmp_path)
    report = doctor.check(tmp_path)
    assert report.sound
    assert [file.good_rows for file in report.files] == [6, 1]
    assert doctor.repair(tmp_path, now=0).sound
    assert not list(tmp_path.glob("*corrupt*"))


async def test_a_flipped_bit_costs_its_block_and_no_more(tmp_path: Path) -> None:
    before = await fill(tmp_path)
    flip_a_bit_of_block(tmp_path, 1)
    store = await EmbeddedStore.open(tmp_path)
    found = await everything(store)
    assert {series_id: len(rows) for series_id, rows in found.items()} == {1: 200, 2: 300, 3: 300}
    assert store.stats().bad_blocks == 1
    data = await store.select([equal("__name__", "memory")], MIN_TIME_MS, MAX_TIME_MS)
    assert by_id(data) == {2: before[2]}
    await store.close()

    report = doctor.check(tmp_path)
    assert [file.bad_rows for file in report.files] == [1, 0]
    assert any("block 1 " in problem for problem in report.files[0].problems)
    repaired = doctor.repair(tmp_path, now=1_700_000_000)
    assert repaired.files[0].moved_to == tmp_path / "blocks.db.corrupt-20231114T221320Z"
    assert (repaired.files[0].good_rows, repaired.files[0].bad_rows) == (5, 1)
    assert doctor.check(tmp_path).sound
    assert await reopened(tmp_path) == found


async def test_a_damaged_journal_row_costs_itself_alone(tmp_path: Path) -> None:
    before = await fill(tmp_path)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE batch SET crc = crc + 1")
    connection.close()
    store = await EmbeddedStore.open(tmp_path)
    assert {series_id: len(rows) for series_id, rows in (await everything(store)).items()} == {1: 200, 2: 200, 3: 200}
    assert store.stats().extra["bad_batches"] == 1
    await store.append(columns([(1, NOW_MS + 10_000, 1.0)]), now_ms=NOW_MS)
    await store.close()
    assert doctor.check(tmp_path).files[1].bad_rows == 1
    doctor.repair(tmp_path, now=0)
    assert doctor.check(tmp_path).sound
    assert (await reopened(tmp_path))[1] == [*before[1][:200], (NOW_MS + 10_000, 1.0)]


@pytest.mark.parametrize("name", ["blocks.db", "journal.db"])
async def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path, name: str) -> None:
    before = await fill(tmp_path)
    (tmp_path / name).write_bytes(b"not a database at all" * 1000)
    with pytest.raises(RefusedError, match="openmanager doctor") as refusal:
        await EmbeddedStore.open(tmp_path)
    assert refusal.value.reason == "DATA_CORRUPT"
    assert name in refusal.value.message
    assert not doctor.check(tmp_path).sound
    doctor.repair(tmp_path, now=0)
    assert doctor.check(tmp_path).sound
    found = await reopened(tmp_path)
    # Without its series a store begins anew; without its journal it has what was sealed.
    assert found == ({} if name == "blocks.db" else {series_id: rows[:200] for series_id, rows in before.items()})
    assert list(tmp_path.glob(f"{name}.corrupt-*"))


async def test_a_damaged_page_is_survived(tmp_path: Path) -> None:
    await fill(tmp_path)
    path = tmp_path / "blocks.db"
    spoiled = bytearray(path.read_bytes())
    (root,) = sqlite3.connect(path).execute("SELECT rootpage FROM sqlite_master WHERE name = 'block'").fetchone()
    spoiled[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(spoiled)
    with pytest.raises(RefusedError) as refusal:
        await EmbeddedStore.open(tmp_path)
    assert refusal.value.reason == "DATA_CORRUPT"
    doctor.repair(tmp_path, now=0)
    assert doctor.check(tmp_path).sound
    assert {series_id: len(rows) for series_id, rows in (await reopened(tmp_path)).items()} == {1: 100, 2: 100, 3: 100}


async def test_a_journal_of_another_store_is_not_replayed(tmp_path: Path) -> None:
    await fill(tmp_path / "a")
    before = await fill(tmp_path / "b")
    (tmp_path / "a" / "journal.db").replace(tmp_path / "b" / "journal.db")
    with pytest.raises(RefusedError) as refusal:
        await EmbeddedStore.open(tmp_path / "b")
    assert refusal.value.reason == "DATA_CORRUPT"
    doctor.repair(tmp_path / "b", now=0)
    assert await reopened(tmp_path / "b") == {series_id: rows[:200] for series_id, rows in before.items()}


async def test_after_a_repair_ids_are_not_given_twice(tmp_path: Path) -> None:
    before = await fill(tmp_path)
    flip_a_bit_of_block(tmp_path, 1)
    with sqlite3.connect(tmp_path / "blocks.db") as connection:
        connection.execute("DELETE FROM series WHERE id = 3")
        connection.execute("DELETE FROM meta WHERE key = 'next_series'")
    connection.close()
    doctor.repair(tmp_path, now=0)
    store = await EmbeddedStore.open(tmp_path)
    (new,) = (await register(store, "new")).tolist()
    assert new not in before
    assert set(await everything(store)) == {1, 2}
    await store.close()


async def fill_with_repeats(folder: Path) -> Found:
    """Batches of one layout in the journal, none of them sealed."""
    store = await EmbeddedStore.open(folder, options=EmbeddedOptions(repeat_rows=3))
    ids = (await register(store, "cpu", "memory", "disk")).tolist()
    for step in range(10):
        await store.append(columns([(series_id, NOW_MS + step, float(step)) for series_id in ids]), now_ms=NOW_MS)
    found = await everything(store)
    await store.close()
    return found


@pytest.mark.parametrize("copies", [1, 2])
async def test_a_layout_is_lost_only_when_both_of_its_copies_are(tmp_path: Path, copies: int) -> None:
    before = await fill_with_repeats(tmp_path)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE layout SET ids = zeroblob(length(ids)) WHERE copy < ?", (copies,))
    connection.close()
    report = doctor.check(tmp_path)
    assert report.sound == (copies == 1)
    if copies == 1:
        assert await reopened(tmp_path) == before
        return
    store = await EmbeddedStore.open(tmp_path)
    # What came before its first repetition names its series itself.
    assert await everything(store) == {series_id: rows[:1] for series_id, rows in before.items()}
    assert store.stats().extra["bad_batches"] == 9
    await store.close()
    assert doctor.repair(tmp_path, now=0).files[1].bad_rows == 9
    assert doctor.check(tmp_path).sound


async def test_a_flipped_bit_in_a_repeating_batch_costs_it_alone(tmp_path: Path) -> None:
    before = await fill_with_repeats(tmp_path)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        (data,) = connection.execute("SELECT data FROM frame WHERE place = 4").fetchone()
        connection.execute("UPDATE frame SET data = ? WHERE place = 4", (data[:-1] + bytes([data[-1] ^ 1]),))
        # A number that is not what was written counts as damage, too: it says whether the row is needed.
        connection.execute("UPDATE frame SET number = number + 100 WHERE place = 6")
    connection.close()
    assert doctor.check(tmp_path).files[1].bad_rows == 2
    assert doctor.repair(tmp_path, now=0).files[1].good_rows == 8
    assert await reopened(tmp_path) == {
        series_id: [row for step, row in enumerate(rows) if step not in (4, 6)] for series_id, rows in before.items()
    }
