"""The agent keeps what the gateway has not said to be durable, and lets go of the rest."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest

from services.all_in_one.commands.agent import HostAgent, Sample
from services.all_in_one.commands.client import GatewayClient, GatewayError
from services.common.clock import ManualClock
from services.common.host import HostReader

START = 1_700_000_000.0


class Gateway(GatewayClient):
    """Stores what it is sent unless `failure` says otherwise; `lost` answers are those that do not arrive although it stored."""

    def __init__(self) -> None:
        super().__init__("http://gateway", "token")
        self.failure: GatewayError | None = None
        self.lost = 0
        self.calls: list[list[Sample]] = []
        self.stored: list[Sample] = []

    async def post(self, path: str, body: Any) -> Any:
        assert path == "/api/v1/metrics"
        self.calls.append(list(body["samples"]))
        if self.failure is not None:
            raise self.failure
        self.stored += body["samples"]
        if self.lost:
            self.lost -= 1
            raise GatewayError("timed out")
        return {"accepted": len(body["samples"]), "rejected": 0, "duplicate": 0, "late": 0, "errors": []}

    def seconds(self) -> list[float]:
        """When the stored samples are from, in seconds since the start."""
        return [datetime.fromisoformat(sample["timestamp"]).timestamp() - START for sample in self.stored]


class Reader(HostReader):
    """Counts its readings."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.reads = 0

    def read(self) -> dict[str, float]:
        self.reads += 1
        return {"cpu": float(self.reads)}


class Bench:
    """An agent with a clock of its own, beside a gateway."""

    def __init__(self, max_waiting: int = 8640) -> None:
        self.clock = ManualClock(START)
        self.gateway = Gateway()
        self.reader = Reader()
        self.agent = HostAgent(
            self.gateway, self.clock, self.reader, server="web-01", interval_seconds=10.0, max_waiting=max_waiting
        )

    async def advance_until(self, happened: Callable[[], bool]) -> None:
        """Let time pass second by second; readings are done by a thread, which this gives its turn."""
        for _ in range(2000):
            if happened():
                return
            await asyncio.sleep(0.001)
            if not happened():
                await self.clock.advance(1.0)
        raise AssertionError("it did not happen")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(self.agent.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_each_reading_is_sent_once_with_its_time() -> None:
    bench = Bench()
    async with bench.running():
        await bench.advance_until(lambda: len(bench.gateway.stored) >= 3)
    assert bench.gateway.stored[0]["server"] == "web-01"
    assert bench.gateway.stored[0]["labels"] == {"role": "host"}
    assert [sample["metrics"]["cpu"] for sample in bench.gateway.stored[:3]] == [1.0, 2.0, 3.0]
    first, second, third = bench.gateway.seconds()[:3]
    assert second - first >= 10
    assert third - second >= 10
    assert all(len(call) == 1 for call in bench.gateway.calls)


async def test_what_the_gateway_misses_while_it_is_away_arrives_when_it_is_back() -> None:
    bench = Bench()
    bench.gateway.failure = GatewayError("away")
    async with bench.running():
        await bench.advance_until(lambda: bench.reader.reads >= 6)
        assert bench.gateway.stored == []
        assert len(bench.gateway.calls) < 60
        bench.gateway.failure = None
        await bench.advance_until(lambda: len(bench.gateway.stored) >= 6)
    cpu = [sample["metrics"]["cpu"] for sample in bench.gateway.stored]
    assert cpu == [float(k + 1) for k in range(len(cpu))]


async def test_a_sample_is_let_go_only_when_its_answer_has_arrived() -> None:
    bench = Bench()
    bench.gateway.lost = 1
    async with bench.running():
        await bench.advance_until(lambda: len(bench.gateway.calls) >= 3)
    first, second, third = bench.gateway.calls[:3]
    assert second[: len(first)] == first
    assert not [sample for sample in third if sample in second]


async def test_the_oldest_give_way_when_too_many_wait() -> None:
    bench = Bench(max_waiting=3)
    bench.gateway.failure = GatewayError("away", 503)
    async with bench.running():
        await bench.advance_until(lambda: bench.reader.reads >= 7)
        bench.gateway.failure = None
        await bench.advance_until(lambda: len(bench.gateway.stored) >= 3)
    first = [sample["metrics"]["cpu"] for sample in bench.gateway.stored[:3]]
    assert first[0] >= 4.0
    assert first == [first[0], first[0] + 1, first[0] + 2]


async def test_the_agent_waits_as_long_as_the_gateway_asks() -> None:
    bench = Bench()
    bench.gateway.failure = GatewayError("busy", 429, "RATE_LIMITED", retry_after_seconds=45.0)
    async with bench.running():
        await bench.advance_until(lambda: len(bench.gateway.calls) >= 1)
        refused_at = bench.clock.now()
        bench.gateway.failure = None
        await bench.advance_until(lambda: len(bench.gateway.calls) >= 2)
        assert bench.clock.now() - refused_at >= 45.0


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_for_good_ends_the_agent_with_the_gateways_words(status: int) -> None:
    bench = Bench()
    bench.gateway.failure = GatewayError("the token is not known", status, "UNAUTHENTICATED")
    async with bench.running() as task:
        await bench.advance_until(task.done)
        with pytest.raises(GatewayError, match="the token is not known"):
            task.result()


async def test_cancelling_ends_both_of_its_tasks() -> None:
    bench = Bench()
    before = asyncio.all_tasks()
    async with bench.running() as task:
        await bench.advance_until(lambda: len(bench.gateway.stored) >= 1)
    assert task.cancelled()
    assert asyncio.all_tasks() == before
