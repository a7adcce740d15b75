"""The notifier as a service: its RPCs over the in-process transport, against a fake of the metrics service."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from openmanager.notifier.v1 import notifier_pb2 as pb
from openmanager.notifier.v1 import notifier_pb2_grpc
from services.common.clock import ManualClock, SystemClock
from services.common.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    OpenManagerError,
    RefusedError,
    UnavailableError,
    from_rpc_error,
)
from services.common.lifecycle import Lifecycle
from services.common.rpc.connect import connect
from services.common.rpc.inproc.network import InprocNetwork
from services.common.rpc.server import RpcServer
from services.common.telemetry import Telemetry
from services.notifier.app import build
from services.notifier.domain.channels import MASK
from services.notifier.settings import NotifierSettings
from tests.support.notifier import FakeMetrics
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import until


class MetricsServicer(metrics_pb2_grpc.MetricsServiceServicer):
    """Serves a FakeMetrics."""

    def __init__(self, metrics: FakeMetrics) -> None:
        self.metrics = metrics
        self.readers: list[asyncio.Queue[str]] = []

    async def Query(self, request: metrics_pb2.QueryRequest, _context: object) -> metrics_pb2.QueryResponse:  # noqa: N802
        if request.expr == "42":
            return metrics_pb2.QueryResponse(scalar=metrics_pb2.Scalar(value=42.0))
        samples = await self.metrics.query(request.expr, request.time.ToMilliseconds() / 1000)
        series = [
            label_pb2.LabelSet(labels=[label_pb2.Label(name=name, value=value) for name, value in sorted(sample.labels.items())])
            for sample in samples
        ]
        values = np.array([sample.value for sample in samples], "<f8").tobytes()
        return metrics_pb2.QueryResponse(vector=metrics_pb2.Vector(series=series, values=values))

    async def WatchSamples(  # noqa: N802
        self, request: metrics_pb2.WatchSamplesRequest, _context: object
    ) -> AsyncIterator[metrics_pb2.WatchSamplesResponse]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self.readers.append(queue)
        while True:
            message = metrics_pb2.WatchSamplesResponse()
            definition = message.series.add(id=7)
            definition.labels.add(name="__name__", value=await queue.get())
            message.samples.series_ids = np.array([7], "<u8").tobytes()
            yield message

    def push(self, name: str, value: float, **labels: str) -> None:
        self.metrics.push(name, value, **labels)
        for reader in self.readers:
            reader.put_nowait(name)


@dataclass
class Running:
    stub: "notifier_pb2_grpc.NotifierServiceAsyncStub"
    metrics: MetricsServicer
    network: InprocNetwork


class Ticking(ManualClock):
    """A clock of the machine's own pace for FakeMetrics, which reads only `now`."""

    def now(self) -> float:
        return SystemClock().now()


@contextlib.asynccontextmanager
async def running(folder: Path, *, with_metrics: bool = True) -> AsyncIterator[Running]:
    network, lifecycle = InprocNetwork(), Lifecycle("test")
    metrics = MetricsServicer(FakeMetrics(Ticking()))  # type: ignore[abstract]  # the notifier calls two of its methods
    if with_metrics:
        metrics_server = RpcServer("metrics", telemetry=Telemetry("metrics"), network=network)
        metrics_pb2_grpc.add_MetricsServiceServicer_to_server(metrics, metrics_server)
        await metrics_server.start("inproc:metrics")
        await metrics_server.set_ready(True)
        lifecycle.on_stop("metrics", lambda: metrics_server.stop(0))
    settings = NotifierSettings(data_dir=folder, evaluation_min_interval_seconds=0.05, delivery_backoff_seconds=0.05)
    telemetry = Telemetry("notifier")
    service = build(settings, lambda name: connect(f"inproc:{name}", caller="notifier", network=network), telemetry, SystemClock())
    await service.start(lifecycle)
    server = RpcServer("notifier", telemetry=telemetry, network=network)
    service.register(server)
    await server.start("inproc:notifier")
    await server.set_ready(True)
    lifecycle.on_stop("notifier", lambda: server.stop(0))
    channel = connect("inproc:notifier", caller="test", network=network)
    try:
        yield Running(notifier_pb2_grpc.NotifierServiceStub(channel), metrics, network)
    finally:
        await channel.close()
        await lifecycle.stop()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as started:
        yield started


