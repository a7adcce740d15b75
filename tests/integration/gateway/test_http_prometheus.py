"""The read API in the shapes of Prometheus."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from openmanager.metrics.v1 import metrics_pb2
from services.common.errors import (
    CancelledError,
    DeadlineExceededError,
    InvalidArgumentError,
    OpenManagerError,
    ResourceExhaustedError,
    UnavailableError,
)
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.gateway_fake import NOW_MS
from tests.support.gateway_peers import FakeMetrics, Peers, label_set

API = "/prometheus/api/v1"


def _column(values: list[float], kind: str) -> bytes:
    return np.array(values, kind).tobytes()


def _vector(values: list[float]) -> metrics_pb2.QueryResponse:
    vector = metrics_pb2.Vector(
        series=[label_set(__name__="cpu", server=f"s{k}") for k in range(len(values))],
        timestamps_ms=_column([NOW_MS + 250] * len(values), "<i8"),
        values=_column(values, "<f8"),
    )
    return metrics_pb2.QueryResponse(vector=vector)


async def test_vector(gateway: RunningGateway) -> None:
    gateway.peers.metrics.answer = _vector([91.5, float("nan")])

    reply = await gateway("GET", f"{API}/query?" + urlencode({"query": "cpu", "time": "2023-11-14T22:13:20.250Z"}))

    assert reply.json == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": {"__name__": "cpu", "server": "s0"}, "value": [1_700_000_000.25, "91.5"]},
                {"metric": {"__name__": "cpu", "server": "s1"}, "value": [1_700_000_000.25, "NaN"]},
            ],
        },
    }
    assert gateway.peers.metrics.requests[-1].time.ToMilliseconds() == NOW_MS + 250


async def test_scalar_string_and_matrix(gateway: RunningGateway) -> None:
    metrics = gateway.peers.metrics
    metrics.answer = metrics_pb2.QueryResponse(scalar=metrics_pb2.Scalar(timestamp_ms=NOW_MS, value=float("inf")))
    scalar = (await gateway("GET", f"{API}/query?query=1")).json["data"]
    metrics.answer = metrics_pb2.QueryResponse(text=metrics_pb2.Text(timestamp_ms=NOW_MS, value="a"))
    text = (await gateway("GET", f"{API}/query?query=1")).json["data"]
    row = metrics_pb2.MatrixRow(
        labels=label_set(server="a"), timestamps_ms=_column([1000, 2500], "<i8"), values=_column([1, 2], "<f8")
    )
    metrics.answer = metrics_pb2.QueryResponse(matrix=metrics_pb2.Matrix(rows=[row]))
    matrix = (await gateway("GET", f"{API}/query?query=1")).json["data"]

    assert scalar == {"resultType": "scalar", "result": [1_700_000_000, "+Inf"]}
    assert text == {"resultType": "string", "result": [1_700_000_000, "a"]}
    assert matrix == {"resultType": "matrix", "result": [{"metric": {"server": "a"}, "values": [[1, "1"], [2.5, "2"]]}]}
    assert not gateway.peers.metrics.requests[-1].HasField("time")


async def test_range_by_get_and_by_form(gateway: RunningGateway) -> None:
    rows = [
        metrics_pb2.MatrixRow(
            labels=label_set(server=f"s{k}"),
            timestamps_ms=_column(list(range(0, 3000_000, 1000)), "<i8"),
            values=_column([0.5] * 3000, "<f8"),
        )
        for k in range(2)
    ]
    gateway.peers.metrics.range_answer = metrics_pb2.QueryRangeResponse(matrix=metrics_pb2.Matrix(rows=rows))
    given = {"query": "cpu", "start": "1700000000", "end": "2023-11-14T23:13:20Z", "step": "1m30s"}

    got = await gateway("GET", f"{API}/query_range?" + urlencode(given))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    posted = await gateway("POST", f"{API}/query_range?query=other", body=urlencode(given).encode(), headers=form)

    request = gateway.peers.metrics.requests[-1]
    assert got.json["data"]["resultType"] == "matrix"
    assert len(got.json["data"]["result"][1]["values"]) == 3000
    assert posted.body == got.body
    assert request.expr == "cpu"
    assert request.step.ToMilliseconds() == 90_000
    assert request.end.ToMilliseconds() - request.start.ToMilliseconds() == 3_600_000


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("query", {}),
        ("query", {"query": "sum(("}),
        ("query", {"query": "cpu", "time": "noon"}),
        ("query", {"query": "cpu", "time": "2023-11-14T22:13:20"}),
        ("query", {"query": "cpu", "time": "nan"}),
        ("query", {"query": "cpu", "time": "1e300"}),
        ("query", {"query": "cpu", "limit": "-1"}),
        ("query", {"query": "cpu", "timeout": "long"}),
        ("query_range", {"query": "cpu", "start": "0", "end": "60"}),
        ("query_range", {"query": "cpu", "start": "60", "end": "0", "step": "1"}),
        ("query_range", {"query": "cpu", "start": "0", "end": "60", "step": "0"}),
        ("query_range", {"query": "cpu", "start": "0", "end": "60", "step": "inf"}),
        ("query_range", {"query": "cpu", "start": "0", "end": "11001", "step": "1"}),
        ("query_range", {"query": "cpu", "end": "60", "step": "1"}),
        ("label/a-b/values", {}),
        ("rules", {"type": "x"}),
        ("metadata", {"limit": "x"}),
        ("series", {}),
    ],
)
async def test_bad_data(gateway: RunningGateway, path: str, given: dict[str, str]) -> None:
    reply = await gateway("GET", f"{API}/{path}?" + urlencode(given))

    assert reply.status == 400
    assert reply.json["status"] == "error"
    assert reply.json["errorType"] == "bad_data"
    assert reply.json["error"]


@pytest.mark.parametrize(
    ("path", "given", "told"),
    [
        ("query", {"query": "sum(("}, 'invalid parameter "query": 1:6: parse error: unclosed left parenthesis'),
        ("query", {"query": "1", "timeout": "x"}, 'invalid parameter "timeout": cannot parse "x" to a valid duration'),
        (
            "query",
            {"query": "1", "time": "x"},
            'invalid parameter "time": Invalid time value for \'time\': cannot parse "x" to a valid timestamp',
        ),
        (
            "query_range",
            {"start": "x", "end": "3", "step": "1"},
            'invalid parameter "start": cannot parse "x" to a valid timestamp',
        ),
        (
            "query_range",
            {"start": "5", "end": "3", "step": "1"},
            'invalid parameter "end": end timestamp must not be before start time',
        ),
        (
            "query_range",
            {"start": "0", "end": "3", "step": "0"},
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
        ),
        (
            "query_range",
            {"start": "0", "end": "30000", "step": "1"},
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        ("series", {}, "no match[] parameter provided"),
        ("label/a-b/values", {}, 'invalid label name: "a-b"'),
        ("rules", {"type": "x"}, 'invalid parameter "type": not supported value "x"'),
    ],
)
async def test_mistakes_are_told_in_the_words_of_prometheus(
    gateway: RunningGateway, path: str, given: dict[str, str], told: str
) -> None:
    """Each of these is what Prometheus 2.42 answers to the same request."""
    reply = await gateway("GET", f"{API}/{path}?" + urlencode(given))

    assert reply.json == {"status": "error", "errorType": "bad_data", "error": told}


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ResourceExhaustedError("too many samples"), 422, "execution"),
        (InvalidArgumentError("vector cannot contain metrics with the same labelset", reason="EXECUTION"), 422, "execution"),
        (DeadlineExceededError("slow"), 503, "timeout"),
        (CancelledError("stopping"), 503, "canceled"),
        (UnavailableError("away"), 503, "unavailable"),
    ],
)
async def test_other_errors(gateway: RunningGateway, error: OpenManagerError, status: int, kind: str) -> None:
    gateway.peers.metrics.error = error

    reply = await gateway("GET", f"{API}/query?query=cpu")

    assert (reply.status, reply.json["errorType"]) == (status, kind)


async def test_lists(gateway: RunningGateway) -> None:
    gateway.peers.metrics.ids = {(("__name__", "cpu"), ("server", "a")): 1, (("__name__", "cpu"), ("server", "b")): 2}

    async def data(path: str) -> Any:
        reply = await gateway("GET", f"{API}/{path}")
        assert reply.json["status"] == "success"
        return reply.json

    assert (await data("series?match[]=cpu&match[]=disk&start=5"))["data"] == [
        {"__name__": "cpu", "server": "a"},
        {"__name__": "cpu", "server": "b"},
    ]
    assert list(gateway.peers.metrics.requests[-1].selectors) == ["cpu", "disk"]
    assert gateway.peers.metrics.requests[-1].start.ToMilliseconds() == 5000
    limited = await data("series?match[]=cpu&limit=1")
    assert len(limited["data"]) == 1
    assert limited["warnings"]
    assert (await data("labels"))["data"] == ["__name__", "server"]
    assert (await data("label/server/values?limit=2"))["data"] == ["web-01", "web-02"]
    assert gateway.peers.metrics.requests[-1].name == "server"


async def test_limit_of_a_query(gateway: RunningGateway) -> None:
    gateway.peers.metrics.answer = _vector([1.0, 2.0, 3.0])

    reply = await gateway("GET", f"{API}/query?query=cpu&limit=2")

    assert len(reply.json["data"]["result"]) == 2
    assert "2 of 3" in reply.json["warnings"][0]


class EndlessMetrics(FakeMetrics):
    """Never answers a query."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.cancelled = asyncio.Event(), asyncio.Event()

    async def Query(self, request: metrics_pb2.QueryRequest, context: Any) -> metrics_pb2.QueryResponse:  # noqa: N802  (the name of the RPC)
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        return self.answer


async def test_a_client_that_leaves_cancels_its_query(tmp_path: Path) -> None:
    metrics = EndlessMetrics()
    async with running_gateway(tmp_path, peers=Peers(metrics=metrics)) as gateway:
        asking = asyncio.create_task(gateway("GET", f"{API}/query?query=cpu"))
        await asyncio.wait_for(metrics.started.wait(), 10)
        asking.cancel()
        await asyncio.wait_for(metrics.cancelled.wait(), 10)


async def test_a_query_that_takes_longer_than_its_timeout(tmp_path: Path) -> None:
    metrics = EndlessMetrics()
    async with running_gateway(tmp_path, peers=Peers(metrics=metrics)) as gateway:
        reply = await gateway("GET", f"{API}/query?query=cpu&timeout=20ms")
        await asyncio.wait_for(metrics.cancelled.wait(), 10)

    assert reply.status == 503
    assert reply.json == {"status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"}
