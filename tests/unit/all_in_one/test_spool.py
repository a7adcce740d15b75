"""The agent's spool keeps what it was given, in order, within its bounds, whatever happens to the process."""

import itertools
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from services.all_in_one.commands.spool import FILE, Spool, SpoolError
from services.common.errors import RefusedError
from services.common.folder_lock import FolderLock
from tests.support.spools import HastyClock, fill, numbers, open_spool

ROOT = Path(__file__).parents[3]
DAY = 86_400.0


def waiting(spool: Spool, max_rows: int = 10**9) -> list[int]:
    return numbers([reading.sample for reading in spool.oldest(max_rows)])


def test_what_waits_comes_in_order_also_after_a_restart(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, HastyClock())
    fill(spool, 5)
    spool.close()
    spool = open_spool(tmp_path, HastyClock(), name="another name")
    assert spool.id == "spool"
    assert waiting(spool) == [0, 1, 2, 3, 4]
    spool.remove(spool.oldest(2))
    assert waiting(spool) == [2, 3, 4]
    assert spool.waiting() == 3
    assert spool.dropped == 0
    spool.close()


def test_a_batch_has_at_most_so_many_values_and_at_least_one_reading(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, HastyClock())
    fill(spool, 5, values=4)
    assert waiting(spool, 9) == [0, 1]
    assert waiting(spool, 1) == [0]
    spool.close()


def test_no_number_is_given_twice(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, HastyClock())
    fill(spool, 3)
    spool.remove(spool.oldest(10))
    spool.close()
    spool = open_spool(tmp_path, HastyClock())
    fill(spool, 1, first=3)
    assert [reading.number for reading in spool.oldest(10)] == [4]
    spool.close()


def test_the_oldest_give_way_when_the_file_is_full(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, HastyClock(), max_bytes=128 * 1024)
    fill(spool, 2000, values=5)
    kept = waiting(spool)
    assert kept == list(range(kept[0], 2000))
    assert spool.dropped == kept[0]
    assert len(kept) > 300
    assert (tmp_path / FILE).stat().st_size <= 160 * 1024
    assert (tmp_path / f"{FILE}-wal").stat().st_size <= 1_200_000
    spool.close()


def test_the_oldest_give_way_when_no_gateway_would_take_them(tmp_path: Path) -> None:
    clock = HastyClock()
    spool = open_spool(tmp_path, clock)
    fill(spool, 5)
    clock.time += 30 * DAY + 2.5
    assert waiting(spool) == [3, 4]
    assert spool.dropped == 3
    spool.close()


def test_a_flipped_bit_sets_the_file_aside_and_costs_one_reading(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, HastyClock())
    fill(spool, 200)
    spool.close()
    content = bytearray((tmp_path / FILE).read_bytes())
    content[content.index(b'"value_0":77.0') + 11] ^= 1
    (tmp_path / FILE).write_bytes(content)
    spool = open_spool(tmp_path, HastyClock(), name="new")
    assert waiting(spool) == [number for number in range(200) if number != 77]
    assert spool.id == "new"
    (aside,) = tmp_path.glob(f"damaged-*-{FILE}")
    with sqlite3.connect(aside) as damaged:
        assert damaged.execute("SELECT count(*) FROM reading").fetchone() == (200,)
    damaged.close()
    spool.close()


def test_damage_that_comes_while_it_is_open_is_met_as_well(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, HastyClock())
    fill(spool, 3)
    with sqlite3.connect(tmp_path / FILE) as other:
        other.execute("UPDATE reading SET body = x'7b7d' WHERE id = 2")
    other.close()
    assert waiting(spool) == [0, 2]
    assert list(tmp_path.glob(f"damaged-*-{FILE}"))
    spool.close()


def test_a_page_of_garbage_costs_what_was_on_it(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, HastyClock())
    fill(spool, 500)
    spool.close()
    content = bytearray((tmp_path / FILE).read_bytes())
    page = content.index(b'"value_0":250.0') // 4096
    content[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    (tmp_path / FILE).write_bytes(content)
    spool = open_spool(tmp_path, HastyClock())
    kept = waiting(spool)
    assert kept == sorted(kept)
    assert {0, 499} <= set(kept)
    assert 450 < len(kept) < 500
    spool.close()


@pytest.mark.parametrize("content", [b"", b"this is no database, and has never been one" * 100])
def test_a_file_that_is_no_spool_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    spool = open_spool(tmp_path, HastyClock())
    fill(spool, 2)
    assert waiting(spool) == [0, 1]
    assert [path.read_bytes() for path in tmp_path.glob(f"damaged-*-{FILE}")] == ([content] if content else [])
    spool.close()


def test_a_spool_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    open_spool(tmp_path, HastyClock()).close()
    with sqlite3.connect(tmp_path / FILE) as newer:
        newer.execute("PRAGMA user_version = 2")
    newer.close()
    with pytest.raises(SpoolError, match="made by a newer release"):
        open_spool(tmp_path, HastyClock())
    assert not list(tmp_path.glob("damaged-*"))


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="cannot be used: unable to open database file"):
        open_spool(tmp_path / "missing", HastyClock())


def test_kill_9_loses_nothing_that_was_said_to_be_durable(tmp_path: Path) -> None:
    rng = random.Random(4)
    said: list[int] = []
    for _ in range(8):
        first = max(said, default=-1) + 2  # one may be durable that was not said to be
        command = [sys.executable, "-m", "tests.support.spool_filler", str(tmp_path), str(first)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = list(itertools.islice(process.stdout, rng.randint(1, 60)))
            with pytest.raises(RefusedError, match="in use by process"):
                FolderLock(tmp_path).acquire()
            process.kill()
            lines += process.stdout.readlines()
        said += [int(line) for line in lines if line.endswith("\n")]
    spool = open_spool(tmp_path, HastyClock())
    kept = waiting(spool)
    assert set(said) <= set(kept)
    assert kept == sorted(set(kept))
    assert len(kept) - len(said) <= 8
    assert not list(tmp_path.glob("damaged-*"))
    spool.close()
