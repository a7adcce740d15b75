"""A fill of the past that ends in the middle, at any point, is brought to its end by the next start."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.metrics.adapters.embedded import EmbeddedStore
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS
from services.metrics.domain.stored_fleet import FLEET
from tests.support.fleet_filler import HISTORY_DAYS, NOW, SERVERS, fill, on_parts
from tests.support.virtual_fleet import METRICS, STEP_MS, value_of

ROOT = Path(__file__).parents[2]
LATER = 1_800.0


async def check(folder: Path, now: float) -> None:
    """Every series has every step of the past, each with its value, and the live ones."""
    store = await EmbeddedStore.open(folder / "metrics")
    data = await store.select([FLEET], MIN_TIME_MS, MAX_TIME_MS)
    start_ms, now_ms = round(now * 1000) - round(HISTORY_DAYS * 86_400_000), round(now * 1000)
    steps = np.arange(-(-start_ms // STEP_MS) * STEP_MS, now_ms, STEP_MS)
    complete = 0
    for row, of_series in enumerate(data.labels):
        labels = dict(of_series)
        if "server" not in labels:
            continue
        times = data.timestamps_ms[data.offsets[row] : data.offsets[row + 1]]
        values = data.values[data.offsets[row] : data.offsets[row + 1]]
        assert np.isin(steps, times).all(), labels
        server, metric = int(labels["server"].removeprefix("s-")), METRICS.index(labels["__name__"])
        np.testing.assert_array_equal(values, value_of(1_000, server, metric, times))
        complete += 1
    assert complete == SERVERS * len(METRICS)
    await store.close()


async def test_whatever_a_kill_leaves_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill leaves the files as they are, so copies made around each commit are what it would leave."""
    left: list[Path] = []

    def copy(folder: Path, name: str) -> None:
        left.append(tmp_path / name)
        shutil.copytree(folder, left[-1] / "metrics")

    with monkeypatch.context() as patch:
        on_parts(patch, lambda folder, n: copy(folder, f"before-{n}"), lambda folder, n: copy(folder, f"after-{n}"))
        await fill(tmp_path / "whole")
    await check(tmp_path / "whole", NOW)
    assert len(left) >= 8, "the kills are meant to come between parts"
    for folder in left:
        await fill(folder, NOW + LATER)
        await check(folder, NOW + LATER)


async def test_a_fill_that_is_killed_again_and_again_comes_to_its_end(tmp_path: Path) -> None:
    for parts in (1, 2, 1):
        command = [sys.executable, "-m", "tests.support.fleet_filler", str(tmp_path), str(parts)]
        assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == -signal.SIGKILL
    stored: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        on_parts(patch, lambda *_: None, lambda _, number: stored.append(number))
        await fill(tmp_path, NOW)
    assert 0 < len(stored) <= 2, "what was stored has been asked for again"
    await check(tmp_path, NOW)
