"""The live stream."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from openmanager.metrics.v1 import metrics_pb2
from openmanager.notifier.v1 import notifier_pb2
from services.common.errors import UnavailableError
from tests.support.gateway import TOKEN, RunningGateway, read_events
from tests.support.gateway_fake import NOW_MS
from tests.support.gateway_peers import alert, sample_message
from tests.support.waiting import until

CPU = {"__name__": "cpu", "server": "web-01"}


@contextlib.asynccontextmanager
async def _stream(
    gateway: RunningGateway, topics: str = "metrics,alerts", last_id: str = ""
) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
    async with asyncio.timeout(20):
        async with gateway.client.get(f"{gateway.url}/api/v1/stream?topics={topics}", headers=headers) as response:
            assert response.status == 200
            assert response.headers["X-Accel-Buffering"] == "no"
            assert response.content_type == "text/event-stream"
            yield read_events(response)


async def _next(gateway: RunningGateway, events: AsyncIterator[dict[str, str]], topic: str) -> tuple[str, Any]:
    """(id, data) of the next event of a topic; time goes on while waiting for it."""

    async def read() -> tuple[str, Any]:
        async for event in events:
            if event.get("event") == topic:
                return event["id"], orjson.loads(event["data"])
        raise AssertionError(f"the stream ended without {topic}")

    reading = asyncio.create_task(read())
    while not reading.done():
        await gateway.clock.advance(0.25)
        await asyncio.sleep(0.005)
    return await reading


async def _push(gateway: RunningGateway, *rows: tuple[int, int, float]) -> None:
    await gateway.peers.metrics.feed.queue.put(sample_message({1: CPU}, list(rows)))


async def test_snapshot_then_changes(gateway: RunningGateway) -> None:
    await _push(gateway, (1, NOW_MS, 40.0))
    async with _stream(gateway) as events:
        _, alerts = await _next(gateway, events, "alerts")
        while not (first := (await _next(gateway, events, "metrics"))[1])["servers"]:
            pass
        await _push(gateway, (1, NOW_MS + 1000, 55.5))
        _, second = await _next(gateway, events, "metrics")
        await gateway.peers.notifier.feed.queue.put(notifier_pb2.WatchAlertsResponse(alerts=[alert("a-1")]))
        _, fired = await _next(gateway, events, "alerts")

    assert (alerts["snapshot"], alerts["alerts"]) == (True, [])
    assert first["servers"] == {"web-01": {"cpu": 40.0, "time": "2023-11-14T22:13:20.000Z"}}
    assert second["snapshot"] is False
    assert second["connected"] is True
    assert second["servers"] == {"web-01": {"cpu": 55.5, "time": "2023-11-14T22:13:21.000Z"}}
    assert [(one["id"], one["state"]) for one in fired["alerts"]] == [("a-1", "firing")]


async def test_a_new_reader_starts_from_the_present_state(gateway: RunningGateway) -> None:
    async with _stream(gateway, "alerts") as events:
        await gateway.peers.notifier.feed.queue.put(notifier_pb2.WatchAlertsResponse(alerts=[alert("a-1"), alert("a-2")]))
        resolved = alert("a-2", notifier_pb2.ALERT_STATE_RESOLVED)
        await gateway.peers.notifier.feed.queue.put(notifier_pb2.WatchAlertsResponse(alerts=[resolved]))
        while [one["state"] for one in (await _next(gateway, events, "alerts"))[1]["alerts"]] != ["resolved"]:
            pass
    async with _stream(gateway, "alerts") as events:
        _, state = await _next(gateway, events, "alerts")

    assert state["snapshot"] is True
    assert [one["id"] for one in state["alerts"]] == ["a-1"]


async def test_coming_back_gives_what_was_missed(gateway: RunningGateway) -> None:
    async with _stream(gateway, "metrics") as events:
        await _push(gateway, (1, NOW_MS, 1.0))
        while not (seen := await _next(gateway, events, "metrics"))[1]["servers"]:
            pass
    async with _stream(gateway, "metrics") as other:
        await _next(gateway, other, "metrics")
        for k in (1, 2):
            await _push(gateway, (1, NOW_MS + k, float(k + 1)))
            await _next(gateway, other, "metrics")
    async with _stream(gateway, "metrics", seen[0]) as events:
        missed = [(await _next(gateway, events, "metrics"))[1] for _ in range(2)]
    async with _stream(gateway, "metrics", "another-process-5") as events:
        _, unknown = await _next(gateway, events, "metrics")

    assert [(data["snapshot"], data["servers"]["web-01"]["cpu"]) for data in missed] == [(False, 2.0), (False, 3.0)]
    assert unknown["snapshot"] is True


async def test_the_figures_of_a_fleet_that_was_emptied_vanish(gateway: RunningGateway) -> None:
    virtual = CPU | {"server": "db-01", "fleet": "demo"}
    await gateway.peers.metrics.feed.queue.put(sample_message({1: CPU, 2: virtual}, [(1, NOW_MS, 40.0), (2, NOW_MS, 50.0)]))
    async with _stream(gateway, "metrics") as events:
        while not (await _next(gateway, events, "metrics"))[1]["servers"]:
            pass
        await gateway("POST", "/api/servers/reset")
        _, emptied = await _next(gateway, events, "metrics")
        await gateway.peers.metrics.feed.queue.put(sample_message({3: virtual}, [(3, NOW_MS - 10_000, 60.0)]))
        _, grown = await _next(gateway, events, "metrics")

    assert emptied["snapshot"] is True
    assert set(emptied["servers"]) == {"web-01"}
    assert grown["servers"]["db-01"]["cpu"] == 60.0


async def test_idle_streams_have_heartbeats(gateway: RunningGateway) -> None:
    async with _stream(gateway, "alerts") as events:
        await _next(gateway, events, "alerts")
        await gateway.clock.advance(16)
        async for event in events:
            if "comment" in event:
                break


async def test_all_readers_share_one_upstream_stream(gateway: RunningGateway) -> None:
    async with _stream(gateway) as one, _stream(gateway) as two:
        await _next(gateway, one, "metrics")
        await _next(gateway, two, "metrics")

    assert gateway.peers.metrics.calls.count("WatchSamples") == 1
    assert gateway.peers.notifier.calls.count("WatchAlerts") == 1


async def test_readers_are_told_when_a_feed_is_lost_and_back(gateway: RunningGateway) -> None:
    async with _stream(gateway, "metrics") as events:
        while not (await _next(gateway, events, "metrics"))[1]["connected"]:
            pass
        gateway.peers.metrics.snapshot = metrics_pb2.WatchSamplesResponse(snapshot=True)
        await gateway.peers.metrics.feed.queue.put(UnavailableError("restarting"))
        _, lost = await _next(gateway, events, "metrics")
        _, back = await _next(gateway, events, "metrics")

    assert (lost["connected"], back["connected"]) == (False, True)


async def test_a_reader_that_left_is_forgotten(gateway: RunningGateway) -> None:
    async with _stream(gateway, "alerts") as events:
        await _next(gateway, events, "alerts")
        assert 'openmanager_stream_readers{service="gateway"} 1.0' in (await gateway("GET", "/metrics")).body.decode()

    async def is_forgotten() -> bool:
        return 'openmanager_stream_readers{service="gateway"} 0.0' in (await gateway("GET", "/metrics")).body.decode()

    await until(is_forgotten, seconds=10.0, every=0.01)


@pytest.mark.parametrize("topics", ["metrics,weather", "", ","])
async def test_unknown_topics_are_400(gateway: RunningGateway, topics: str) -> None:
    reply = await gateway("GET", f"/api/v1/stream?topics={topics}")

    assert (reply.status, reply.json["reason"]) == (400, "UNKNOWN_TOPIC")


async def test_the_cookie_of_a_browser_is_enough(gateway: RunningGateway) -> None:
    cookie = (await gateway("POST", "/login", {"token": TOKEN}, token=None)).headers["set-cookie"].partition(";")[0]
    async with gateway.client.get(f"{gateway.url}/api/v1/stream", headers={"Cookie": cookie}) as response:
        assert response.status == 200
        assert isinstance(response, aiohttp.ClientResponse)
