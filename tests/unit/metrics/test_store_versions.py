"""Folders of the store's first version open, can be repaired, and read the same; those of a later version are refused."""

import sqlite3
from pathlib import Path

import pytest

from services.common.errors import RefusedError
from services.metrics.adapters.embedded import EmbeddedStore, codec, doctor
from tests.support.samples import NOW_MS, columns, everything

FIRST_VERSION = Path(__file__).parents[2] / "support" / "store_v1"
"""Nine series of sixty samples: thirty and fifteen in blocks, the rest in the journal."""

pytestmark = pytest.mark.skipif(not codec.HAS_PCODEC, reason="the blocks are compressed with pcodec")


def expected() -> dict[int, list[tuple[int, float]]]:
    rows: dict[int, list[tuple[int, float]]] = {series_id: [] for series_id in range(1, 10)}
    for step in range(60):
        values = [10.5 + step / 10] * 3 + [step * 100.0] * 3 + [1 / (step + 3)] * 3
        for series_id, value in enumerate(values, 1):
            rows[series_id].append((NOW_MS + step * 1000, value))
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("blocks", "journal"):
        connection = sqlite3.connect(tmp_path / f"{name}.db")
        connection.executescript((FIRST_VERSION / f"{name}.sql").read_text())
        connection.close()
    return tmp_path


async def test_a_folder_of_the_first_version_opens_and_goes_on(folder: Path) -> None:
    assert doctor.check(folder).sound
    for _ in range(2):
        store = await EmbeddedStore.open(folder)
        assert await everything(store) == expected()
        assert (await store.latest()).timestamps_ms.tolist() == [NOW_MS + 59_000] * 9
        await store.close()
    store = await EmbeddedStore.open(folder)
    await store.compact()
    assert await everything(store) == expected()
    assert (await store.append(columns([(1, NOW_MS + 60_000, 1.0)]), now_ms=NOW_MS)).accepted == 1
    await store.close()
    assert doctor.check(folder).sound


async def test_a_damaged_folder_of_the_first_version_is_repaired(folder: Path) -> None:
    with sqlite3.connect(folder / "blocks.db") as connection:
        connection.execute("UPDATE block SET crc = crc + 1 WHERE id = 1")
    connection.close()
    assert not doctor.check(folder).sound
    assert doctor.repair(folder, now=0).files[0].bad_rows == 1
    assert doctor.check(folder).sound
    store = await EmbeddedStore.open(folder)
    found = await everything(store)
    assert {series_id: rows[-15:] for series_id, rows in found.items()} == {k: rows[-15:] for k, rows in expected().items()}
    assert sum(map(len, found.values())) == 9 * 60 - 3 * 30
    await store.close()


async def test_a_folder_of_a_later_version_is_refused_and_left_alone(folder: Path) -> None:
    store = await EmbeddedStore.open(folder)
    await store.close()
    with sqlite3.connect(folder / "blocks.db") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.close()
    before = (folder / "blocks.db").read_bytes()
    with pytest.raises(RefusedError, match="later version") as refusal:
        await EmbeddedStore.open(folder)
    assert refusal.value.reason == "DATA_TOO_NEW"
    assert (folder / "blocks.db").read_bytes() == before
