"""An agent and its gateway are killed while a long backlog is on its way: every reading arrives, once and in order."""

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.all_in_one.commands.spool import FILE
from tests.support.spools import HastyClock, open_spool, sample
from tests.support.stack import ROOT, Api, Stack, base_environment, open_api, start_all_in_one
from tests.support.waiting import until

READINGS, VALUES = 30_000, 5
ROUNDS = 3


def fill(folder: Path, base: int) -> None:
    folder.mkdir(mode=0o700)
    with contextlib.closing(open_spool(folder, HastyClock(time.time()))) as spool:
        spool.add([sample(number, base=base, values=VALUES) for number in range(READINGS)], base * 1000)


def waiting(folder: Path) -> int:
    """Readings of the backlog that the agent has not let go of."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / FILE}?mode=ro", uri=True)) as spool:
        return int(spool.execute("SELECT count(*) FROM reading WHERE id <= ?", (READINGS,)).fetchone()[0])


@contextlib.asynccontextmanager
async def agent(folder: Path, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """An agent that is killed at the end."""
    arguments = ("agent", "--server", "agent-host", "--interval", "1", "--spool-dir", str(folder / "spool"))
    with (folder / "agent.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from services.all_in_one.cli import main; main()", *arguments),
            cwd=ROOT,
            env=base_environment(folder, OPENMANAGER_URL=url),
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def start(folder: Path) -> Stack:
    return start_all_in_one(folder, OPENMANAGER_METRICS_HOST_ENABLED="false", OPENMANAGER_METRICS_FLEET_ENABLED="false")


async def progress(folder: Path, before: int) -> None:
    async def made() -> bool:
        return waiting(folder) < before

    await until(made, 40, every=0.002)


async def stored(api: Api, base: int, name: str) -> list[tuple[int, float]]:
    answer = await api.get(
        "/prometheus/api/v1/query", query=f'{name}{{server="web-01"}}[{READINGS}s]', time=str(base + READINGS - 1)
    )
    (series,) = answer["data"]["result"]
    return [(int(at) - base, float(value)) for at, value in series["values"]]


@pytest.mark.timeout(300)
async def test_kills_of_agent_and_gateway_neither_lose_nor_double_a_reading(tmp_path: Path) -> None:
    base = int(time.time()) - 10 * 3600
    spool = tmp_path / "spool"
    fill(spool, base)
    left = [READINGS]
    stack = start(tmp_path / "suite")
    try:
        for number in range(ROUNDS):
            async with agent(tmp_path, stack.url):
                await progress(spool, left[-1])
                if number % 2:
                    stack.kill()
            left.append(waiting(spool))
            if number % 2:
                stack = start(tmp_path / "suite")
        assert left[-1] > 0, "the kills are meant to come while something is on its way"
        async with agent(tmp_path, stack.url) as last, open_api(stack) as api:
            await progress(spool, 1)

            async def live() -> bool:
                return len(await api.value('memory{server="agent-host"}')) == 1

            await until(live)
            last.terminate()
            async with asyncio.timeout(20):
                assert await last.wait() == 0
            for k in range(VALUES):
                assert await stored(api, base, f"value_{k}") == [(number, float(number)) for number in range(READINGS)]
    finally:
        codes = stack.stop()
    assert codes == [0]
