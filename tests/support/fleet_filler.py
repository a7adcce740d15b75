"""Fills a store with the past of a fleet and kills itself in the middle: `python -m tests.support.fleet_filler FOLDER PARTS`.

After PARTS parts of the past were stored, the process ends as a power cut would end it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from services.common.clock import ManualClock
from services.common.errors import OpenManagerError
from services.metrics.adapters.embedded.engine import Batch, Engine
from services.metrics.app import build
from services.metrics.domain.ports import Receipt, WriteMode
from services.metrics.settings import MetricsSettings
from tests.support.services import in_process
from tests.support.virtual_fleet import FakeFleet

NOW = 1_795_000_004.0
HISTORY_DAYS = 1.5
SERVERS = 45
"""More than are asked for at once."""


def on_parts(monkeypatch: pytest.MonkeyPatch, before: Callable[[Path, int], None], after: Callable[[Path, int], None]) -> None:
    """Call back on the store's writer thread around the commit of each part of the past, with the store's folder and the number."""
    commit, parts = Engine.commit, 0

    def counting(engine: Engine, batches: Sequence[Batch]) -> list[Receipt | OpenManagerError]:
        nonlocal parts
        if not any(batch.mode is WriteMode.IMPORT for batch in batches):
            return commit(engine, batches)
        parts += 1
        before(engine.catalog.path.parent, parts)
        receipts = commit(engine, batches)
        after(engine.catalog.path.parent, parts)
        return receipts

    monkeypatch.setattr(Engine, "commit", counting)


async def fill(folder: Path, now: float = NOW) -> None:
    """Run a fleet and a metrics service until the past is stored."""
    clock = ManualClock(now)
    fleet = FakeFleet.of(clock, generation=1_000, servers=SERVERS)
    settings = MetricsSettings(data_dir=folder, host_enabled=False, fleet_history_days=HISTORY_DAYS)
    async with in_process() as services:
        await services.start("server_gen", fleet.service)
        await services.start("metrics", lambda connect, telemetry: build(settings, connect, telemetry, clock))


def main() -> None:
    last = int(sys.argv[2])

    def end(_folder: Path, number: int) -> None:
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as monkeypatch:
        on_parts(monkeypatch, lambda *_: None, end)
        asyncio.run(fill(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
