"""The three flows of the suite, end to end, on both deployments: a sample, an alert, a question."""

import hashlib
import hmac
import math
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tests.support.printed_numbers import unproved_numbers
from tests.support.receiver import receiving
from tests.support.stack import Api
from tests.support.waiting import until


def samples(server: str, values: list[float], *, step: float = 10.0, metric: str = "cpu") -> list[dict[str, Any]]:
    """One sample a step, the last one now."""
    now = datetime.now(UTC)
    return [
        {
            "server": server,
            "timestamp": (now - timedelta(seconds=step * (len(values) - 1 - k))).isoformat(),
            "metrics": {metric: value},
        }
        for k, value in enumerate(values)
    ]


async def server_item(api: Api, name: str) -> dict[str, Any] | None:
    items: list[dict[str, Any]] = (await api.get("/api/v1/servers", page_size="500"))["items"]
    return next((item for item in items if item["server"] == name), None)


async def test_this_host_and_the_fleet_are_watched_from_the_start(api: Api) -> None:
    async def host_seen() -> dict[str, Any] | None:
        item = await server_item(api, socket.gethostname())
        return item if item and {"cpu", "memory", "disk"} <= set(item["metrics"]) else None

    host = await until(host_seen)
    assert all(0 <= host["metrics"][name] <= 100 for name in ("cpu", "memory", "disk"))
    assert host["metrics"]["memory"] > 0

    async def fleet_seen() -> bool:
        names = {item["server"] for item in (await api.get("/api/v1/servers", page_size="500"))["items"]}
        return {"web-01", "api-02"} <= names and len(names) >= 21

    assert await until(fleet_seen)


async def test_a_sample_is_stored_once_and_read_back(api: Api) -> None:
    rows = samples("flow-sample", [float(k) for k in range(30)])
    first = await api.post("/api/v1/metrics", {"samples": rows})
    again = await api.post("/api/v1/metrics", {"samples": rows})
    assert (first["accepted"], first["rejected"], first["duplicate"]) == (30, 0, 0)
    assert (again["accepted"], again["rejected"], again["duplicate"]) == (0, 0, 30)
    assert await api.value('count_over_time(cpu{server="flow-sample"}[10m])') == [30.0]
    assert await api.value('avg_over_time(cpu{server="flow-sample"}[10m])') == [pytest.approx(14.5, rel=1e-12)]
    item = await until(lambda: server_item(api, "flow-sample"))
    assert item["metrics"]["cpu"] == 29.0
    assert item["health"] == "ok"


async def test_an_unusual_point_is_flagged_and_noise_is_not(api: Api) -> None:
    rng = np.random.default_rng(11)
    now = datetime.now(UTC)
    rows = [
        {"cpu": cpu, "memory": memory, "disk": disk, "timestamp": (now - timedelta(minutes=600 - k)).isoformat()}
        for k, (cpu, memory, disk) in enumerate(rng.normal([40, 60, 50], [6, 4, 1], (600, 3)).round(2).tolist())
    ]
    calm = await api.post("/analyze", {"query": "서버 상태 분석해줘", "metrics": rows})
    assert calm["success"]
    assert calm["lang"] == "ko"
    assert calm["anomalies"]["count"] <= 1
    planted = [80, 300, 511]
    for k in planted:
        rows[k].update(cpu=98.5, memory=97.0)
    found = await api.post("/analyze", {"query": "anything unusual?", "metrics": rows})
    assert set(planted) <= {point["index"] for point in found["anomalies"]["data"]}
    assert found["lang"] == "en"
    assert found["recommendations"]


