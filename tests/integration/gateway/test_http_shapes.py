"""Every JSON answer is what the contract and the documented type say."""

from collections.abc import Iterator
from typing import Any

import pytest

from openmanager.metrics.v1 import metrics_pb2
from services.common.errors import RefusedError
from services.gateway.web.schemas import alerting, ask, fleet, metrics, system
from services.gateway.web.schemas.base import Answer
from tests.support.gateway import RunningGateway, read_events
from tests.support.gateway_fake import NOW_MS
from tests.support.gateway_peers import Peers

RULE = {
    "name": "high cpu", "expr": "cpu > 90", "for_seconds": 60, "labels": {"team": "ops"}, "annotations": {"summary": "{{ labels.server }}"},
    "no_data": "keep", "severity": "critical", "channels": ["ops"],
}  # fmt: skip


async def _get(
    gateway: RunningGateway, path: str, kind: type[Answer], method: str = "GET", body: Any = None, status: int = 200
) -> Any:
    reply = await gateway(method, path, body)
    assert reply.status == status, reply.body
    kind.model_validate(reply.json)
    return reply.json


def _add_servers(peers: Peers, *names: str) -> None:
    for name in names:
        server = metrics_pb2.Server(
            name=name,
            role="web",
            health=metrics_pb2.HEALTH_CRITICAL,
            metrics={"cpu": 97.0},
            expressions={"cpu": f'cpu{{server="{name}"}}'},
            reasons=["cpu 97 %"],
        )
        server.last_seen.FromMilliseconds(NOW_MS)
        server.labels.add(name="site", value="seoul")
        peers.metrics.servers.append(server)


async def test_seed_routes(gateway: RunningGateway) -> None:
    reset = await _get(gateway, "/api/servers/reset", fleet.FleetReset, "POST", {})
    answers: list[Any] = []
    for _ in range(20):
        count = answers[-1]["currentCount"] if answers else 0
        answers.append(await _get(gateway, "/api/servers/generate", fleet.Generated, "POST", {"currentCount": count}))
    more = await _get(gateway, "/api/servers/generate", fleet.Generated, "POST")
    state = await _get(gateway, "/api/servers/status", fleet.FleetStatus)

    assert reset == {"success": True, "currentCount": 0, "targetCount": 20, "isComplete": False, "progress": 0, "removed": 0}
    assert [answer["progress"] for answer in answers] == [5 * (k + 1) for k in range(20)]
    assert [answer["isComplete"] for answer in answers] == [False] * 19 + [True]
    assert answers[0]["server"]["metrics"] == {"cpu": 40.5, "memory": 60.0, "disk": 55.0}
    assert (more["server"], more["progress"], more["success"]) == (None, 100, True)
    assert len(state["servers"]) == 20


async def test_generate_tells_a_caller_that_counted_wrong(gateway: RunningGateway) -> None:
    wrong = await gateway("POST", "/api/servers/generate", {"currentCount": 7})
    typed = [
        await gateway("POST", "/api/servers/generate", body)
        for body in ({"currentCount": "7"}, {"currentCount": -1}, {"count": 7}, {"reset": 1})
    ]
    again = await _get(gateway, "/api/servers/generate", fleet.Generated, "POST", {"reset": True})

    assert (wrong.status, wrong.json["reason"]) == (409, "CONFLICT")
    assert [reply.status for reply in typed] == [400] * 4
    assert again["currentCount"] == 1


async def test_servers_in_pages(gateway: RunningGateway) -> None:
    _add_servers(gateway.peers, "db-01", "web-01", "web-02")

    first = await _get(gateway, "/api/v1/servers?page_size=2", metrics.ServerList)
    second = await _get(gateway, f"/api/v1/servers?page_size=2&page_token={first['next_page_token']}", metrics.ServerList)
    one = await _get(gateway, "/api/v1/servers/web-01", metrics.Server)
    bad = [
        await gateway("GET", f"/api/v1/servers?{query}")
        for query in ("page_size=0", "page_size=9999", "page_size=x", "page_token=!", "sort=cpu")
    ]

    assert [item["server"] for item in first["items"]] == ["db-01", "web-01"]
    assert [item["server"] for item in second["items"]] == ["web-02"]
    assert second["next_page_token"] is None
    assert one["health"] == "critical"
    assert one["last_seen"] == "2023-11-14T22:13:20.000Z"
    assert one["labels"] == {"site": "seoul"}
    assert {reply.status for reply in bad} == {400}
    assert (await gateway("GET", "/api/v1/servers/nobody")).json["reason"] == "NO_SUCH_SERVER"


