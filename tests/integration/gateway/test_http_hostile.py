"""Requests made to break the gateway get an answer that says what is wrong with them."""

import asyncio
import gzip
import logging
from urllib.parse import quote

import orjson
import pytest
from yarl import URL

from openmanager.metrics.v1 import metrics_pb2
from tests.support.gateway import TOKEN, RunningGateway

LABELS = "/prometheus/api/v1/labels"
DEEP = b'{"a":' * 400 + b"1" + b"}" * 400


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/analyze", b'{"query": "", "metrics": [{"cpu": 1}], "context": {"a": ' + DEEP + b"}}", "context"),
        ("/api/v1/channels", b'{"name": "a", "kind": "webhook", "config": {"a": ' + DEEP + b"}}", "config"),
    ],
)
async def test_what_nests_deeper_than_can_be_handed_on_is_400(gateway: RunningGateway, path: str, body: bytes, field: str) -> None:
    reply = await gateway("POST", path, body=body, headers={"Content-Type": "application/json"})

    assert reply.status == 400
    assert reply.json["errors"] == [{"field": field, "message": "nests too deeply"}]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/x-www-form-urlencoded", b"limit=1", 200),
        ("application/x-www-form-urlencoded; charset=utf-16", b"limit=1", 200),
        ("application/x-www-form-urlencoded; charset=no-such", b"limit=1", 200),
        ("application/x-www-form-urlencoded", b"start=\xff", 400),
        ("application/x-www-form-urlencoded", b"a=1&" * 1001, 400),
        ("multipart/form-data", b"limit=1", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken", 400),
        ("application/json", b'{"query": "1"}', 400),
    ],
)
async def test_forms_of_any_kind_get_an_answer(gateway: RunningGateway, kind: str, body: bytes, status: int) -> None:
    reply = await gateway("POST", LABELS, body=body, headers={"Content-Type": kind})

    assert reply.status == status
    if status == 400:
        assert reply.json["errorType"] == "bad_data"


async def test_a_limit_larger_than_the_services_know_is_no_limit(gateway: RunningGateway) -> None:
    reply = await gateway("GET", f"/prometheus/api/v1/series?match[]=cpu&limit={10**12}")

    assert reply.status == 200


async def test_an_event_id_of_thousands_of_digits_starts_from_the_state(gateway: RunningGateway) -> None:
    first = await gateway.client.get(f"{gateway.url}/api/v1/stream", headers=_authorized())
    line = b""
    while not line.startswith(b"id: "):
        line = await first.content.readline()
    epoch = line.removeprefix(b"id: ").decode().rpartition("-")[0]
    first.close()

    second = await gateway.client.get(
        f"{gateway.url}/api/v1/stream", headers={**_authorized(), "Last-Event-ID": f"{epoch}-{'9' * 5000}"}
    )

    assert second.status == 200
    second.close()


async def test_history_that_breaks_off_is_not_taken_in_half(gateway: RunningGateway) -> None:
    line = orjson.dumps({"metric": {"__name__": "cpu", "server": "a"}, "timestamps": [1], "values": [1]})
    body = gzip.compress(b"\n".join([line] * 100))
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}

    reply = await gateway("POST", "/api/v1/import", body=body[:-9], headers=headers)

    assert (reply.status, reply.json["reason"]) == (400, "BROKEN_BODY")
    assert not gateway.peers.metrics.ids


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "no-such"])
async def test_codings_that_are_not_known_are_415(gateway: RunningGateway, coding: str) -> None:
    reply = await gateway("POST", "/api/v1/metrics", body=b"{}", headers={"Content-Encoding": coding})

    assert (reply.status, reply.json["reason"]) == (415, "UNSUPPORTED_ENCODING")
    assert reply.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("name", ["{x}", '"} or vector(1) #', "a/b", "50%", "%2F", "..", "서버 1", "<img src=x>", "\\"])
async def test_a_server_is_found_whatever_its_name(gateway: RunningGateway, name: str) -> None:
    gateway.peers.metrics.servers.append(metrics_pb2.Server(name=name))

    path = URL(f"{gateway.url}/api/v1/servers/{quote(name, safe='')}", encoded=True)
    async with gateway.client.get(path, headers=_authorized()) as response:
        found = await response.json()

    assert found["server"] == name


@pytest.mark.parametrize(
    "sent", [b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"]
)
async def test_what_is_no_http_leaves_one_line_in_the_log(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    caplog.set_level(logging.INFO)
    host, _, port = gateway.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.0 400")
    (record,) = [record for record in caplog.records if record.name == "gateway.server"]
    assert (record.levelname, record.exc_info) == ("INFO", None)
    assert "Invalid char" in record.getMessage()


def _authorized() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}
