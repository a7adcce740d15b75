"""The four services as the gateway sees them: small, in memory, and told what to answer."""
# ruff: noqa: N802  the methods are named by their protos

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from openmanager.ai_agent.v1 import ai_agent_pb2, ai_agent_pb2_grpc
from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from openmanager.notifier.v1 import notifier_pb2, notifier_pb2_grpc
from openmanager.server_gen.v1 import server_gen_pb2_grpc
from services.common.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    OpenManagerError,
    RefusedError,
)
from tests.support.gateway_fake import NOW_MS, Failing
from tests.support.gateway_fleet import FakeFleet

FUTURE_MS = 600_000
MessageT = TypeVar("MessageT")


@dataclass
class Feed:
    """What a watching gateway is sent; a new watcher starts with the snapshot."""

    queue: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)
    watching: asyncio.Event = field(default_factory=asyncio.Event)

    async def messages(self, snapshot: MessageT) -> AsyncIterator[MessageT]:
        self.watching.set()
        try:
            yield snapshot
            while True:
                message = await self.queue.get()
                if isinstance(message, OpenManagerError):
                    raise message
                yield message
        finally:
            self.watching.clear()


class FakeMetrics(Failing, metrics_pb2_grpc.MetricsServiceServicer):
    """Keeps samples in dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.store_id = "store-1"
        self.ids: dict[tuple[tuple[str, str], ...], int] = {}
        self.deleted = 0
        self.samples: dict[tuple[int, int], float] = {}
        self.refused_names: set[str] = set()
        self.answer: metrics_pb2.QueryResponse = metrics_pb2.QueryResponse()
        self.range_answer = metrics_pb2.QueryRangeResponse()
        self.label_values = ["web-01", "web-02", "web-03"]
        self.servers: list[metrics_pb2.Server] = []
        self.feed = Feed()
        self.snapshot = metrics_pb2.WatchSamplesResponse(snapshot=True)

    def replace_store(self) -> None:
        self.store_id += "+"
        self.ids.clear()
        self.samples.clear()

    def delete_all(self) -> None:
        """Forget every series; its id is not given again."""
        self.deleted = max(self.ids.values(), default=self.deleted)
        self.ids.clear()
        self.samples.clear()

    async def RegisterSeries(self, request: metrics_pb2.RegisterSeriesRequest, context: Any) -> metrics_pb2.RegisterSeriesResponse:
        self.called("RegisterSeries", request)
        ids, errors = [], []
        for index, one in enumerate(request.series):
            labels = tuple((label.name, label.value) for label in one.labels)
            if dict(labels)["__name__"] in self.refused_names:
                errors.append(metrics_pb2.RowError(index=index, reason="SERIES_LIMIT", message="too many series"))
                ids.append(0)
            else:
                ids.append(self.ids.setdefault(labels, self.deleted + len(self.ids) + 1))
        return metrics_pb2.RegisterSeriesResponse(ids=np.array(ids, "<u8").tobytes(), store_id=self.store_id, errors=errors)

    async def Write(self, request: metrics_pb2.WriteRequest, context: Any) -> metrics_pb2.WriteResponse:
        self.called("Write", request)
        if request.store_id != self.store_id:
            raise RefusedError("another store now", reason="UNKNOWN_STORE")
        response = metrics_pb2.WriteResponse()
        ids = np.frombuffer(request.samples.series_ids, "<u8").tolist()
        times = np.frombuffer(request.samples.timestamps_ms, "<i8").tolist()
        values = np.frombuffer(request.samples.values, "<f8").tolist()
        for index, (series_id, time_ms, value) in enumerate(zip(ids, times, values, strict=True)):
            if series_id <= self.deleted:
                response.rejected += 1
                response.errors.add(index=index, reason="UNKNOWN_SERIES", message=f"series {series_id} is not registered")
            elif time_ms > NOW_MS + FUTURE_MS:
                response.rejected += 1
                response.errors.add(index=index, reason="IN_FUTURE", message="more than 10 minutes ahead")
            elif (series_id, time_ms) in self.samples:
                response.duplicate += 1
            else:
                self.samples[series_id, time_ms] = value
                response.accepted += 1
        return response

    async def WriteStream(
        self, requests: AsyncIterator[metrics_pb2.WriteStreamRequest], context: Any
    ) -> AsyncIterator[metrics_pb2.WriteStreamResponse]:
        async for request in requests:
            yield metrics_pb2.WriteStreamResponse(result=await self.Write(request.batch, context))

    async def WatchSamples(
        self, request: metrics_pb2.WatchSamplesRequest, context: Any
    ) -> AsyncIterator[metrics_pb2.WatchSamplesResponse]:
        self.called("WatchSamples", request)
        async for message in self.feed.messages(self.snapshot):
            yield message

    async def Query(self, request: metrics_pb2.QueryRequest, context: Any) -> metrics_pb2.QueryResponse:
        self.called("Query", request)
        if request.expr in ("", "sum(("):
            raise InvalidArgumentError("1:6: parse error: unclosed left parenthesis", reason="BAD_DATA")
        return self.answer

    async def QueryRange(self, request: metrics_pb2.QueryRangeRequest, context: Any) -> metrics_pb2.QueryRangeResponse:
        self.called("QueryRange", request)
        return self.range_answer

    async def ListSeries(self, request: metrics_pb2.ListSeriesRequest, context: Any) -> metrics_pb2.ListSeriesResponse:
        self.called("ListSeries", request)
        found = [label_set(**dict(labels)) for labels in sorted(self.ids)]
        return metrics_pb2.ListSeriesResponse(series=found[: request.limit or None])

    async def ListLabelNames(self, request: metrics_pb2.ListLabelNamesRequest, context: Any) -> metrics_pb2.ListLabelNamesResponse:
        self.called("ListLabelNames", request)
        return metrics_pb2.ListLabelNamesResponse(names=["__name__", "server"])

    async def ListLabelValues(
        self, request: metrics_pb2.ListLabelValuesRequest, context: Any
    ) -> metrics_pb2.ListLabelValuesResponse:
        self.called("ListLabelValues", request)
        return metrics_pb2.ListLabelValuesResponse(values=self.label_values)

    async def DeleteSeries(self, request: metrics_pb2.DeleteSeriesRequest, context: Any) -> metrics_pb2.DeleteSeriesResponse:
        self.called("DeleteSeries", request)
        return metrics_pb2.DeleteSeriesResponse()

    async def ForgetFleet(self, request: metrics_pb2.ForgetFleetRequest, context: Any) -> metrics_pb2.ForgetFleetResponse:
        self.called("ForgetFleet", request)
        return metrics_pb2.ForgetFleetResponse(deleted=len(self.ids))

    async def ListServers(self, request: metrics_pb2.ListServersRequest, context: Any) -> metrics_pb2.ListServersResponse:
        self.called("ListServers", request)
        found = [server for server in self.servers if request.name in ("", server.name)]
        return metrics_pb2.ListServersResponse(servers=found)

    async def ListConcepts(self, request: metrics_pb2.ListConceptsRequest, context: Any) -> metrics_pb2.ListConceptsResponse:
        self.called("ListConcepts", request)
        return metrics_pb2.ListConceptsResponse()


class FakeAssistant(Failing, ai_agent_pb2_grpc.AiAgentServiceServicer):
    """Gives the same answer to every question."""

    def __init__(self) -> None:
        super().__init__()
        self.fails_after_first_step = False

    def answer(self) -> ai_agent_pb2.Answer:
        answer = ai_agent_pb2.Answer(
            success=True, lang="ko", response="web-03 91.2 %", engine="optimized", confidence=0.93, recommendations=["확인하세요"]
        )
        answer.interpretation.intent = ai_agent_pb2.INTENT_TOP_SERVERS
        answer.interpretation.metric = "cpu"
        answer.interpretation.limit = 3
        answer.interpretation.start.FromMilliseconds(NOW_MS - 60_000)
        answer.interpretation.end.FromMilliseconds(NOW_MS)
        evidence = answer.evidence.add(
            claim="web-03 91.2 %", expr='cpu{server="web-03"}', value=91.2, unit="percent", servers=["web-03"], samples=360
        )
        evidence.time.FromMilliseconds(NOW_MS + 250)
        attempt = answer.attempts.add(engine="llm", outcome="unavailable", detail="switched off")
        attempt.elapsed.FromMilliseconds(3)
        answer.processing_time.FromMilliseconds(12)
        return answer

    async def Ask(self, request: ai_agent_pb2.AskRequest, context: Any) -> ai_agent_pb2.AskResponse:
        self.called("Ask", request)
        return ai_agent_pb2.AskResponse(answer=self.answer())

    async def AskStream(
        self, request: ai_agent_pb2.AskStreamRequest, context: Any
    ) -> AsyncIterator[ai_agent_pb2.AskStreamResponse]:
        self.called("AskStream", request)
        answer = self.answer()
        yield ai_agent_pb2.AskStreamResponse(interpretation=answer.interpretation)
        if self.fails_after_first_step:
            raise RefusedError("no engine is left", reason="NO_ENGINE")
        yield ai_agent_pb2.AskStreamResponse(attempt=answer.attempts[0])
        yield ai_agent_pb2.AskStreamResponse(text="web-03 ")
        yield ai_agent_pb2.AskStreamResponse(answer=answer)

    async def Analyze(self, request: ai_agent_pb2.AnalyzeRequest, context: Any) -> ai_agent_pb2.AnalyzeResponse:
        self.called("Analyze", request)
        response = ai_agent_pb2.AnalyzeResponse(
            analysis="calm", recommendations=["-"], confidence=0.9, engine="optimized", lang="en"
        )
        response.processing_time.FromMilliseconds(4)
        response.anomalies.count, response.anomalies.severity = 1, "low"
        anomaly = response.anomalies.items.add(index=2, timestamp_ms=NOW_MS, values={"cpu": 99.0}, score=7.5)
        anomaly.deviations.add(metric="cpu", value=99.0, expected_low=20.0, expected_high=60.0)
        response.trends.add(metric="cpu", direction="stable", slope_per_hour=0.1, p_value=float("nan"), mean=40.0, last=41.0)
        response.predictions.add(metric="cpu", method="drift").points.add(
            timestamp_ms=NOW_MS, steps_ahead=1, value=1.0, lower=0.5, upper=1.5
        )
        response.predictions.add(metric="disk", refusal="too few rows")
        return response

    async def ListEngines(self, request: ai_agent_pb2.ListEnginesRequest, context: Any) -> ai_agent_pb2.ListEnginesResponse:
        self.called("ListEngines", request)
        engine = ai_agent_pb2.EngineInfo(name="optimized", description="structured", circuit="closed", answered=3, failed=1)
        return ai_agent_pb2.ListEnginesResponse(engines=[engine])


class FakeNotifier(Failing, notifier_pb2_grpc.NotifierServiceServicer):
    """Keeps rules and channels in dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.rules: dict[str, notifier_pb2.Rule] = {}
        self.channels: dict[str, notifier_pb2.Channel] = {}
        self.alerts = [alert("alert-1")]
        self.feed = Feed()
        self.snapshot = notifier_pb2.WatchAlertsResponse(snapshot=True)

    async def CreateRule(self, request: notifier_pb2.CreateRuleRequest, context: Any) -> notifier_pb2.CreateRuleResponse:
        self.called("CreateRule", request)
        if any(rule.name == request.rule.name for rule in self.rules.values()):
            raise AlreadyExistsError("a rule has this name")
        rule = notifier_pb2.Rule()
        rule.CopyFrom(request.rule)
        rule.id = f"rule-{len(self.rules) + 1}"
        rule.created_at.FromMilliseconds(NOW_MS)
        self.rules[rule.id] = rule
        return notifier_pb2.CreateRuleResponse(rule=rule)

    async def GetRule(self, request: notifier_pb2.GetRuleRequest, context: Any) -> notifier_pb2.GetRuleResponse:
        return notifier_pb2.GetRuleResponse(rule=_of(self.rules, request.id))

    async def ListRules(self, request: notifier_pb2.ListRulesRequest, context: Any) -> notifier_pb2.ListRulesResponse:
        self.called("ListRules", request)
        if request.page_token:
            return notifier_pb2.ListRulesResponse()
        return notifier_pb2.ListRulesResponse(rules=list(self.rules.values()), next_page_token="more")

    async def UpdateRule(self, request: notifier_pb2.UpdateRuleRequest, context: Any) -> notifier_pb2.UpdateRuleResponse:
        _of(self.rules, request.rule.id).CopyFrom(request.rule)
        return notifier_pb2.UpdateRuleResponse(rule=request.rule)

    async def DeleteRule(self, request: notifier_pb2.DeleteRuleRequest, context: Any) -> notifier_pb2.DeleteRuleResponse:
        _of(self.rules, request.id)
        del self.rules[request.id]
        return notifier_pb2.DeleteRuleResponse()

    async def ListAlerts(self, request: notifier_pb2.ListAlertsRequest, context: Any) -> notifier_pb2.ListAlertsResponse:
        self.called("ListAlerts", request)
        return notifier_pb2.ListAlertsResponse(alerts=self.alerts)

    async def WatchAlerts(
        self, request: notifier_pb2.WatchAlertsRequest, context: Any
    ) -> AsyncIterator[notifier_pb2.WatchAlertsResponse]:
        self.called("WatchAlerts", request)
        async for message in self.feed.messages(self.snapshot):
            yield message

    async def CreateChannel(self, request: notifier_pb2.CreateChannelRequest, context: Any) -> notifier_pb2.CreateChannelResponse:
        self.called("CreateChannel", request)
        self.channels[request.channel.name] = request.channel
        return notifier_pb2.CreateChannelResponse(channel=request.channel)

    async def GetChannel(self, request: notifier_pb2.GetChannelRequest, context: Any) -> notifier_pb2.GetChannelResponse:
        return notifier_pb2.GetChannelResponse(channel=_of(self.channels, request.name))

    async def ListChannels(self, request: notifier_pb2.ListChannelsRequest, context: Any) -> notifier_pb2.ListChannelsResponse:
        return notifier_pb2.ListChannelsResponse(channels=list(self.channels.values()))

    async def UpdateChannel(self, request: notifier_pb2.UpdateChannelRequest, context: Any) -> notifier_pb2.UpdateChannelResponse:
        self.channels[request.channel.name] = request.channel
        return notifier_pb2.UpdateChannelResponse(channel=request.channel)

    async def DeleteChannel(self, request: notifier_pb2.DeleteChannelRequest, context: Any) -> notifier_pb2.DeleteChannelResponse:
        _of(self.channels, request.name)
        del self.channels[request.name]
        return notifier_pb2.DeleteChannelResponse()

    async def TestChannel(self, request: notifier_pb2.TestChannelRequest, context: Any) -> notifier_pb2.TestChannelResponse:
        _of(self.channels, request.name)
        attempt = notifier_pb2.DeliveryAttempt(delivered=False, outcome="rejected", detail="HTTP 500", http_status=500)
        attempt.at.FromMilliseconds(NOW_MS)
        attempt.elapsed.FromMilliseconds(20)
        return notifier_pb2.TestChannelResponse(attempt=attempt)

    async def ListNotifications(
        self, request: notifier_pb2.ListNotificationsRequest, context: Any
    ) -> notifier_pb2.ListNotificationsResponse:
        self.called("ListNotifications", request)
        one = notifier_pb2.Notification(
            id="n-1", type="firing", severity=notifier_pb2.SEVERITY_CRITICAL, title="t", message="m", channel="ops", rule="high",
            state=notifier_pb2.NOTIFICATION_STATE_DELIVERED, idempotency_key="k", confidence=0.8, alert_ids=["alert-1"],
        )  # fmt: skip
        one.attempts.add(delivered=True, outcome="delivered", http_status=200)
        return notifier_pb2.ListNotificationsResponse(notifications=[one])


