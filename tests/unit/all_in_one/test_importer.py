"""Rows go to the gateway in bounded requests, once each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.all_in_one.commands import importer
from services.all_in_one.commands.client import GatewayClient, GatewayError
from services.all_in_one.commands.files import Grid
from services.all_in_one.commands.importer import Receipt, send
from services.common.clock import Clock, ManualClock

Answer = Callable[[int], web.Response]


class RecordingClock(ManualClock):
    """Passes at once, and remembers how long it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


class Gateway:
    """Takes imports; `answer` says what the n-th request gets, which is kept when that is a success."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.requests = 0
        self.bodies: list[list[dict[str, Any]]] = []
        self._answer = answer

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer secret"
        assert request.content_type == "application/x-ndjson"
        body = [orjson.loads(line) for line in (await request.read()).split(b"\n")]
        self.requests += 1
        if self._answer is not None and (response := self._answer(self.requests)).status != 200:
            return response
        self.bodies.append(body)
        return web.json_response({"accepted": sum(len(line["values"]) for line in body), "rejected": 0, "errors": []})

    async def receive(self, grids: list[Grid], clock: Clock | None = None) -> Receipt:
        """What a client says after it has sent these rows here."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/api/v1/import", self.handle)
        async with TestServer(app) as server, GatewayClient(str(server.make_url("")).rstrip("/"), "secret") as client:
            return await send(client, grids, clock or RecordingClock())

    def stored(self) -> dict[tuple[str, str], dict[int, float]]:
        """Samples by server and metric; fails when one came twice."""
        series: dict[tuple[str, str], dict[int, float]] = {}
        for line in (line for body in self.bodies for line in body):
            samples = series.setdefault((line["metric"]["server"], line["metric"]["__name__"]), {})
            for time, value in zip(line["timestamps"], line["values"], strict=True):
                assert time not in samples
                samples[time] = value
        return series


def _grid(rows: int, server: str = "a") -> Grid:
    values = np.arange(rows * 2, dtype=np.float64).reshape(rows, 2) / 8
    return Grid(server, ["cpu", "memory"], 1_700_000_000_000 + 1000 * np.arange(rows, dtype=np.int64), values)


async def test_every_sample_arrives_once_in_requests_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "SAMPLES_PER_REQUEST", 7)
    gateway = Gateway()
    grids = [_grid(10), _grid(3, "b")]
    receipt = await gateway.receive(grids)
    assert receipt.accepted == 26
    assert [sum(len(line["values"]) for line in body) for body in gateway.bodies] == [7, 7, 7, 5]
    stored = gateway.stored()
    for grid in grids:
        for k, metric in enumerate(grid.metrics):
            assert stored[grid.server, metric] == dict(zip(grid.timestamps_ms.tolist(), grid.values[:, k].tolist(), strict=True))


async def test_missing_values_are_not_sent_and_a_series_without_any_does_not_exist() -> None:
    grid = _grid(3)
    grid.values[:, 0] = np.nan
    grid.values[1, 1] = np.inf
    gateway = Gateway()
    assert (await gateway.receive([grid])).accepted == 2
    assert list(gateway.stored()) == [("a", "memory")]


async def test_rows_without_a_value_need_no_request() -> None:
    grid = _grid(2)
    grid.values[:] = np.nan
    gateway = Gateway()
    assert await gateway.receive([grid]) == Receipt()
    assert gateway.requests == 0


async def test_receipts_add_up_and_the_first_reason_is_kept() -> None:
    receipt = Receipt()
    receipt.add(
        {"accepted": 1000, "rejected": 1, "duplicate": 2, "late": 0, "errors": [{"index": 0, "message": "older than retention"}]}
    )
    receipt.add({"accepted": 500, "rejected": 2, "duplicate": 0, "late": 3, "errors": [{"reason": "LATE"}]})
    assert str(receipt) == "1,500 accepted, 3 rejected, 2 duplicate, 3 late"
    assert receipt.refused == 6
    assert receipt.problem == "older than retention"


async def test_a_gateway_that_is_busy_is_asked_again_after_the_time_it_names() -> None:
    def answer(number: int) -> web.Response:
        if number == 1:
            problem = {"title": "busy", "status": 429, "reason": "RATE_LIMITED"}
            return web.json_response(problem, status=429, headers={"Retry-After": "7"})
        return web.Response(status=503, text="proxy") if number == 2 else web.Response()

    clock = RecordingClock()
    gateway = Gateway(answer)
    assert (await gateway.receive([_grid(4)], clock)).accepted == 8
    assert clock.waits == [7.0, 2.0]
    assert gateway.requests == 3


async def test_a_refusal_ends_the_import_with_the_gateways_words() -> None:
    def answer(number: int) -> web.Response:
        problem = {
            "title": "Bad",
            "detail": "line 1 is wrong",
            "status": 400,
            "reason": "INVALID",
            "errors": [{"field": "x", "message": "y"}],
        }
        return web.json_response(problem, status=400)

    gateway = Gateway(answer)
    with pytest.raises(GatewayError, match="line 1 is wrong\n  x: y") as raised:
        await gateway.receive([_grid(4)])
    assert (raised.value.status, raised.value.reason, gateway.requests) == (400, "INVALID", 1)


async def test_a_gateway_that_stays_away_ends_the_import() -> None:
    clock = RecordingClock()
    gateway = Gateway(lambda _: web.Response(status=503))
    with pytest.raises(GatewayError) as raised:
        await gateway.receive([_grid(1)], clock)
    assert raised.value.status == 503
    assert gateway.requests == importer.ATTEMPTS
    assert clock.waits == [1.0, 2.0, 4.0, 8.0, 16.0]
