"""The agent reads this host at its interval, and each reading is on disk before it is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.all_in_one.commands.agent import HostAgent, find_spool_dir, run_agent
from services.all_in_one.commands.client import CommandError, GatewayClient
from services.all_in_one.commands.spool import Spool, SpoolError
from services.all_in_one.commands.spool_sender import SpoolSender
from services.common.clock import ManualClock, SystemClock
from services.common.folder_lock import FolderLock
from services.common.host import HostReader
from tests.support.fake_gateway import FakeGateway, fake_gateway, refuses

START = 1_700_000_000.0


class Reader(HostReader):
    """Counts its readings; the third gives nothing."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.reads = 0

    def read(self) -> dict[str, float]:
        self.reads += 1
        return {"cpu": float(self.reads)} if self.reads != 3 else {}


class Bench:
    """An agent with a clock of its own, beside a gateway."""

    def __init__(self, gateway: FakeGateway, client: GatewayClient, folder: Path) -> None:
        self.gateway = gateway
        self.clock = ManualClock(START)
        self.reader = Reader()
        self.spool = Spool(folder, self.clock, lambda: "spool")
        self.spool.open()
        self.sender = SpoolSender(client, self.clock, self.spool, lambda: 1.0)
        self.agent = HostAgent(self.reader, self.clock, self.spool, self.sender, server="web-01", interval_seconds=10.0)

    async def advance_until(self, happened: Callable[[], bool]) -> None:
        """Let time pass second by second; threads and sockets do the work, which this gives their turn."""
        async with asyncio.timeout(20):
            while not happened():
                await asyncio.sleep(0.005)
                if not happened():
                    await self.clock.advance(1.0)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with fake_gateway() as gateway, GatewayClient(gateway.url, "token") as client:
        bench = Bench(gateway, client, tmp_path)
        task = asyncio.create_task(bench.agent.run())
        yield bench
        task.cancel()
        await asyncio.wait([task])
        bench.spool.close()
        assert task.cancelled()


async def test_each_reading_is_sent_once_with_its_time(bench: Bench) -> None:
    await bench.advance_until(lambda: len(bench.gateway.stored) >= 3)
    first, second, third = bench.gateway.stored[:3]
    assert (first["server"], first["labels"]) == ("web-01", {"role": "host"})
    assert [sample["metrics"]["cpu"] for sample in (first, second, third)] == [1.0, 2.0, 4.0]
    times = [datetime.fromisoformat(sample["timestamp"]).timestamp() - START for sample in (first, second, third)]
    assert times[1] - times[0] >= 10
    assert times[2] - times[1] >= 20


async def test_what_the_gateway_misses_while_it_is_away_arrives_when_it_is_back(bench: Bench) -> None:
    bench.gateway.otherwise = refuses(503, "UNAVAILABLE")
    await bench.advance_until(lambda: bench.reader.reads >= 8)
    assert bench.gateway.stored == []
    bench.gateway.otherwise = None
    await bench.advance_until(lambda: len(bench.gateway.stored) >= 7)
    assert [sample["metrics"]["cpu"] for sample in bench.gateway.stored[:7]] == [1.0, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0]


async def test_a_disk_that_is_full_costs_readings_and_is_told_once_a_minute(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise SpoolError("no space")

    monkeypatch.setattr(bench.spool, "add", full)
    with capture_logs() as logs:
        await bench.advance_until(lambda: bench.reader.reads >= 14)
        monkeypatch.undo()
        await bench.advance_until(lambda: len(bench.gateway.stored) >= 1)
    said = [entry for entry in logs if entry["event"] == "readings_dropped"]
    assert 1 <= len(said) <= bench.reader.reads // 4
    assert said[0]["reason"] == "no space"
    assert said[-1]["dropped"] > said[0]["dropped"]


async def test_a_second_agent_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        async with GatewayClient("http://127.0.0.1:9", "token") as client:
            with pytest.raises(CommandError, match=r"is in use by process \d+.*(\n.*)*--spool-dir"):
                await run_agent(client, SystemClock(), "web-01", 10.0, tmp_path, 1 << 20)


def test_the_folder_comes_from_flag_environment_or_the_users_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OPENMANAGER_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert find_spool_dir(None) == tmp_path / "state/openmanager/agent"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_spool_dir(None) == tmp_path / ".local/state/openmanager/agent"
    monkeypatch.setenv("OPENMANAGER_DATA_DIR", str(tmp_path / "data"))
    assert find_spool_dir(None) == tmp_path / "data/agent"
    assert find_spool_dir(tmp_path) == tmp_path
