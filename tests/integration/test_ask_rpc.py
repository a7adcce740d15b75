"""Questions and analyses over RPC, with the metrics service behind them."""

import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from aiohttp import ClientSession
from google.protobuf import timestamp_pb2

from openmanager.ai_agent.v1 import ai_agent_pb2 as pb
from openmanager.ai_agent.v1 import ai_agent_pb2_grpc
from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from services.ai_agent.app import build as build_ai_agent
from services.ai_agent.settings import AiAgentSettings, StandaloneSettings
from services.common.clock import SystemClock
from services.common.errors import RefusedError, from_rpc_error
from services.common.lifecycle import Lifecycle
from services.common.telemetry import Telemetry
from services.metrics.app import build as build_metrics
from services.metrics.settings import MetricsSettings
from tests.support.printed_numbers import unproved_numbers
from tests.support.services import InProcess, in_process

SERVERS = {"web-01": ("web", 42.5), "web-02": ("web", 97.25), "db-01": ("database", 12.0)}


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process() as running:
        settings = MetricsSettings(data_dir=tmp_path, host_enabled=False, fleet_enabled=False)
        (tmp_path / "metrics").mkdir(mode=0o700)
        await running.start("metrics", lambda connect, telemetry: build_metrics(settings, connect, telemetry, SystemClock()))
        await running.start(
            "ai_agent",
            lambda connect, telemetry: build_ai_agent(AiAgentSettings(data_dir=tmp_path), connect, telemetry, SystemClock()),
        )
        yield running


async def store(services: InProcess) -> None:
    """Ten minutes of samples of each server."""
    stub = metrics_pb2_grpc.MetricsServiceStub(services.channel("metrics"))
    now_ms = int(time.time() * 1000)
    series, times, values = [], [], []
    for server, (role, level) in SERVERS.items():
        for metric, value in (("cpu", level), ("memory", 50.0), ("disk", 60.0)):
            labels = {"__name__": metric, "role": role, "server": server}
            series.append(label_pb2.LabelSet(labels=[label_pb2.Label(name=name, value=text) for name, text in labels.items()]))
            times.append(np.arange(now_ms - 600_000, now_ms - 5_000, 10_000, dtype="<i8"))
            values.append(np.full(len(times[-1]), value))
    registered = await stub.RegisterSeries(metrics_pb2.RegisterSeriesRequest(series=series))
    ids = np.repeat(np.frombuffer(registered.ids, "<u8"), len(times[0]))
    samples = label_pb2.SampleColumns(
        series_ids=ids.tobytes(),
        timestamps_ms=np.concatenate(times).tobytes(),
        values=np.concatenate(values).astype("<f8").tobytes(),
    )
    written = await stub.Write(metrics_pb2.WriteRequest(store_id=registered.store_id, samples=samples))
    assert written.accepted == len(ids)


def agent(services: InProcess) -> "ai_agent_pb2_grpc.AiAgentServiceAsyncStub":
    return ai_agent_pb2_grpc.AiAgentServiceStub(services.channel("ai_agent"))


@pytest.mark.parametrize(
    ("query", "intent", "lang", "part"),
    [
        ("CPU 90% 넘는 서버 있어?", pb.INTENT_FILTER_SERVERS, "ko", "web-02"),
        ("top 3 servers by cpu", pb.INTENT_TOP_SERVERS, "en", "web-02 (97.2 %)"),
        ("web-01 상태 어때?", pb.INTENT_SERVER_STATUS, "ko", "web-01"),
        ("how are my servers?", pb.INTENT_FLEET_STATUS, "en", "web-02"),
        ("what is the capital of France?", pb.INTENT_OUT_OF_SCOPE, "en", ""),
        ("how many web servers do we have?", pb.INTENT_INVENTORY, "en", "2 web servers"),
        ("web-01 지난 5분 평균 cpu", pb.INTENT_METRIC_VALUE, "ko", "42.5 %"),
    ],
)
async def test_answers_and_their_evidence(services: InProcess, query: str, intent: int, lang: str, part: str) -> None:
    await store(services)
    answer = (await agent(services).Ask(pb.AskRequest(query=query))).answer
    assert (answer.success, answer.interpretation.intent, answer.lang) == (True, intent, lang)
    assert part in answer.response
    metrics = metrics_pb2_grpc.MetricsServiceStub(services.channel("metrics"))
    for item in answer.evidence:
        result = await metrics.Query(metrics_pb2.QueryRequest(expr=item.expr, time=item.time))
        assert np.frombuffer(result.vector.values, "<f8").tolist() == [item.value], item.expr
    assert unproved_numbers(answer.response, (item.value for item in answer.evidence), SERVERS) == []
    assert [attempt.outcome for attempt in answer.attempts] == ["answered"]


