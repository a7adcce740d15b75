"""What waits in the spool reaches the gateway in order, whatever the gateway and the way to it are like."""

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from services.all_in_one.commands.client import GatewayClient
from services.all_in_one.commands.spool import Spool
from services.all_in_one.commands.spool_sender import SpoolSender
from tests.support.fake_gateway import FakeGateway, breaks_off, fake_gateway, hangs, loses_the_answer, refuses
from tests.support.spools import START, HastyClock, fill, numbers, open_spool


class Bench:
    """A spool, its sender and the gateway at the other end."""

    def __init__(self, gateway: FakeGateway, spool: Spool, client: GatewayClient, clock: HastyClock) -> None:
        self.gateway = gateway
        self.spool = spool
        self.clock = clock
        self.sender = SpoolSender(client, clock, spool, lambda: 1.0, max_rows=100)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = HastyClock()
    spool = open_spool(tmp_path, clock)
    with contextlib.closing(spool):
        async with fake_gateway() as gateway, GatewayClient(gateway.url, "token", timeout_seconds=0.5) as client:
            yield Bench(gateway, spool, client, clock)


async def test_everything_arrives_in_order_in_batches_that_are_named(bench: Bench) -> None:
    fill(bench.spool, 60, values=4)
    await bench.sender.drain()
    assert numbers(bench.gateway.stored) == list(range(60))
    assert [len(batch) for batch in bench.gateway.batches] == [25, 25, 10]
    assert bench.gateway.batch_ids == ["spool-1-25", "spool-26-50", "spool-51-60"]
    assert bench.spool.waiting() == 0
    assert bench.clock.waits == []


@pytest.mark.parametrize(
    "behaviour",
    [refuses(429, "RATE_LIMITED"), refuses(500, "INTERNAL"), refuses(502), refuses(503), loses_the_answer, breaks_off, hangs],
    ids=["429", "500", "502", "503", "answer lost", "broken off", "slow"],
)
async def test_what_fails_is_sent_again_and_stored_once(bench: Bench, behaviour: Any) -> None:
    fill(bench.spool, 250)
    bench.gateway.script.extend([behaviour, behaviour])
    await bench.sender.drain()
    assert numbers(bench.gateway.stored) == list(range(250))
    first_of_batches = [numbers(batch)[0] for batch in bench.gateway.batches]
    assert first_of_batches == sorted(first_of_batches), "nothing overtakes what failed"
    assert bench.spool.waiting() == 0
    assert len(bench.clock.waits) == 2


async def test_a_gateway_that_is_away_is_looked_for_less_and_less_often(tmp_path: Path) -> None:
    clock = HastyClock()
    with socket.socket() as closed, contextlib.closing(open_spool(tmp_path, clock)) as spool:
        closed.bind(("127.0.0.1", 0))
        fill(spool, 3)

        class PatienceError(Exception):
            """The test has seen enough."""

        def jitter() -> float:
            if len(clock.waits) == 9:
                raise PatienceError
            return 0.5

        async with GatewayClient(f"http://127.0.0.1:{closed.getsockname()[1]}", "token") as client:
            with pytest.raises(PatienceError), capture_logs() as logs:
                await SpoolSender(client, clock, spool, jitter).drain()
        assert clock.waits == [0.75, 1.5, 3.0, 6.0, 12.0, 24.0, 45.0, 45.0, 45.0]
        assert spool.waiting() == 3
    said = [entry for entry in logs if entry["event"] == "gateway_away"]
    assert len(said) == 2, "once a minute: there are 137 seconds"
    assert "cannot be reached" in said[0]["error"]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked", ["45", "Tue, 14 Nov 2023 22:14:05 GMT"])
async def test_the_wait_that_the_gateway_asks_for_is_kept(bench: Bench, status: int, asked: str) -> None:
    fill(bench.spool, 1)
    bench.gateway.script.append(refuses(status, "BUSY", Retry_After=asked, Date="Tue, 14 Nov 2023 22:13:20 GMT"))
    await bench.sender.drain()
    (wait,) = bench.clock.waits
    assert 45.0 <= wait <= 46.0


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_token_costs_nothing_and_is_told_once_a_minute(bench: Bench, status: int) -> None:
    fill(bench.spool, 10)
    bench.gateway.script.extend([refuses(status, "UNAUTHENTICATED")] * 3)
    with capture_logs() as logs:
        await bench.sender.drain()
    assert numbers(bench.gateway.stored) == list(range(10))
    assert all(wait >= 60 for wait in bench.clock.waits)
    assert [entry["event"] for entry in logs] == ["gateway_refuses"] * 3 + ["gateway_back"]


