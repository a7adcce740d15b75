"""The command `openmanager` against a running suite."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.support.stack import ROOT, Api, Stack, base_environment
from tests.support.waiting import until

ROWS, COLUMNS, STEP_SECONDS = 4 * 1440, 5, 60


async def start(stack: Stack, folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from services.all_in_one.cli import main; main()", *arguments),
        cwd=ROOT,
        env=base_environment(folder, OPENMANAGER_URL=stack.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(stack: Stack, folder: Path, *arguments: str) -> tuple[int | None, str, str]:
    process = await start(stack, folder, *arguments)
    async with asyncio.timeout(100):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_imported_days_agree_with_numpy(stack: Stack, api: Api, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(50, 10, (ROWS, COLUMNS)).cumsum(axis=0).astype(np.float32)
    np.savez_compressed(tmp_path / "history-01.npz", train=values[:10], test=values)
    first = (datetime.now(UTC) - timedelta(days=6)).replace(microsecond=0)
    command = ("import", "npz", str(tmp_path / "history-01.npz"), "--start", first.isoformat())
    code, out, err = await run(stack, tmp_path, *command)
    assert code == 0, err
    assert f"{ROWS:,} rows" in out
    assert f"{ROWS * COLUMNS:,} accepted" in out

    end = first + timedelta(seconds=STEP_SECONDS * (ROWS - 1))
    for column in (1, COLUMNS):
        expr = f'avg_over_time(metric_{column}{{server="history-01"}}[1d])'
        day = values[-1441:, column - 1].astype(np.float64)  # a range is closed at both ends: a day and one row
        assert await api.value(expr, end.isoformat()) == [pytest.approx(day.mean(), rel=1e-9)]

    code, out, _ = await run(stack, tmp_path, *command)
    assert f"{ROWS * COLUMNS:,} duplicate" in out, "importing twice changes nothing"


async def test_an_agent_sends_this_host_to_a_gateway_elsewhere(stack: Stack, api: Api, tmp_path: Path) -> None:
    agent = await start(stack, tmp_path, "agent", "--server", "agent-host", "--interval", "1")

    async def seen() -> bool:
        return len(await api.value('memory{server="agent-host"}')) == 1

    try:
        await until(seen, 30)
    finally:
        agent.terminate()
        async with asyncio.timeout(20):
            _, err = await agent.communicate()
    assert agent.returncode == 0, err.decode()


async def test_a_question_at_the_terminal_shows_its_evidence(stack: Stack, api: Api, tmp_path: Path) -> None:
    await api.post("/api/v1/metrics", {"samples": [{"server": "terminal-01", "metrics": {"cpu": 41.5}}]})
    code, out, err = await run(stack, tmp_path, "ask", "cpu of terminal-01?")
    assert code == 0, err
    assert "41.5 %" in out
    assert 'cpu{server="terminal-01"}' in out


async def test_the_doctor_finds_a_running_suite_well(stack: Stack, tmp_path: Path) -> None:
    code, out, err = await run(stack, tmp_path, "doctor")
    assert code == 0, (out, err)
    assert "notifier is serving" in out