def label_set(**labels: str) -> label_pb2.LabelSet:
    return label_pb2.LabelSet(labels=[label_pb2.Label(name=name, value=labels[name]) for name in sorted(labels)])


def alert(alert_id: str, state: "notifier_pb2.AlertState.ValueType" = notifier_pb2.ALERT_STATE_FIRING) -> notifier_pb2.Alert:
    made = notifier_pb2.Alert(
        id=alert_id, rule_id="rule-1", rule="high cpu", state=state, severity=notifier_pb2.SEVERITY_CRITICAL,
        labels=label_set(alertname="high cpu", server="web-01").labels, value=97.5, evidence_expr="cpu > 90", fingerprint="f",
    )  # fmt: skip
    made.started_at.FromMilliseconds(NOW_MS)
    made.evidence_time.FromMilliseconds(NOW_MS)
    return made


def sample_message(definitions: dict[int, dict[str, str]], rows: list[tuple[int, int, float]]) -> metrics_pb2.WatchSamplesResponse:
    """Stored samples as (id, time, value) rows."""
    ids, times, values = ([row[column] for row in rows] for column in range(3))
    return metrics_pb2.WatchSamplesResponse(
        series=[label_pb2.SeriesDefinition(id=key, labels=label_set(**labels).labels) for key, labels in definitions.items()],
        samples=label_pb2.SampleColumns(
            series_ids=np.array(ids, "<u8").tobytes(),
            timestamps_ms=np.array(times, "<i8").tobytes(),
            values=np.array(values, "<f8").tobytes(),
        ),
    )


@dataclass
class Peers:
    """The four services."""

    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    server_gen: FakeFleet = field(default_factory=FakeFleet)
    ai_agent: FakeAssistant = field(default_factory=FakeAssistant)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)

    def registrations(self) -> dict[str, Callable[[Any], None]]:
        """What adds each service to its server."""
        return {
            "metrics": lambda server: metrics_pb2_grpc.add_MetricsServiceServicer_to_server(self.metrics, server),
            "server_gen": lambda server: server_gen_pb2_grpc.add_ServerGenServiceServicer_to_server(self.server_gen, server),
            "ai_agent": lambda server: ai_agent_pb2_grpc.add_AiAgentServiceServicer_to_server(self.ai_agent, server),
            "notifier": lambda server: notifier_pb2_grpc.add_NotifierServiceServicer_to_server(self.notifier, server),
        }


def _of(kept: dict[str, MessageT], key: str) -> MessageT:
    if key not in kept:
        raise NotFoundError(f"nothing is called {key}")
    return kept[key]
