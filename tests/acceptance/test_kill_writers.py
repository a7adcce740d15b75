"""Four writers push through four doors while the suite is killed again and again: what was acknowledged is there, once.

`OPENMANAGER_TEST_KILLS` says how often; a start takes five seconds on a busy machine, and CI has a minute.
"""

import asyncio
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.support.remote_write import compressed, write_request
from tests.support.stack import Api, Stack, open_api, start_all_in_one

KILLS = int(os.environ.get("OPENMANAGER_TEST_KILLS", "6"))
SERVERS = 50
"""Values in a request, one for each server."""
SERVER_NAMES = {f"host-{k:02d}" for k in range(SERVERS)}
WINDOW_SECONDS = 3000
LEAST_ACKNOWLEDGED = 12
"""Requests of each writer that are answered before a kill may come."""

Request = tuple[str, bytes, dict[str, str]]
"""Path, body and headers."""


def json_request(number: int, second: int) -> Request:
    samples = [{"server": f"host-{k:02d}", "timestamp": second, "metrics": {"kill_json": number}} for k in range(SERVERS)]
    body = {"batch_id": f"json-{number}", "samples": samples}
    return "/api/v1/metrics", orjson.dumps(body), {"Content-Type": "application/json"}


def remote_write_request(number: int, second: int) -> Request:
    labels = [{"__name__": "kill_remote_write", "server": f"host-{k:02d}"} for k in range(SERVERS)]
    body = compressed(write_request(*((one, [(float(number), second * 1000)]) for one in labels)))
    return "/prometheus/api/v1/write", body, {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


def influx_request(number: int, second: int) -> Request:
    lines = "".join(f"kill_influx,host=host-{k:02d} value={number} {second}\n" for k in range(SERVERS))
    return "/influx/write?precision=s", lines.encode(), {"Content-Type": "text/plain"}


def otlp_request(number: int, second: int) -> Request:
    point = {"timeUnixNano": str(second * 10**9), "asDouble": float(number)}
    scope = {"metrics": [{"name": "kill_otlp", "gauge": {"dataPoints": [point]}}]}
    resources = [
        {
            "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": f"host-{k:02d}"}}]},
            "scopeMetrics": [scope],
        }
        for k in range(SERVERS)
    ]
    return "/otlp/v1/metrics", orjson.dumps({"resourceMetrics": resources}), {"Content-Type": "application/json"}


@dataclass
class Writer:
    """Sends request after request, each with the values of one second that has not been before.

    A request without an answer is not sent again, so whether it was stored is open; it was stored once at most.
    """

    series: str
    request: Callable[[int, int], Request]
    base: int
    sent: int = 0
    acknowledged: set[int] = field(default_factory=set)

    async def push(self, api: Api) -> None:
        """Send until the suite is gone."""
        while True:
            number = self.sent
            self.sent += 1
            path, body, headers = self.request(number, self.base + number)
            try:
                status, answer = await api.call("POST", path, body, headers=headers)
            except (aiohttp.ClientError, ConnectionError):
                return
            assert status < 300, (path, status, answer)
            self.check(answer)
            self.acknowledged.add(number)

    def check(self, answer: Any) -> None:
        """The receipt, where the door gives one, has accepted everything."""
        if self.series == "kill_json":
            assert (answer["accepted"], answer["duplicate"], answer["rejected"], answer["late"]) == (SERVERS, 0, 0, 0)
        elif self.series == "kill_otlp":
            assert answer == {}


@pytest.mark.timeout(60 + 20 * KILLS)
async def test_no_acknowledged_sample_is_lost_and_none_is_there_twice(tmp_path: Path) -> None:
    chance = random.Random(4)
    base = int(time.time()) - 20 * 3600
    writers = [
        Writer("kill_json", json_request, base),
        Writer("kill_remote_write", remote_write_request, base),
        Writer("kill_influx", influx_request, base),
        Writer("kill_otlp", otlp_request, base),
    ]
    starts = []
    for _ in range(KILLS):
        started = time.monotonic()
        stack = start(tmp_path)
        starts.append(time.monotonic() - started)
        try:
            await push_until_killed(stack, writers, chance)
        finally:
            stack.kill()
    stack = start(tmp_path)
    try:
        async with open_api(stack) as api:
            doubtful = sum([await check(api, writer) for writer in writers])
    finally:
        codes = stack.stop()
    assert codes == [0]
    count = sum(len(writer.acknowledged) for writer in writers) * SERVERS
    print(
        f"{KILLS} kills, {count:,} samples acknowledged, none lost, none doubled; {doubtful:,} without an answer were stored;",
        end=" ",
    )
    print(f"ready after {sorted(starts)[KILLS // 2]:.1f} s at the median and {max(starts):.1f} s at most")


def start(folder: Path) -> Stack:
    return start_all_in_one(folder, OPENMANAGER_METRICS_HOST_ENABLED="false", OPENMANAGER_METRICS_FLEET_ENABLED="false")


async def push_until_killed(stack: Stack, writers: list[Writer], chance: random.Random) -> None:
    """Let all writers push, and kill the suite at a random moment while they do."""
    least = [len(writer.acknowledged) + LEAST_ACKNOWLEDGED for writer in writers]
    async with open_api(stack) as api:
        pushing = [asyncio.create_task(writer.push(api)) for writer in writers]
        async with asyncio.timeout(30):
            while any(len(writer.acknowledged) < enough for writer, enough in zip(writers, least, strict=True)):
                if ended := [task for task in pushing if task.done()]:
                    raise AssertionError(f"a writer ended before the kill: {ended[0]}\n{stack.logs()}")
                await asyncio.sleep(0.005)
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        stack.kill()
        async with asyncio.timeout(30):
            await asyncio.gather(*pushing)


async def check(api: Api, writer: Writer) -> int:
    """Compare all that is stored with what was acknowledged; returns how many values are stored that were not acknowledged."""
    doubtful = 0
    for first in range(0, writer.sent, WINDOW_SECONDS):
        at = str(writer.base + first + WINDOW_SECONDS - 1)
        selector = f"{writer.series}[{WINDOW_SECONDS}s]"
        answer = await api.get("/prometheus/api/v1/query", query=selector, time=at)
        counts = await api.get("/prometheus/api/v1/query", query=f"count_over_time({selector})", time=at)
        counted = {series["metric"]["server"]: int(series["value"][1]) for series in counts["data"]["result"]}
        expected = {number for number in writer.acknowledged if first <= number < first + WINDOW_SECONDS}
        found: dict[str, list[int]] = {}
        for series in answer["data"]["result"]:
            rows = [(int(second) - writer.base, float(value)) for second, value in series["values"]]
            assert all(value == number for number, value in rows)
            # A range may be closed at both ends, and then it has the last second of the one before.
            found[series["metric"]["server"]] = [number for number, _ in rows]
        assert {server: len(times) for server, times in found.items()} == counted
        assert not expected or found.keys() == SERVER_NAMES, f"{writer.series} is missing"
        for times in found.values():
            assert times == sorted(set(times)), f"a time of {writer.series} is there twice"
            assert times[-1] < writer.sent
            inside = {number for number in times if number >= first}
            assert expected <= inside, f"{len(expected - inside)} acknowledged samples of {writer.series} are lost"
            doubtful += len(inside - expected)
    return doubtful