@pytest.mark.parametrize("behaviour", [refuses(404, "NO_SUCH_ROUTE"), refuses(422, "STORE_CLOSED"), refuses(400)])
async def test_what_a_person_may_set_right_costs_nothing(bench: Bench, behaviour: Any) -> None:
    fill(bench.spool, 10)
    bench.gateway.script.extend([behaviour] * 20)
    await bench.sender.drain()
    assert numbers(bench.gateway.stored) == list(range(10))


async def test_an_answer_that_is_no_receipt_acknowledges_nothing(bench: Bench) -> None:
    async def portal(_gateway: FakeGateway, _request: web.Request, _samples: list[dict[str, Any]]) -> web.StreamResponse:
        return web.json_response({"accepted": "welcome to the hotel"})

    fill(bench.spool, 10)
    bench.gateway.script.append(portal)
    await bench.sender.drain()
    assert numbers(bench.gateway.stored) == list(range(10))


async def test_a_batch_that_is_too_large_is_halved_until_it_fits(bench: Bench) -> None:
    async def small_only(gateway: FakeGateway, request: web.Request, samples: list[dict[str, Any]]) -> web.StreamResponse:
        if len(samples) > 10:
            return await refuses(413, "PAYLOAD_TOO_LARGE")(gateway, request, samples)
        return web.json_response(gateway.store(samples))

    fill(bench.spool, 100)
    bench.gateway.otherwise = small_only
    await bench.sender.drain()
    assert numbers(bench.gateway.stored) == list(range(100))
    assert bench.clock.waits == []


async def test_bad_readings_are_found_and_only_they_are_dropped(bench: Bench) -> None:
    bad = {3, 40, 41, 99}

    async def picky(gateway: FakeGateway, request: web.Request, samples: list[dict[str, Any]]) -> web.StreamResponse:
        if bad & set(numbers(samples)):
            return await refuses(400, "INVALID_ARGUMENT")(gateway, request, samples)
        return web.json_response(gateway.store(samples))

    fill(bench.spool, 150)
    bench.gateway.otherwise = picky
    with capture_logs() as logs:
        await bench.sender.drain()
    assert numbers(bench.gateway.stored) == [number for number in range(150) if number not in bad]
    told = [entry for entry in logs if entry["event"] == "reading_refused"]
    assert [numbers([entry["sample"]])[0] for entry in told] == sorted(bad)
    assert {entry["reason"] for entry in told} == {"INVALID_ARGUMENT"}


async def test_rejected_values_are_let_go_and_their_reason_is_told(bench: Bench) -> None:
    async def rejects(gateway: FakeGateway, _request: web.Request, samples: list[dict[str, Any]]) -> web.StreamResponse:
        errors = [{"index": 0, "reason": "IN_FUTURE", "message": "more than 10 minutes ahead"}]
        return web.json_response({**gateway.store(samples[1:]), "rejected": 1, "errors": errors})

    fill(bench.spool, 5)
    bench.gateway.script.append(rejects)
    with capture_logs() as logs:
        await bench.sender.drain()
    assert numbers(bench.gateway.stored) == [1, 2, 3, 4]
    assert [(entry["event"], entry["rejected"], entry["reasons"]) for entry in logs] == [
        ("samples_refused", 1, {"IN_FUTURE": "more than 10 minutes ahead"})
    ]


async def test_late_values_come_as_history(bench: Bench) -> None:
    async def late(_gateway: FakeGateway, _request: web.Request, samples: list[dict[str, Any]]) -> web.StreamResponse:
        return web.json_response({"accepted": 0, "rejected": 0, "duplicate": 0, "late": 2 * len(samples), "errors": []})

    fill(bench.spool, 3, values=2)
    bench.gateway.script.append(late)
    await bench.sender.drain()
    (body,) = bench.gateway.imported
    times = [round((START + k) * 1000) for k in range(3)]
    assert [orjson.loads(line) for line in body.splitlines()] == [
        {"metric": {"__name__": f"value_{k}", "server": "web-01"}, "timestamps": times, "values": [0.0, 1.0, 2.0]} for k in (0, 1)
    ]
    assert bench.spool.waiting() == 0
