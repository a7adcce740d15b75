"""`kill -9` in the middle of writing: every acknowledged sample is there, once."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np

from services.metrics.adapters.embedded import EmbeddedStore, doctor
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS
from tests.support.killed_writer import ROOT, write_until_killed
from tests.support.samples import by_id
from tests.support.store_writer import batch_of

KILLS = 10
WRITER = (sys.executable, "-m", "tests.support.store_writer")


def delete_and_be_killed(folder: Path, sealed: str) -> None:
    command = [sys.executable, "-m", "tests.support.store_deleter", str(folder), sealed]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "deleted\n"
        process.kill()


async def test_no_acknowledged_sample_is_lost_or_doubled(tmp_path: Path) -> None:
    rng = random.Random(20)
    acknowledged: set[int] = set()
    seals = 0
    for _ in range(KILLS):
        first = max(acknowledged, default=0) + 10
        numbers = write_until_killed([*WRITER, str(tmp_path), str(first)], rng.randint(20, 200))
        assert numbers, "the writer acknowledged nothing"
        acknowledged.update(numbers)
        store = await EmbeddedStore.open(tmp_path)
        ids = store.matching([])
        found = by_id(await store.select([], MIN_TIME_MS, MAX_TIME_MS))
        rows = {(series_id, time_ms): value for series_id, samples in found.items() for time_ms, value in samples}
        assert len(rows) == sum(map(len, found.values())), "a time came twice"
        for number in acknowledged:
            batch = batch_of(ids, number)
            for series_id, time_ms in zip(batch.ids.tolist(), batch.timestamps_ms.tolist(), strict=True):
                assert rows[series_id, time_ms] == number
        for samples in found.values():
            assert (np.diff([time_ms for time_ms, _ in samples]) > 0).all()
        newest = await store.latest()
        assert all(
            rows[series_id, time_ms] == value
            for series_id, time_ms, value in zip(
                newest.ids.tolist(), newest.timestamps_ms.tolist(), newest.values.tolist(), strict=True
            )
        )
        seals = store.stats().blocks
        await store.close()
        assert doctor.check(tmp_path).sound
    assert seals > KILLS, "the kills are meant to hit seals too"


async def test_a_kill_after_a_deletion_brings_nothing_back(tmp_path: Path) -> None:
    for sealed in ("sealed", "journalled"):
        folder = tmp_path / sealed
        delete_and_be_killed(folder, sealed)
        store = await EmbeddedStore.open(folder)
        found = await store.select([], MIN_TIME_MS, MAX_TIME_MS)
        assert {dict(labels)["__name__"] for labels in found.labels} == {"kept"}
        assert len(store.matching([])) == 1
        assert store.stats().block_samples + store.stats().head_samples == len(found.values)
        await store.close()
        assert doctor.check(folder).sound
