"""Programs that send samples in forms of their own, on both deployments: stored, read back, understood."""

import time
from typing import Any

from tests.support.remote_write import compressed, write_request
from tests.support.stack import Api
from tests.support.waiting import until

SNAPPY = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
GIB = 2.0**30


async def _servers(api: Api) -> dict[str, dict[str, Any]]:
    return {item["server"]: item for item in (await api.get("/api/v1/servers", page_size="500"))["items"]}


async def test_a_prometheus_with_a_node_exporter(api: Api) -> None:
    now_ms = round(time.time() * 1000)
    labels = {"instance": "sender-prom:9100", "job": "node"}
    series = [({"__name__": "node_load1", **labels}, [(0.5 + k, now_ms - 10_000 * (5 - k)) for k in range(6)])]
    for name, value in (("MemTotal", 8 * GIB), ("MemAvailable", 2 * GIB)):
        series.append(({"__name__": f"node_memory_{name}_bytes", **labels}, [(value, now_ms)]))
    for _ in range(3):
        status, answer = await api.call("POST", "/prometheus/api/v1/write", compressed(write_request(*series)), headers=SNAPPY)
        assert (status, answer) == (204, "")
    assert await api.value('node_load1{instance="sender-prom:9100",server="sender-prom"}') == [5.5]
    assert await api.value('count_over_time(node_load1{server="sender-prom"}[5m])') == [6.0]

    async def listed() -> dict[str, Any] | None:
        return (await _servers(api)).get("sender-prom")

    assert (await until(listed))["metrics"]["memory"] == 75.0


async def test_an_opentelemetry_collector_and_a_telegraf(api: Api) -> None:
    now = int(time.time())
    points = [{"timeUnixNano": str(now * 10**9), "asDouble": 0.75, "attributes": []}]
    metric = {"name": "system.cpu.load_average.1m", "unit": "{thread}", "gauge": {"dataPoints": points}}
    resource = {"attributes": [{"key": "host.name", "value": {"stringValue": "sender-otel"}}]}
    document = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}
    assert await api.call("POST", "/otlp/v1/metrics", document) == (200, {})
    lines = f"cpu,cpu=cpu-total,host=sender-telegraf usage_idle=12.5 {now}\nmem,host=sender-telegraf used_percent=44 {now}\n"
    headers = {"Content-Type": "text/plain", "Authorization": f"Token {api.token}"}
    status, _ = await api.call("POST", "/influx/api/v2/write?org=o&bucket=b&precision=s", lines.encode(), headers=headers)
    assert status == 204

    async def understood() -> bool:
        servers = await _servers(api)
        return {"sender-otel", "sender-telegraf"} <= servers.keys()

    assert await until(understood)
    servers = await _servers(api)
    assert servers["sender-otel"]["metrics"]["load"] == 0.75
    assert servers["sender-telegraf"]["metrics"] == {"cpu": 87.5, "memory": 44.0}


async def test_a_batch_of_senders_that_say_nonsense(api: Api) -> None:
    for path, body, headers, status, reason in (
        ("/prometheus/api/v1/write", b"\xff\xff\xff", SNAPPY, 400, "BROKEN_BODY"),
        ("/otlp/v1/metrics", b"{]", {"Content-Type": "application/json"}, 400, "INVALID_JSON"),
        ("/influx/write", b"cpu,host=x usage=1\nthis is no line\n", {"Content-Type": "text/plain"}, 400, "INVALID_LINE"),
    ):
        found, answer = await api.call("POST", path, body, headers=headers)
        assert (found, answer["reason"]) == (status, reason)
