"""A suite that is killed at any moment forgets nothing that it said it had."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.receiver import receiving
from tests.support.stack import Api, open_api, start_all_in_one
from tests.support.waiting import until

ROUNDS = 20
RULE = {
    "name": "killed",
    "expr": "killed_value > 50",
    "for_seconds": 0,
    "labels": {},
    "annotations": {},
    "no_data": "keep",
    "severity": "critical",
    "channels": ["killed"],
}


@pytest.mark.timeout(600)
async def test_twenty_kills_lose_no_sample_no_alert_and_no_notification(tmp_path: Path) -> None:
    chance = random.Random(20)
    acknowledged: list[tuple[int, float]] = []
    base = int(time.time()) - 3600
    async with receiving() as receiver:
        for number in range(ROUNDS):
            stack = start_all_in_one(tmp_path, OPENMANAGER_METRICS_HOST_ENABLED="false")
            try:
                async with open_api(stack) as api:
                    if number == 0:
                        config = {"url": receiver.url, "allow_private": True}
                        await api.post("/api/v1/channels", {"name": "killed", "kind": "webhook", "config": config})
                        await api.post("/api/v1/rules", RULE)
                    await push_until_killed(api, number, base, chance, acknowledged)
            finally:
                stack.kill()
        stack = start_all_in_one(tmp_path, OPENMANAGER_METRICS_HOST_ENABLED="false")
        try:
            async with open_api(stack) as api:
                await check_samples(api, base, acknowledged)
                await check_alerts(api, receiver)
        finally:
            codes = stack.stop()
    assert codes == [0]


async def push_until_killed(api: Api, number: int, base: int, chance: random.Random, acknowledged: list[tuple[int, float]]) -> None:
    """Push a few batches one after the other, an alerting value among them, and return at a random moment."""
    for k in range(chance.randint(1, 6)):
        time_of_row = base + number * 100 + k
        value = chance.random()
        rows: list[dict[str, Any]] = [{"server": "kill-data", "timestamp": time_of_row, "metrics": {"cpu": value}}]
        if k == 0:
            rows.append({"server": f"kill-{number}", "metrics": {"killed_value": 99.0}})
        receipt = await api.post("/api/v1/metrics", {"samples": rows})
        assert receipt["accepted"] == len(rows)
        acknowledged.append((time_of_row, value))
    # A kill may come before, while or after the rule is evaluated and the notification sent: any of these must do.
    await asyncio.sleep(chance.choice([0.0, 0.01, 0.05, 0.3, 1.0]))


async def check_samples(api: Api, base: int, acknowledged: list[tuple[int, float]]) -> None:
    answer = await api.get("/prometheus/api/v1/query", query='cpu{server="kill-data"}[2h]', time=str(base + 3600))
    stored = [(int(at), float(value)) for at, value in answer["data"]["result"][0]["values"]]
    assert stored == sorted(acknowledged), "every acknowledged sample, each once"


async def check_alerts(api: Api, receiver: Any) -> None:
    servers = {f"kill-{number}" for number in range(ROUNDS)}

    async def all_firing() -> bool:
        items = (await api.get("/api/v1/alerts", state="firing", page_size="500"))["items"]
        return servers <= {item["labels"].get("server") for item in items}

    async def all_delivered() -> bool:
        return all(receiver.of(server, "firing") for server in servers)

    await until(all_firing, 60)
    await until(all_delivered, 60)
    for server in servers:
        keys = {delivery.key for delivery in receiver.of(server, "firing")}
        assert len(keys) == 1, f"{server} was told of with different idempotency keys"
