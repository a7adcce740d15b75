"""Questions about servers that report through different sources, over RPC: one answer, and every figure can be run again."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from openmanager.ai_agent.v1 import ai_agent_pb2 as pb
from openmanager.ai_agent.v1 import ai_agent_pb2_grpc
from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from services.ai_agent.app import build as build_ai_agent
from services.ai_agent.settings import AiAgentSettings
from services.common.clock import ManualClock
from services.metrics.app import build as build_metrics
from services.metrics.settings import MetricsSettings
from tests.support.printed_numbers import unproved_numbers
from tests.support.services import InProcess, in_process
from tests.support.source_samples import courses

NOW_MS = 1_700_000_000_000
MINUTES = 70
# cpu: 41.5, 30, 30 and 87.5 percent.
SERVERS = {"own-01": "openmanager", "node-01": "node_exporter", "otel-01": "otel", "tele-01": "telegraf", "web-01": "http"}


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[InProcess]:
    clock = ManualClock(NOW_MS / 1000)
    (tmp_path / "metrics").mkdir(mode=0o700)
    settings = MetricsSettings(data_dir=tmp_path, host_enabled=False, fleet_enabled=False)
    async with in_process() as running:
        await running.start("metrics", lambda connect, telemetry: build_metrics(settings, connect, telemetry, clock))
        await running.start(
            "ai_agent", lambda connect, telemetry: build_ai_agent(AiAgentSettings(data_dir=tmp_path), connect, telemetry, clock)
        )
        await fill(metrics_pb2_grpc.MetricsServiceStub(running.channel("metrics")), SERVERS)
        yield running


async def fill(stub: "metrics_pb2_grpc.MetricsServiceAsyncStub", servers: dict[str, str]) -> None:
    """An hour and some of samples of each server, as its source sends them."""
    times = np.arange(NOW_MS - MINUTES * 60_000, NOW_MS + 1, 15_000, dtype="<i8")
    sent = [course for server, source in servers.items() for course in courses(source, server)]
    labels = [[label_pb2.Label(name=name, value=value) for name, value in course.labels] for course in sent]
    registered = await stub.RegisterSeries(
        metrics_pb2.RegisterSeriesRequest(series=[label_pb2.LabelSet(labels=each) for each in labels])
    )
    ids = np.repeat(np.frombuffer(registered.ids, "<u8"), len(times))
    values = np.concatenate([course.values((times - times[0]) / 1000.0) for course in sent]).astype("<f8")
    samples = label_pb2.SampleColumns(
        series_ids=ids.tobytes(), timestamps_ms=np.tile(times, len(sent)).tobytes(), values=values.tobytes()
    )
    written = await stub.Write(metrics_pb2.WriteRequest(store_id=registered.store_id, samples=samples))
    assert written.accepted == len(ids)


async def ask(services: InProcess, query: str) -> pb.Answer:
    """The answer, each of whose figures was run again."""
    answer = (await ai_agent_pb2_grpc.AiAgentServiceStub(services.channel("ai_agent")).Ask(pb.AskRequest(query=query))).answer
    assert answer.success
    assert [attempt.outcome for attempt in answer.attempts] == ["answered"]
    metrics = metrics_pb2_grpc.MetricsServiceStub(services.channel("metrics"))
    for item in answer.evidence:
        result = await metrics.Query(metrics_pb2.QueryRequest(expr=item.expr, time=item.time))
        assert np.frombuffer(result.vector.values, "<f8").tolist() == [item.value], item.expr
        assert item.samples > 0 or item.expr.startswith("vector("), item
    assert unproved_numbers(answer.response, (item.value for item in answer.evidence), (*SERVERS, "node_load5")) == []
    return answer


@pytest.mark.parametrize(
    ("query", "value", "servers"),
    [
        ("cpu of own-01?", 41.5, ["own-01"]),
        ("cpu of node-01?", 30.0, ["node-01"]),
        ("cpu of otel-01?", 30.0, ["otel-01"]),
        ("cpu of tele-01?", 87.5, ["tele-01"]),
        ("load of otel-01", 0.75, ["otel-01"]),
        ("memory of node-01", 75.0, ["node-01"]),
        ("disk of otel-01", 80.0, ["otel-01"]),
        ("tele-01 온도", 48.0, ["tele-01"]),
        ("uptime of node-01", 60.0, ["node-01"]),  # minutes
        ("web-01 응답 시간", 80.0, ["web-01"]),
        ("inbound traffic of node-01", 1.0, ["node-01"]),  # kB/s
        ("outbound traffic of otel-01", 200.0, ["otel-01"]),
        ("average cpu", (41.5 + 30 + 30 + 87.5) / 4, []),
        ("total load", 0.5 + 1.25 + 0.75 + 2.0, []),
        ("average cpu of node-01 in the last hour", 30.0, ["node-01"]),
        ("maximum cpu of node-01 in the last hour", 30.0, ["node-01"]),
        ("p95 cpu of tele-01 in the last hour", 87.5, ["tele-01"]),
        ("minimum memory of otel-01 in the last hour", 60.0, ["otel-01"]),
        ("average disk of node-01 in the last 30 minutes", 90.0, ["node-01"]),
        ("지난 1시간 평균 cpu", (41.5 + 30 + 30 + 87.5) / 4, []),
        ("total network traffic of otel-01 in the last hour", 1.08, ["otel-01"]),  # MB
        ("node_load5 of node-01", 1.1, ["node-01"]),
        ("mem_available_percent of tele-01", 56.0, ["tele-01"]),
    ],
)
async def test_a_figure_whatever_its_source(services: InProcess, query: str, value: float, servers: list[str]) -> None:
    answer = await ask(services, query)
    assert answer.evidence[0].value == pytest.approx(value, rel=1e-6)
    if servers:
        assert list(answer.evidence[0].servers) == servers


async def test_a_ranking_over_all_sources(services: InProcess) -> None:
    answer = await ask(services, "top 3 servers by cpu")
    assert [list(item.servers) for item in answer.evidence] == [["tele-01"], ["own-01"], ["node-01"]]
    assert [item.expr for item in answer.evidence[:2]] == [
        '100 - avg by (server) (cpu_usage_idle{cpu=~"cpu-total|",server="tele-01"} + cpu_usage_iowait{server="tele-01"})',
        'cpu{server="own-01"}',
    ]


async def test_thresholds_over_all_sources(services: InProcess) -> None:
    answer = await ask(services, "servers with cpu above 40% and memory below 50%")
    assert "1 of 4 servers" in answer.response
    assert "tele-01 (87.5 %)" in answer.response
    answer = await ask(services, "servers over 35% cpu in the last hour")
    assert "2 of 4 servers" in answer.response


async def test_the_state_of_all(services: InProcess) -> None:
    answer = await ask(services, "how are my servers?")
    assert "3 of 5 servers need a look" in answer.response
    for told in ("own-01 disk 96.0 %", "node-01 disk 90.0 %", "tele-01 CPU 87.5 %"):
        assert told in answer.response
    assert "Unknown" not in answer.response, "web-01 sends samples, though none of its cpu"
    answer = await ask(services, "how many servers do we have?")
    assert "5 servers send samples" in answer.response


async def test_concepts_are_listed_with_what_is_present(services: InProcess) -> None:
    stub = metrics_pb2_grpc.MetricsServiceStub(services.channel("metrics"))
    concepts = {each.name: each for each in (await stub.ListConcepts(metrics_pb2.ListConceptsRequest())).concepts}
    assert set(concepts) == {
        *("cpu", "memory", "disk", "network", "disk_io", "load", "latency", "swap", "temperature", "uptime"),
    }
    load = [(formula.source, formula.kind, formula.present) for formula in concepts["load"].formulas]
    sources = ("openmanager", "node_exporter", "otel", "telegraf")
    assert load == [(source, metrics_pb2.FORMULA_KIND_GAUGE, True) for source in sources]
    assert not any(formula.present for formula in concepts["cpu"].formulas if "utilization" in formula.template)
