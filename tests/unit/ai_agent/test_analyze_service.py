"""The service and its HTTP door: language, fallback, refusals."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.ai_agent.domain.analyze.model import AnalysisRequest
from services.ai_agent.domain.analyze.service import AnalyzeService
from services.ai_agent.web import make_app, parse_analyze, render
from services.common.clock import ManualClock
from services.common.errors import InvalidArgumentError, ResourceExhaustedError
from services.common.pools.threads import ThreadPool
from tests.support.noise import calm_server

P = ParamSpec("P")
T = TypeVar("T")


class BrokenPool:
    """A pool in which everything goes wrong the same way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def run(self, deadline_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        raise self.error

    async def stop(self) -> None:
        """Nothing runs."""


class CountingPool(BrokenPool):
    """Runs on the spot and counts."""

    def __init__(self) -> None:
        self.calls = 0

    async def run(self, deadline_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.calls += 1
        return function(*args, **kwargs)


@pytest.fixture
async def service() -> AsyncIterator[AnalyzeService]:
    pool = ThreadPool("analyze", workers=1)
    yield AnalyzeService(pool, ManualClock(), max_rows=2_000)
    await pool.stop()


@pytest.fixture
async def client(service: AnalyzeService) -> AsyncIterator["TestClient[Any, Any]"]:
    async with TestClient(TestServer(make_app(service))) as client:
        yield client


def request(query: str = "anomalies?", lang: str = "", rows: int = 300, outliers: int = 0) -> AnalysisRequest:
    columns = calm_server(np.random.default_rng(1), rows)
    columns[0, 20 : 20 + 9 * outliers : 9] = 300.0
    return AnalysisRequest(query, None, dict(zip(("cpu", "memory", "disk"), columns, strict=True)), lang)


def body(rows: int = 300, **more: Any) -> bytes:
    columns = calm_server(np.random.default_rng(1), rows).T.tolist()
    metrics = [
        {"cpu": cpu, "memory": memory, "disk": disk, "timestamp": 1_700_000_000 + 60 * i}
        for i, (cpu, memory, disk) in enumerate(columns)
    ]
    return orjson.dumps({"query": "서버 상태 분석해줘", "metrics": metrics, **more})


@pytest.mark.parametrize(
    ("query", "lang", "spoken"),
    [
        ("서버 상태 분석해줘", "", "ko"),
        ("any anomalies?", "", "en"),
        ("CPU 이상 있어?", "", "ko"),
        ("anomalies?", "ko", "ko"),
        ("상태", "en", "en"),
        ("???", "", "en"),
    ],
)
async def test_the_answer_is_in_the_language_of_the_question(service: AnalyzeService, query: str, lang: str, spoken: str) -> None:
    assert (await service.analyze(request(query, lang))).lang == spoken


async def test_an_unknown_language_is_refused(service: AnalyzeService) -> None:
    with pytest.raises(InvalidArgumentError, match="ko or en"):
        await service.analyze(request(lang="fr"))


@pytest.mark.parametrize("error", [ResourceExhaustedError("full", reason="POOL_FULL"), RuntimeError("a bug")])
async def test_the_fallback_computes_basic_statistics_and_says_so(error: Exception) -> None:
    service = AnalyzeService(BrokenPool(error), ManualClock())
    result = await service.analyze(request(outliers=2))
    assert result.engine == "fallback"
    assert "basic statistics only" in result.analysis
    assert "CPU mean" in result.analysis
    assert [item.index for item in result.anomalies.items] == [20, 29]
    assert result.confidence <= 0.3
    assert all("basic statistics" in prediction.refusal for prediction in result.predictions)
    assert "기초 통계" in (await service.analyze(request("상태"))).analysis


async def test_a_refusal_does_not_fall_back() -> None:
    with pytest.raises(InvalidArgumentError, match="at most 100 "):
        await AnalyzeService(BrokenPool(RuntimeError("never asked")), ManualClock(), max_rows=100).analyze(request())


async def test_many_rows_go_to_the_large_pool() -> None:
    small, large = CountingPool(), CountingPool()
    service = AnalyzeService(small, ManualClock(), large_pool=large, large_from_rows=300)
    await service.analyze(request(rows=299))
    await service.analyze(request(rows=300))
    assert (small.calls, large.calls) == (1, 1)


async def test_the_seed_route_answers_with_its_fields(client: "TestClient[Any, Any]") -> None:
    response = await client.post("/analyze", data=body(context={"server": "web-01", "load": 2}))
    assert response.status == 200
    answer = await response.json()
    assert answer["success"] is True
    assert answer["lang"] == "ko"
    assert answer["engine"] == "optimized"
    assert isinstance(answer["processing_time"], float)
    assert answer["anomalies"] == {"count": 0, "severity": "normal", "data": []}
    assert set(answer["trends"]) == {"cpu", "memory", "disk"}
    assert answer["predictions"]["cpu"]["points"][0]["timestamp"].startswith("2023-11-15T")
    assert answer["recommendations"]


async def test_an_anomaly_shows_row_time_values_and_expected_band(client: "TestClient[Any, Any]") -> None:
    given = orjson.loads(body())
    given["metrics"][100]["cpu"] = 300
    answer = await (await client.post("/analyze", data=orjson.dumps(given))).json()
    (anomaly,) = answer["anomalies"]["data"]
    assert (anomaly["index"], anomaly["timestamp"], anomaly["values"]["cpu"]) == (100, "2023-11-14T23:53:20.000Z", 300.0)
    (deviation,) = anomaly["deviations"]
    assert deviation["expected_low"] < 45.0 < deviation["expected_high"] < deviation["value"]


@pytest.mark.parametrize(
    ("data", "status", "reason", "field"),
    [
        (b"{", 400, "INVALID_JSON", None),
        (b"[]", 400, "INVALID_JSON", None),
        (b'{"query": "x", "metrics": [{"cpu": NaN}]}', 400, "INVALID_JSON", None),
        (b'{"query": "x", "metrics": []}', 400, "INVALID_ROWS", "metrics"),
        (b'{"query": "x"}', 400, "INVALID_ROWS", "metrics"),
        (b'{"query": "x", "metrics": [{"cpu": "1"}]}', 400, "INVALID_ROWS", "metrics[0].cpu"),
        (b'{"metrics": [{"cpu": 1}]}', 400, "INVALID_ARGUMENT", "query"),
        (b'{"query": "x", "lang": "fr", "metrics": [{"cpu": 1}]}', 400, "INVALID_ARGUMENT", "lang"),
        (b'{"query": "x", "context": 5, "metrics": [{"cpu": 1}]}', 400, "INVALID_ARGUMENT", "context"),
        (body(rows=2_001), 400, "TOO_MANY_ROWS", "metrics"),
        (b" " * 3_000_000, 413, "TOO_LARGE", None),
    ],
)
async def test_bad_requests_are_told_what_is_wrong(
    client: "TestClient[Any, Any]", data: bytes, status: int, reason: str, field: str | None
) -> None:
    response = await client.post("/analyze", data=data)
    assert (response.status, response.content_type) == (status, "application/problem+json")
    problem = await response.json()
    assert problem["reason"] == reason
    assert [error["field"] for error in problem["errors"]][:1] == ([field] if field else [])


async def test_health_and_unknown_routes(client: "TestClient[Any, Any]") -> None:
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/nothing")).status == 404
    assert (await client.get("/analyze")).status == 405


async def test_the_door_stays_open_while_rows_are_analysed(client: "TestClient[Any, Any]") -> None:
    analyses = [asyncio.create_task(client.post("/analyze", data=body(rows=2_000))) for _ in range(4)]
    for _ in range(5):
        assert (await client.get("/healthz")).status == 200
    assert {response.status for response in await asyncio.gather(*analyses)} == {200}


def test_figures_that_are_not_known_become_null() -> None:
    parsed = parse_analyze(b'{"query": "x", "metrics": [{"cpu": 1, "gpu": null}]}', 10)
    pool = CountingPool()
    result = asyncio.run(AnalyzeService(pool, ManualClock()).analyze(parsed))
    assert orjson.loads(orjson.dumps(render(result)))["trends"]["gpu"]["mean"] is None