@contextlib.contextmanager
def raises(kind: type[OpenManagerError], reason: str) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield caught
    error = from_rpc_error(caught.value)
    assert (type(error), error.reason) == (kind, reason)
    caught.fields = [problem.field for problem in error.fields]  # type: ignore[attr-defined]


def a_rule(**changes: Any) -> pb.Rule:
    return pb.Rule(**{"name": "High CPU", "expr": "cpu > 90", "channels": ["ops"], "severity": pb.SEVERITY_CRITICAL, **changes})


async def make_channel(service: Running, receiver: Receiver, name: str = "ops", **config: Any) -> pb.Channel:
    text = json.dumps({"url": receiver.url, "allow_private": True, **config})
    request = pb.CreateChannelRequest(channel=pb.Channel(name=name, kind="webhook", config_json=text))
    return (await service.stub.CreateChannel(request)).channel


async def make_rule(service: Running, **changes: Any) -> pb.Rule:
    return (await service.stub.CreateRule(pb.CreateRuleRequest(rule=a_rule(**changes)))).rule


async def test_from_a_sample_to_a_webhook_and_back(service: Running) -> None:
    async with receiving() as receiver:
        shown = await make_channel(service, receiver, secret="s3cret")
        assert json.loads(shown.config_json)["secret"] == MASK
        rule = await make_rule(service, annotations={"summary": "{{ labels.server }}"})
        service.metrics.push("cpu", 97.5, server="web-01", role="web")
        await until(lambda: _later(lambda: receiver.of("web-01", "firing")), every=0.02)
        (alert,) = (await service.stub.ListAlerts(pb.ListAlertsRequest(states=[pb.ALERT_STATE_FIRING]))).alerts
        assert (alert.rule_id, alert.value, alert.severity) == (rule.id, 97.5, pb.SEVERITY_CRITICAL)
        assert {label.name: label.value for label in alert.labels} == {"alertname": "High CPU", "role": "web", "server": "web-01"}
        assert alert.evidence_expr == "cpu > 90"
        service.metrics.push("cpu", 5, server="web-01", role="web")
        await until(lambda: _later(lambda: receiver.of("web-01", "resolved")), every=0.02)
        assert "x-openmanager-signature" in receiver.deliveries[0].headers
        listed = (await service.stub.ListNotifications(pb.ListNotificationsRequest())).notifications
        assert [(row.type, row.server) for row in listed] == [("resolved", "web-01"), ("firing", "web-01")]
        assert listed[1].alert_ids == [alert.id]
        await service.stub.DeleteRule(pb.DeleteRuleRequest(id=rule.id))
        await service.stub.DeleteChannel(pb.DeleteChannelRequest(name="ops"))


async def _later(look: Callable[[], object]) -> object:
    return look()


async def test_rules_are_made_read_changed_listed_and_deleted(service: Running) -> None:
    full = a_rule(
        channels=[],
        keep_firing_for={"seconds": 5},
        recovery_expr="cpu < 70",
        labels={"team": "ops"},
        no_data=pb.NO_DATA_POLICY_ALERT,
        enabled=False,
        group_by=["role"],
        group_wait={"seconds": 1},
        group_interval={"seconds": 2},
        repeat_interval={"seconds": 3},
    )
    getattr(full, "for").FromMilliseconds(1500)
    made = (await service.stub.CreateRule(pb.CreateRuleRequest(rule=full))).rule
    assert made.id
    assert made.HasField("created_at")
    expected = pb.Rule()
    expected.CopyFrom(full)
    expected.id = made.id
    expected.created_at.CopyFrom(made.created_at)
    expected.updated_at.CopyFrom(made.updated_at)
    assert made == expected
    assert (await service.stub.GetRule(pb.GetRuleRequest(id=made.id))).rule == made
    made.name = "Other"
    changed = (await service.stub.UpdateRule(pb.UpdateRuleRequest(rule=made))).rule
    assert (changed.name, changed.created_at) == ("Other", made.created_at)
    assert [rule.name for rule in (await service.stub.ListRules(pb.ListRulesRequest())).rules] == ["Other"]
    await service.stub.DeleteRule(pb.DeleteRuleRequest(id=made.id))
    with raises(NotFoundError, "NOT_FOUND"):
        await service.stub.GetRule(pb.GetRuleRequest(id=made.id))
    with raises(NotFoundError, "NOT_FOUND"):
        await service.stub.DeleteRule(pb.DeleteRuleRequest(id=made.id))
    with raises(NotFoundError, "NOT_FOUND"):
        await service.stub.UpdateRule(pb.UpdateRuleRequest(rule=made))