async def test_ask(gateway: RunningGateway) -> None:
    body = {"query": "top 3 servers by cpu", "at": "2023-11-15T07:13:20+09:00", "tz": "Asia/Seoul", "lang": "ko"}

    answer = await _get(gateway, "/api/v1/ask", ask.AskAnswer, "POST", body)

    assert answer["interpretation"] == {
        "intent": "top_servers", "metric": "cpu", "servers": [], "roles": [], "op": None, "value": None, "limit": 3, "order": None,
        "aggregation": None, "range": {"start": "2023-11-14T22:12:20.000Z", "end": "2023-11-14T22:13:20.000Z"}, "horizon": None,
        "duration": None, "for": None, "severity": None, "channel": None, "understood": [], "not_understood": [], "confidence": 0.0,
    }  # fmt: skip
    assert answer["evidence"][0] == {
        "claim": "web-03 91.2 %", "expr": 'cpu{server="web-03"}', "time": "2023-11-14T22:13:20.250Z", "start": None, "end": None,
        "value": 91.2, "unit": "percent", "servers": ["web-03"], "samples": 360,
    }  # fmt: skip
    assert answer["proposal"] is None
    assert answer["metadata"]["attempts"] == [{"engine": "llm", "outcome": "unavailable", "ms": 3.0, "detail": "switched off"}]
    assert answer["metadata"]["processing_time_ms"] == 12.0
    request = gateway.peers.ai_agent.requests[-1]
    assert (request.query, request.lang, request.tz, request.at.ToMilliseconds()) == (body["query"], "ko", "Asia/Seoul", NOW_MS)


async def test_ask_step_by_step(gateway: RunningGateway) -> None:
    headers = {"Authorization": "Bearer test-token", "Accept": "text/event-stream"}
    async with gateway.client.post(f"{gateway.url}/api/v1/ask", json={"query": "a"}, headers=headers) as response:
        events = [event async for event in read_events(response)]
    whole = await gateway("POST", "/api/v1/ask", {"query": "a"})

    assert response.content_type == "text/event-stream"
    assert [event["event"] for event in events] == ["interpretation", "attempt", "text", "answer"]
    assert events[-1]["data"] == whole.body.decode()


async def test_an_answer_that_breaks_off_ends_with_an_error_event(gateway: RunningGateway) -> None:
    gateway.peers.ai_agent.fails_after_first_step = True
    headers = {"Authorization": "Bearer test-token", "Accept": "text/event-stream"}
    async with gateway.client.post(f"{gateway.url}/api/v1/ask", json={"query": "a"}, headers=headers) as response:
        events = [event async for event in read_events(response)]

    assert [event["event"] for event in events] == ["interpretation", "error"]
    assert '"reason":"NO_ENGINE"' in events[-1]["data"]


async def test_a_question_that_fails_at_once_has_its_status(gateway: RunningGateway) -> None:
    gateway.peers.ai_agent.error = RefusedError("no engine is left", reason="NO_ENGINE")

    reply = await gateway("POST", "/api/v1/ask", {"query": "a"}, headers={"Accept": "text/event-stream"})

    assert (reply.status, reply.json["reason"]) == (422, "NO_ENGINE")


async def test_analyze(gateway: RunningGateway) -> None:
    rows = [{"cpu": 40, "memory": 60.5, "disk": None, "timestamp": NOW_MS / 1000 + 60 * k} for k in range(5)]

    answer = await _get(
        gateway, "/analyze", ask.Analysis, "POST", {"query": "any?", "metrics": rows, "context": {"site": "seoul", "n": 2}}
    )

    request = gateway.peers.ai_agent.requests[-1]
    assert [column.name for column in request.columns] == ["cpu", "memory", "disk"]
    assert len(request.timestamps_ms) == 5 * 8
    assert dict(request.context) == {"site": "seoul", "n": "2"}
    assert isinstance(answer["processing_time"], float)
    assert answer["anomalies"]["data"][0]["deviations"][0]["metric"] == "cpu"
    assert answer["trends"]["cpu"]["p_value"] is None
    assert answer["predictions"]["disk"] == {"refusal": "too few rows"}


@pytest.mark.parametrize("rows", [[], None, {}, [5], [{"cpu": "high"}], [{"timestamp": 5}], [{"cpu": 1}] * 100_001])
async def test_nothing_to_analyze_is_400(gateway: RunningGateway, rows: Any) -> None:
    reply = await gateway("POST", "/analyze", {"query": "x", "metrics": rows})

    assert reply.status == 400
    assert reply.json["errors"]


async def test_engines(gateway: RunningGateway) -> None:
    engines = await _get(gateway, "/api/v1/engines", ask.EngineList)

    assert engines["items"][0] == {
        "name": "optimized",
        "description": "structured",
        "circuit": "closed",
        "answered": 3,
        "failed": 1,
    }


async def test_rules(gateway: RunningGateway) -> None:
    reply = await gateway("POST", "/api/v1/rules", RULE)
    made = reply.json
    path = f"/api/v1/rules/{made['id']}"
    got = await _get(gateway, path, alerting.Rule)
    changed = await _get(
        gateway, path, alerting.Rule, "PUT", {**RULE, "enabled": False, "group_wait_seconds": 1.5, "severity": "info"}
    )
    listed = await _get(gateway, "/api/v1/rules", alerting.RuleList)
    duplicate = await gateway("POST", "/api/v1/rules", RULE)
    deleted = await gateway("DELETE", path)

    assert reply.status == 201
    assert reply.headers["location"] == path
    assert {name: got[name] for name in RULE} == RULE
    assert got["enabled"] is True
    assert got["created_at"] == "2023-11-14T22:13:20.000Z"
    assert (changed["enabled"], changed["group_wait_seconds"], changed["severity"]) == (False, 1.5, "info")
    assert listed["next_page_token"] == "more"
    assert duplicate.status == 409
    assert (deleted.status, deleted.body) == (204, b"")
    assert (await gateway("GET", path)).status == 404


