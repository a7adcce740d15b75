"""A copy of a store that is written to has what was acknowledged before it, and becomes a store again."""

import asyncio
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from services.common.errors import RefusedError
from services.metrics.adapters.embedded import EmbeddedOptions, EmbeddedStore
from services.metrics.adapters.embedded.backup import back_up, restore
from services.metrics.adapters.embedded.doctor import check
from services.metrics.domain.ports import Columns
from tests.support.samples import NOW_MS, everything, register

NAMES = [f"m{i}" for i in range(40)]
BUSY = EmbeddedOptions(seal_samples=2_000, repeat_rows=8, direct_rows=10**9)


async def filled(folder: Path, steps: int) -> EmbeddedStore:
    store = await EmbeddedStore.open(folder, options=BUSY)
    await write(store, 0, steps)
    return store


async def write(store: EmbeddedStore, first: int, steps: int) -> None:
    ids = await register(store, *NAMES)
    for step in range(first, first + steps):
        receipt = await store.append(Columns(ids, np.full(len(ids), NOW_MS + step), np.full(len(ids), float(step))), now_ms=NOW_MS)
        assert receipt.accepted == len(ids)


async def test_a_copy_taken_while_samples_come_has_all_that_was_acknowledged_before(tmp_path: Path) -> None:
    store = await filled(tmp_path / "store", 120)
    copying = asyncio.create_task(store.backup(tmp_path / "copy"))
    await write(store, 120, 200)
    await copying
    await store.close()
    assert check(tmp_path / "copy").sound
    restore(tmp_path / "copy", tmp_path / "restored")
    again = await EmbeddedStore.open(tmp_path / "restored")
    held = await everything(again)
    assert len(held) == len(NAMES)
    for rows in held.values():
        steps = [time_ms - NOW_MS for time_ms, _ in rows]
        assert steps == list(range(len(steps)))
        assert len(steps) >= 120
        assert [value for _, value in rows] == [float(step) for step in steps]
    assert (await register(again, *NAMES)).tolist() == list(range(1, len(NAMES) + 1))
    await again.close()


async def test_a_copy_never_takes_the_place_of_something(tmp_path: Path) -> None:
    store = await filled(tmp_path / "store", 10)
    await store.close()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for act in (back_up, restore):
        with pytest.raises(RefusedError) as refusal:
            act(tmp_path / "store", tmp_path / "full")
        assert refusal.value.reason == "TARGET_NOT_EMPTY"
    with pytest.raises(RefusedError) as missing:
        back_up(tmp_path / "nothing", tmp_path / "copy")
    assert missing.value.reason == "NO_STORE"
    assert not (tmp_path / "copy").exists()


async def test_a_damaged_copy_is_not_restored(tmp_path: Path) -> None:
    store = await filled(tmp_path / "store", 200)
    await store.flush()
    await store.close()
    back_up(tmp_path / "store", tmp_path / "copy")
    with sqlite3.connect(tmp_path / "copy" / "blocks.db") as connection:
        connection.execute("UPDATE block SET data = zeroblob(length(data)) WHERE id = (SELECT min(id) FROM block)")
    with pytest.raises(RefusedError) as refusal:
        restore(tmp_path / "copy", tmp_path / "restored")
    assert refusal.value.reason == "DATA_CORRUPT"
    assert not (tmp_path / "restored").exists()