async def test_an_alert_reaches_a_receiver_and_is_resolved(api: Api) -> None:
    async with receiving() as receiver:
        receiver.answer = lambda number: 503 if number == 0 else 200
        secret = "flow-secret"
        channel = {"name": "flow", "kind": "webhook", "config": {"url": receiver.url, "secret": secret, "allow_private": True}}
        made = await api.post("/api/v1/channels", channel)
        assert secret not in str(made)
        rule = {
            "name": "flow-hot",
            "expr": 'flow_temperature{server="flow-alert"} > 90',
            "for_seconds": 0,
            "labels": {"team": "night"},
            "annotations": {"summary": "{{ labels.server }} is at {{ value }}"},
            "no_data": "keep",
            "severity": "critical",
            "channels": ["flow"],
        }
        rule_id = (await api.post("/api/v1/rules", rule))["id"]
        await api.post("/api/v1/metrics", {"samples": samples("flow-alert", [95.0], metric="flow_temperature")})

        async def firing() -> Any:
            return receiver.of("flow-alert", "firing")

        delivery = (await until(firing))[0]
        refused = receiver.deliveries[0]
        assert (refused.status, refused.key) == (503, delivery.key), "a retry carries the same idempotency key"
        signature = hmac.new(secret.encode(), delivery.raw, hashlib.sha256).hexdigest()
        assert delivery.headers["x-openmanager-signature"] == f"sha256={signature}"
        alert = delivery.body["alerts"][0]
        assert delivery.body["version"] == "4"
        assert alert["labels"]["team"] == "night"
        assert alert["annotations"]["summary"].startswith("flow-alert is at 95")

        listed = (await api.get("/api/v1/alerts", state="firing"))["items"]
        evidence = next(item for item in listed if item["labels"].get("server") == "flow-alert")["evidence"]
        assert await api.value(evidence["expr"], evidence["time"]) == [95.0]

        await api.post("/api/v1/metrics", {"samples": samples("flow-alert", [20.0], metric="flow_temperature")})

        async def resolved() -> Any:
            return receiver.of("flow-alert", "resolved")

        await until(resolved)
        sent = (await api.get("/api/v1/notifications"))["items"]
        attempts = next(item["attempts"] for item in sent if item["idempotency_key"] == delivery.key)
        assert [attempt["delivered"] for attempt in attempts] == [False, True]
        assert (await api.call("DELETE", f"/api/v1/rules/{rule_id}"))[0] == 204
        assert (await api.call("DELETE", "/api/v1/channels/flow"))[0] == 204


QUESTIONS = [
    ("서버 상태 어때?", "ko", "fleet_status"),
    ("CPU 80% 넘는 서버 있어?", "ko", "filter_servers"),
    ("top 3 servers by memory", "en", "top_servers"),
    ("web-01 상태", "ko", "server_status"),
    ("what's the weather?", "en", "out_of_scope"),
    ("average cpu of api-02 in the last hour", "en", "metric_value"),
]


@pytest.mark.parametrize(("query", "lang", "intent"), QUESTIONS)
async def test_a_question_is_answered_with_figures_that_run_again(api: Api, query: str, lang: str, intent: str) -> None:
    async def fleet_seen() -> Any:
        return await server_item(api, "web-01")

    await until(fleet_seen)
    at = datetime.now(UTC).isoformat()
    answer = await api.post("/api/v1/ask", {"query": query, "at": at})
    again = await api.post("/api/v1/ask", {"query": query, "at": at})
    assert answer["success"]
    assert answer["lang"] == lang
    assert answer["interpretation"]["intent"] == intent
    assert answer["response"] == again["response"]
    assert [item["value"] for item in answer["evidence"]] == [item["value"] for item in again["evidence"]]
    if intent == "out_of_scope":
        assert answer["evidence"] == []
    else:
        assert answer["evidence"]
    for item in answer["evidence"]:
        values = await api.value(item["expr"], item["time"])
        assert any(math.isclose(value, item["value"], rel_tol=1e-9) for value in values), (item, values)
    names = [item["server"] for item in (await api.get("/api/v1/servers", page_size="500"))["items"]]
    assert unproved_numbers(answer["response"], (item["value"] for item in answer["evidence"]), names) == []


async def test_the_fleet_is_built_one_server_at_a_time(api: Api) -> None:
    emptied = await api.post("/api/servers/reset", {})
    assert emptied["currentCount"] == 0
    progress, count = [], 0
    for _ in range(20):
        answer = await api.post("/api/servers/generate", {"currentCount": count})
        count = answer["currentCount"]
        progress.append(answer["progress"])
        assert {"id", "hostname", "role", "location", "metrics"} <= set(answer["server"])
    assert progress == list(range(5, 101, 5))
    assert answer["isComplete"] is True
    status = await api.get("/api/servers/status")
    assert len({server["hostname"] for server in status["servers"]}) == 20
    more = await api.post("/api/servers/generate", {"currentCount": 20})
    assert (more["success"], more["server"], more["isComplete"]) == (True, None, True)


async def test_a_live_stream_tells_of_a_new_sample(api: Api) -> None:
    async with api.session.get(
        api.url + "/api/v1/stream", params={"topics": "metrics"}, headers={"Authorization": f"Bearer {api.token}"}
    ) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        await api.post("/api/v1/metrics", {"samples": samples("flow-stream", [77.25])})
        deadline = time.monotonic() + 30
        async for line in response.content:
            if b"flow-stream" in line:
                break
            assert time.monotonic() < deadline, "the sample did not come"