def _bad_rules() -> Iterator[tuple[dict[str, Any], str]]:
    yield {k: v for k, v in RULE.items() if k != "expr"}, "expr"
    yield {**RULE, "for_seconds": -1}, "for_seconds"
    yield {**RULE, "for_seconds": "60"}, "for_seconds"
    yield {**RULE, "severity": "fatal"}, "severity"
    yield {**RULE, "labels": {"a": 1}}, "labels.a"
    yield {**RULE, "enabled": "yes"}, "enabled"
    yield {**RULE, "forr": 1}, "forr"


@pytest.mark.parametrize(("rule", "field"), list(_bad_rules()))
async def test_bad_rules(gateway: RunningGateway, rule: dict[str, Any], field: str) -> None:
    reply = await gateway("POST", "/api/v1/rules", rule)

    assert reply.status == 400
    assert reply.json["errors"][0]["field"] == field
    assert gateway.peers.notifier.rules == {}


async def test_channels(gateway: RunningGateway) -> None:
    made = await _get(
        gateway,
        "/api/v1/channels",
        alerting.Channel,
        "POST",
        {"name": "ops", "kind": "webhook", "config": {"url": "http://x/", "allow_private": True}},
        201,
    )
    changed = await _get(
        gateway, "/api/v1/channels/ops", alerting.Channel, "PUT", {"kind": "webhook", "config": {"url": "http://y/"}}
    )
    listed = await _get(gateway, "/api/v1/channels", alerting.ChannelList)
    tested = await _get(gateway, "/api/v1/channels/ops/test", alerting.Delivery, "POST")

    assert made["config"] == {"url": "http://x/", "allow_private": True}
    assert changed["config"] == {"url": "http://y/"}
    assert [channel["name"] for channel in listed["items"]] == ["ops"]
    assert (tested["delivered"], tested["http_status"], tested["elapsed_seconds"]) == (False, 500, 0.02)
    assert (await gateway("PUT", "/api/v1/channels/ops", {"name": "dev", "kind": "webhook"})).status == 400
    assert (await gateway("POST", "/api/v1/channels", {"name": "a/b", "kind": "webhook"})).status == 400
    assert (await gateway("DELETE", "/api/v1/channels/ops")).status == 204
    assert (await gateway("GET", "/api/v1/channels/ops")).status == 404


async def test_alerts_and_notifications(gateway: RunningGateway) -> None:
    alerts = await _get(gateway, "/api/v1/alerts?state=firing&state=pending", alerting.AlertList)
    states = list(gateway.peers.notifier.requests[-1].states)
    sent = await _get(gateway, "/api/v1/notifications?state=dead", alerting.NotificationList)

    assert states == [2, 1]
    assert alerts["items"][0]["labels"] == {"alertname": "high cpu", "server": "web-01"}
    assert alerts["items"][0]["evidence"] == {"expr": "cpu > 90", "time": "2023-11-14T22:13:20.000Z", "value": 97.5}
    assert sent["items"][0]["attempts"][0]["http_status"] == 200
    assert (await gateway("GET", "/api/v1/alerts?state=burning")).status == 400


async def test_ready_and_system(gateway: RunningGateway) -> None:
    ready = await _get(gateway, "/readyz", system.Readiness)
    await gateway.servers["metrics"].set_ready(False)
    await gateway.servers["notifier"].stop(0.0)
    degraded = await _get(gateway, "/readyz", system.Readiness, status=503)
    await gateway.clock.advance(60)
    about = await _get(gateway, "/api/v1/system", system.System)

    assert ready == {"status": "ready", "parts": {name: {"status": "serving", "detail": ""} for name in gateway.servers}}
    assert degraded["parts"]["metrics"]["status"] == "not_serving"
    assert degraded["parts"]["notifier"]["status"] == "unreachable"
    assert degraded["parts"]["server_gen"]["status"] == "serving"
    assert about["uptime_seconds"] == 60.0
    assert (await gateway("GET", "/healthz")).status == 200


async def test_metrics_of_the_whole_suite(gateway: RunningGateway) -> None:
    await gateway("GET", "/api/v1/engines")
    await gateway.servers["notifier"].stop(0.0)

    reply = await gateway("GET", "/metrics")

    text = reply.body.decode()
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'openmanager_up{service="notifier"} 0.0' in text
    assert 'openmanager_up{service="ai_agent"} 1.0' in text
    assert 'openmanager_http_requests_total{method="GET",route="/api/v1/engines",service="gateway",status="200"} 1.0' in text
    assert text.count("# TYPE openmanager_up ") == 1


async def test_head_is_get_without_a_body(gateway: RunningGateway) -> None:
    reply = await gateway("HEAD", "/healthz", token=None)

    assert (reply.status, reply.body) == (200, b"")