async def test_a_stream_tells_each_step_and_ends_with_the_answer(services: InProcess) -> None:
    await store(services)
    events = [event async for event in agent(services).AskStream(pb.AskStreamRequest(ask=pb.AskRequest(query="average cpu")))]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[:2] == ["interpretation", "attempt"]
    assert set(kinds[2:-1]) == {"text"}
    assert kinds[-1] == "answer"
    assert "".join(event.text for event in events[2:-1]) == events[-1].answer.response


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.AskRequest(query=""), "query"),
        (pb.AskRequest(query="x" * 2001), "query"),
        (pb.AskRequest(query="cpu", lang="fr"), "lang"),
        (pb.AskRequest(query="cpu", tz="Mars/Olympus"), "tz"),
        (pb.AskRequest(query="cpu", tz="../etc/passwd"), "tz"),
        (pb.AskRequest(query="cpu", at=timestamp_pb2.Timestamp(seconds=4_000_000_000)), "at"),
        (pb.AskRequest(query="cpu", at=timestamp_pb2.Timestamp(seconds=-5)), "at"),
    ],
)
async def test_bad_questions_are_refused_by_field(services: InProcess, request_: pb.AskRequest, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await agent(services).Ask(request_)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [problem.field for problem in from_rpc_error(refused.value).fields] == [field]


async def test_without_the_metrics_service_nothing_is_made_up(services: InProcess) -> None:
    await services.stop("metrics")
    answer = (await agent(services).Ask(pb.AskRequest(query="cpu of web-01?"), timeout=5)).answer
    assert not answer.success
    assert [(attempt.engine, attempt.outcome) for attempt in answer.attempts] == [
        ("optimized", "unavailable"),
        ("fallback", "unavailable"),
    ]
    assert (await agent(services).Ask(pb.AskRequest(query="help"), timeout=5)).answer.success


async def test_engines_are_listed_in_order(services: InProcess) -> None:
    engines = (await agent(services).ListEngines(pb.ListEnginesRequest())).engines
    assert [(engine.name, engine.circuit) for engine in engines] == [("optimized", "closed"), ("fallback", "closed")]


async def test_rows_are_analysed(services: InProcess) -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(50, 3, 400)
    values[[100, 300]] = 99.0
    column = pb.AnalyzeColumn(name="cpu", values=values.astype("<f8").tobytes())
    times = (1_700_000_000_000 + 60_000 * np.arange(400)).astype("<i8").tobytes()
    result = await agent(services).Analyze(pb.AnalyzeRequest(query="이상 있어?", timestamps_ms=times, columns=[column]), timeout=30)
    assert result.lang == "ko"
    assert {item.index for item in result.anomalies.items} >= {100, 300}
    assert result.processing_time.ToTimedelta().total_seconds() > 0


async def test_torn_columns_are_refused(services: InProcess) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await agent(services).Analyze(pb.AnalyzeRequest(query="x", columns=[pb.AnalyzeColumn(name="cpu", values=b"1234567")]))
    assert from_rpc_error(refused.value).reason == "INVALID_COLUMNS"


async def test_alone_it_has_an_http_door(tmp_path: Path) -> None:
    assert StandaloneSettings(data_dir=tmp_path).http_listen == "127.0.0.1:8001"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    with_door = AiAgentSettings(data_dir=tmp_path, http_listen=place)
    async with in_process() as running:
        await running.start("ai_agent", lambda connect, telemetry: build_ai_agent(with_door, connect, telemetry, SystemClock()))
        rows = [{"cpu": 50.0 + index % 3, "memory": 40.0, "disk": 30.0} for index in range(60)]
        async with (
            ClientSession() as session,
            session.post(f"http://{place}/analyze", json={"query": "x", "metrics": rows}) as got,
        ):
            assert got.status == 200
            assert (await got.json())["success"] is True
        second = build_ai_agent(with_door, running.channel, Telemetry("second"), SystemClock())
        with pytest.raises(RefusedError) as refused:
            await second.start(Lifecycle("second"))
        assert refused.value.reason == "ADDRESS_IN_USE"