@pytest.mark.parametrize(
    ("changes", "kind", "reason", "field"),
    [
        ({"expr": "sum(("}, InvalidArgumentError, "BAD_DATA", "expr"),
        ({"expr": "holt_winters(cpu[5m], 0.5, 0.5) > 3"}, InvalidArgumentError, "BAD_DATA", "expr"),
        ({"expr": "42"}, InvalidArgumentError, "NOT_A_VECTOR", "expr"),
        ({"expr": ""}, InvalidArgumentError, "INVALID_RULE", "expr"),
        ({"recovery_expr": "cpu <"}, InvalidArgumentError, "BAD_DATA", "recovery_expr"),
        ({"name": ""}, InvalidArgumentError, "INVALID_RULE", "name"),
        ({"name": "a\nb"}, InvalidArgumentError, "INVALID_RULE", "name"),
        ({"for": {"seconds": -1}}, InvalidArgumentError, "INVALID_RULE", "for_seconds"),
        ({"labels": {"a-b": "c"}}, InvalidArgumentError, "INVALID_RULE", "labels.a-b"),
        ({"labels": {"alertname": "x"}}, InvalidArgumentError, "INVALID_RULE", "labels.alertname"),
        ({"annotations": {"a": "{{ x"}}, InvalidArgumentError, "INVALID_RULE", "annotations.a"),
        ({"group_by": ["a b"]}, InvalidArgumentError, "INVALID_RULE", "group_by"),
        ({"no_data": 9}, InvalidArgumentError, "INVALID_ARGUMENT", "no_data"),
        ({"severity": 9}, InvalidArgumentError, "INVALID_ARGUMENT", "severity"),
        ({"channels": ["nobody"]}, RefusedError, "UNKNOWN_CHANNEL", "channels"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_by_field(
    service: Running, changes: dict[str, Any], kind: type[OpenManagerError], reason: str, field: str
) -> None:
    with raises(kind, reason) as caught:
        await make_rule(service, **{"channels": [], **changes})
    assert caught.fields == [field]
    assert (await service.stub.ListRules(pb.ListRulesRequest())).rules == []


async def test_names_are_taken_once_and_channels_in_use_stay(service: Running) -> None:
    async with receiving() as receiver:
        await make_channel(service, receiver)
        with raises(AlreadyExistsError, "ALREADY_EXISTS"):
            await make_channel(service, receiver)
        rule = await make_rule(service)
        with raises(AlreadyExistsError, "ALREADY_EXISTS"):
            await make_rule(service)
        with raises(RefusedError, "CHANNEL_IN_USE"):
            await service.stub.DeleteChannel(pb.DeleteChannelRequest(name="ops"))
        rule.channels[:] = []
        await service.stub.UpdateRule(pb.UpdateRuleRequest(rule=rule))
        await service.stub.DeleteChannel(pb.DeleteChannelRequest(name="ops"))
        with raises(NotFoundError, "NOT_FOUND"):
            await service.stub.GetChannel(pb.GetChannelRequest(name="ops"))


@pytest.mark.parametrize(
    ("channel", "field"),
    [
        (pb.Channel(name="a b", kind="webhook"), "name"),
        (pb.Channel(name="a", kind="pigeon"), "kind"),
        (pb.Channel(name="a", kind="webhook", config_json="{"), "config_json"),
        (pb.Channel(name="a", kind="webhook", config_json="[]"), "config_json"),
        (pb.Channel(name="a", kind="webhook"), "config.url"),
    ],
)
async def test_a_channel_that_cannot_be_is_refused_by_field(service: Running, channel: pb.Channel, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.CreateChannel(pb.CreateChannelRequest(channel=channel))
    error = from_rpc_error(caught.value)
    assert (type(error), [problem.field for problem in error.fields]) == (InvalidArgumentError, [field])


async def test_a_masked_secret_survives_an_update(service: Running) -> None:
    async with receiving() as receiver:
        shown = await make_channel(service, receiver, secret="s3cret")
        config = json.loads(shown.config_json) | {"timeout_seconds": 3.5}
        shown.config_json = json.dumps(config)
        changed = (await service.stub.UpdateChannel(pb.UpdateChannelRequest(channel=shown))).channel
        assert json.loads(changed.config_json) == config
        assert (await service.stub.GetChannel(pb.GetChannelRequest(name="ops"))).channel == changed
        await service.stub.TestChannel(pb.TestChannelRequest(name="ops"))
        assert "x-openmanager-signature" in receiver.deliveries[0].headers


async def test_a_channel_is_tried_out_once(service: Running) -> None:
    async with receiving() as receiver:
        receiver.answer = lambda number: 503 if number == 0 else 200
        await make_channel(service, receiver)
        failed = (await service.stub.TestChannel(pb.TestChannelRequest(name="ops"))).attempt
        assert (failed.delivered, failed.outcome, failed.http_status) == (False, "rejected", 503)
        passed = (await service.stub.TestChannel(pb.TestChannelRequest(name="ops"))).attempt
        assert (passed.delivered, passed.outcome, passed.http_status) == (True, "delivered", 200)
        assert receiver.deliveries[1].body["type"] == "test"
        listed = (await service.stub.ListNotifications(pb.ListNotificationsRequest())).notifications
        assert [(row.type, row.state) for row in listed] == [
            ("test", pb.NOTIFICATION_STATE_DELIVERED),
            ("test", pb.NOTIFICATION_STATE_DEAD),
        ]
    with raises(NotFoundError, "NOT_FOUND"):
        await service.stub.TestChannel(pb.TestChannelRequest(name="nobody"))


async def test_lists_come_in_pages(service: Running) -> None:
    for number in range(5):
        await make_rule(service, name=f"rule {number}", channels=[])
    names: list[str] = []
    token = ""
    while True:
        page = await service.stub.ListRules(pb.ListRulesRequest(page_size=2, page_token=token))
        assert len(page.rules) <= 2
        names.extend(rule.name for rule in page.rules)
        token = page.next_page_token
        if not token:
            break
    assert names == [f"rule {number}" for number in range(5)]
    first = await service.stub.ListRules(pb.ListRulesRequest(page_size=2))
    for wrong in ("nonsense", "%%%", first.next_page_token):
        with raises(InvalidArgumentError, "INVALID_PAGE_TOKEN"):
            await service.stub.ListAlerts(pb.ListAlertsRequest(page_token=wrong))
        with raises(InvalidArgumentError, "INVALID_PAGE_TOKEN"):
            await service.stub.ListNotifications(pb.ListNotificationsRequest(page_token=wrong))


async def read(call: "grpc.aio.UnaryStreamCall[Any, pb.WatchAlertsResponse]") -> pb.WatchAlertsResponse:
    message = await call.read()
    assert isinstance(message, pb.WatchAlertsResponse)
    return message


async def test_watchers_get_a_snapshot_then_changes_and_resume_by_cursor(service: Running) -> None:
    await make_rule(service, channels=[])
    service.metrics.push("cpu", 95, server="web-01")

    async def firing() -> bool:
        return len((await service.stub.ListAlerts(pb.ListAlertsRequest(states=[pb.ALERT_STATE_FIRING]))).alerts) == 1

    await until(firing, every=0.02)
    call = service.stub.WatchAlerts(pb.WatchAlertsRequest())
    snapshot = await read(call)
    assert (snapshot.snapshot, len(snapshot.alerts)) == (True, 1)
    service.metrics.push("cpu", 95, server="web-02")
    change = await read(call)
    assert (change.snapshot, change.cursor > snapshot.cursor) == (False, True)
    assert change.alerts[0].state == pb.ALERT_STATE_FIRING
    call.cancel()
    resumed = service.stub.WatchAlerts(pb.WatchAlertsRequest(cursor=snapshot.cursor))
    assert await read(resumed) == change
    resumed.cancel()
    anew = service.stub.WatchAlerts(pb.WatchAlertsRequest(cursor=1))
    first = await read(anew)
    assert (first.snapshot, len(first.alerts)) == (True, 2)
    anew.cancel()


async def test_without_the_metrics_service_it_serves_and_says_what_it_cannot_do(tmp_path: Path) -> None:
    async with running(tmp_path, with_metrics=False) as service:
        assert (await service.stub.ListRules(pb.ListRulesRequest())).rules == []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await make_rule(service, channels=[])
        assert isinstance(from_rpc_error(caught.value), UnavailableError)
