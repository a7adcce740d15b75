"""What Grafana asks of a Prometheus beside samples: build, metadata, rules and alerts."""

from typing import Any

from openmanager.notifier.v1 import notifier_pb2
from services.common.errors import UnavailableError
from tests.support.gateway import RunningGateway
from tests.support.gateway_fake import NOW_MS
from tests.support.gateway_peers import alert

API = "/prometheus/api/v1"
RULE = {"name": "high cpu", "expr": "cpu > 90", "for_seconds": 60, "severity": "critical", "labels": {"team": "a"},
        "annotations": {"summary": "{{ labels.server }}"}}  # fmt: skip


async def data(gateway: RunningGateway, path: str) -> Any:
    reply = await gateway("GET", f"{API}/{path}")
    assert (reply.status, reply.json["status"]) == (200, "success")
    return reply.json["data"]


async def test_buildinfo_names_the_prometheus_that_is_followed(gateway: RunningGateway) -> None:
    told = await data(gateway, "status/buildinfo")

    assert told["version"] == "2.42.0"
    assert told["revision"].startswith("openmanager-")
    assert set(told) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}


async def test_metadata_of_every_metric_and_of_one(gateway: RunningGateway) -> None:
    gateway.peers.metrics.label_values = ["cpu", "requests_total"]

    assert await data(gateway, "metadata") == {
        "cpu": [{"type": "gauge", "help": "Processor time in use.", "unit": "percent"}],
        "requests_total": [{"type": "counter", "help": "", "unit": ""}],
    }
    assert list(await data(gateway, "metadata?limit=1")) == ["cpu"]
    assert list(await data(gateway, "metadata?metric=requests_total")) == ["requests_total"]
    assert await data(gateway, "metadata?metric=nope") == {}


async def test_rules_with_their_alerts(gateway: RunningGateway) -> None:
    await gateway("POST", "/api/v1/rules", RULE)
    await gateway("POST", "/api/v1/rules", RULE | {"name": "quiet"})
    await gateway("POST", "/api/v1/rules", RULE | {"name": "off", "enabled": False})
    gateway.peers.notifier.rules["rule-2"].last_error = "no such thing"
    gateway.peers.notifier.rules["rule-1"].last_evaluated_at.FromMilliseconds(NOW_MS)

    (group,) = (await data(gateway, "rules"))["groups"]

    firing, quiet = group.pop("rules")
    started = {"activeAt": "2023-11-14T22:13:20.000Z", "state": "firing", "value": "9.75e+01"}
    labels = {"labels": {"alertname": "high cpu", "server": "web-01"}, "annotations": {}}
    assert group == {"name": "openmanager", "file": "openmanager", "interval": 0, "limit": 0, "evaluationTime": 0,
                     "lastEvaluation": "2023-11-14T22:13:20.000Z"}  # fmt: skip
    assert firing == {
        "state": "firing", "name": "high cpu", "query": "cpu > 90", "duration": 60, "keepFiringFor": 0,
        "labels": {"severity": "critical", "team": "a"}, "annotations": {"summary": "{{ labels.server }}"}, "alerts": [started | labels],
        "health": "ok", "evaluationTime": 0, "lastEvaluation": "2023-11-14T22:13:20.000Z", "type": "alerting",
    }  # fmt: skip
    assert (quiet["name"], quiet["state"], quiet["alerts"]) == ("quiet", "inactive", [])
    assert (quiet["health"], quiet["lastError"], quiet["lastEvaluation"]) == ("err", "no such thing", "0001-01-01T00:00:00Z")
    assert await data(gateway, "rules?type=alert") == await data(gateway, "rules")
    assert await data(gateway, "rules?type=record") == {"groups": []}


async def test_alerts_that_are_not_resolved(gateway: RunningGateway) -> None:
    notifier = gateway.peers.notifier
    notifier.alerts = [
        alert("1"),
        alert("2", notifier_pb2.ALERT_STATE_PENDING),
        alert("3", notifier_pb2.ALERT_STATE_UNKNOWN),
        alert("4", notifier_pb2.ALERT_STATE_FLAPPING),
    ]

    told = (await data(gateway, "alerts"))["alerts"]

    assert [one["state"] for one in told] == ["firing", "pending", "firing", "firing"]
    assert told[0]["value"] == "9.75e+01"
    asked = [request for request in notifier.requests if isinstance(request, notifier_pb2.ListAlertsRequest)]
    assert notifier_pb2.ALERT_STATE_RESOLVED not in asked[-1].states
    assert len(asked[-1].states) == 4


async def test_without_the_notifier_there_are_no_rules_to_tell(gateway: RunningGateway) -> None:
    gateway.peers.notifier.error = UnavailableError("away")

    for path in ("rules", "alerts"):
        reply = await gateway("GET", f"{API}/{path}")
        assert (reply.status, reply.json["errorType"]) == (503, "unavailable")
