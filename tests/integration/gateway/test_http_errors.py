"""What goes wrong is told as problem+json, and costs nobody else anything."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.common.errors import (
    ConflictError,
    DeadlineExceededError,
    FieldError,
    InvalidArgumentError,
    NotFoundError,
    OpenManagerError,
    PermissionDeniedError,
    RefusedError,
    ResourceExhaustedError,
    UnavailableError,
    UnimplementedError,
)
from tests.support.gateway import TOKEN, RunningGateway, running_gateway

MEMBERS = {"type", "title", "status", "detail", "instance", "reason", "errors"}


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (InvalidArgumentError("no"), 400, "INVALID_ARGUMENT"),
        (PermissionDeniedError("no"), 403, "PERMISSION_DENIED"),
        (NotFoundError("no"), 404, "NOT_FOUND"),
        (ConflictError("no"), 409, "CONFLICT"),
        (RefusedError("no", reason="SOME_REASON"), 422, "SOME_REASON"),
        (ResourceExhaustedError("no"), 429, "RESOURCE_EXHAUSTED"),
        (UnimplementedError("no"), 501, "UNIMPLEMENTED"),
        (UnavailableError("no", retry_after_seconds=2.5), 503, "UNAVAILABLE"),
        (DeadlineExceededError("no"), 504, "DEADLINE_EXCEEDED"),
        (RuntimeError("secret detail"), 500, "INTERNAL"),
    ],
)
async def test_errors_of_services(gateway: RunningGateway, error: OpenManagerError, status: int, reason: str) -> None:
    gateway.peers.ai_agent.error = error

    reply = await gateway("GET", "/api/v1/engines")

    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.json) == MEMBERS
    assert reply.json["reason"] == reason
    assert reply.json["status"] == status
    assert reply.json["instance"] == "/api/v1/engines"
    assert "secret" not in reply.body.decode()
    if status in (429, 503):
        assert reply.headers["retry-after"] == ("3" if status == 503 else "1")


async def test_bad_fields_of_services_are_named(gateway: RunningGateway) -> None:
    gateway.peers.notifier.error = InvalidArgumentError("bad", fields=[FieldError("expr", "does not parse")])

    reply = await gateway("POST", "/api/v1/rules", {"name": "a", "expr": "sum(("})

    assert reply.json["errors"] == [{"field": "expr", "message": "does not parse"}]


async def test_a_service_that_is_away_is_503(gateway: RunningGateway) -> None:
    await gateway.servers["ai_agent"].stop(0.0)

    reply = await gateway("GET", "/api/v1/engines")

    assert reply.status == 503
    assert reply.json["reason"] == "UNAVAILABLE"
    assert "/readyz" in reply.json["detail"]
    assert "ai_agent" not in reply.body.decode()
    assert "retry-after" in reply.headers


async def test_unknown_routes_and_methods(gateway: RunningGateway) -> None:
    unknown = await gateway("GET", "/api/v1/no-such-route")
    method = await gateway("DELETE", "/api/v1/servers")

    assert (unknown.status, unknown.json["reason"]) == (404, "NO_SUCH_ROUTE")
    assert (method.status, method.json["reason"]) == (405, "METHOD_NOT_ALLOWED")
    assert method.headers["allow"] == "GET,HEAD"


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        (b"{", "INVALID_JSON", None),
        (b"", "INVALID_JSON", None),
        (b"\xff\xfe", "INVALID_JSON", None),
        (b'{"query": NaN}', "INVALID_JSON", None),
        (b"[" * 5000, "INVALID_JSON", None),
        (b"[]", "INVALID_ARGUMENT", "body"),
        (b'{"query": 5}', "INVALID_ARGUMENT", "query"),
        (b'{"query": ""}', "INVALID_ARGUMENT", "query"),
        (b'{"query": "a", "quary": 1}', "INVALID_ARGUMENT", "quary"),
        (b'{"query": "a", "lang": "fr"}', "INVALID_ARGUMENT", "lang"),
        (b'{"query": "a", "at": "2025-01-27T09:00:00"}', "INVALID_ARGUMENT", "at"),
        (b'{"query": "a", "at": "yesterday"}', "INVALID_ARGUMENT", "at"),
    ],
)
async def test_bad_bodies_are_400_and_say_where(gateway: RunningGateway, body: bytes, reason: str, field: str | None) -> None:
    reply = await gateway("POST", "/api/v1/ask", body=body, headers={"Content-Type": "application/json"})

    assert (reply.status, reply.json["reason"]) == (400, reason)
    assert [error["field"] for error in reply.json["errors"]] == ([field] if field else [])
    assert gateway.peers.ai_agent.calls == []


async def test_content_type(gateway: RunningGateway) -> None:
    wrong = await gateway("POST", "/api/v1/ask", body=b'{"query": "a"}', headers={"Content-Type": "text/plain"})
    missing = await gateway("POST", "/api/v1/ask", body=b'{"query": "a"}')
    suffix = await gateway(
        "POST", "/api/v1/ask", body=b'{"query": "a"}', headers={"Content-Type": "application/ld+json; charset=utf-8"}
    )

    assert (wrong.status, wrong.json["reason"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert missing.status == 200
    assert suffix.status == 200


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


@pytest.mark.parametrize("how", ["plain", "chunked", "gzip"])
async def test_large_bodies_are_413(tmp_path: Path, how: str) -> None:
    data = b'{"query": "' + b"a" * 5000 + b'"}'
    async with running_gateway(tmp_path, max_body_bytes=4096) as gateway:
        body: Any = {"plain": data, "chunked": _chunks(data), "gzip": gzip.compress(data)}[how]
        headers = {"Content-Type": "application/json"} | ({"Content-Encoding": "gzip"} if how == "gzip" else {})
        reply = await gateway("POST", "/api/v1/ask", body=body, headers=headers)
        after = await gateway("POST", "/api/v1/ask", {"query": "a"})

    assert (reply.status, reply.json["reason"]) == (413, "PAYLOAD_TOO_LARGE")
    assert after.status == 200


async def test_gzip_is_taken_and_broken_gzip_is_400(gateway: RunningGateway) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    good = await gateway("POST", "/api/v1/ask", body=gzip.compress(b'{"query": "a"}'), headers=headers)
    broken = await gateway("POST", "/api/v1/ask", body=b"not gzip at all", headers=headers)

    assert good.status == 200
    assert (broken.status, broken.json["reason"]) == (400, "BROKEN_BODY")


async def test_a_body_that_does_not_come_is_408(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, body_timeout_seconds=0.05) as gateway:
        host, _, port = gateway.url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /api/v1/ask HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 10\r\n\r\n"
        writer.write(head.encode() + b"{")
        async with asyncio.timeout(10):
            status = await reader.readline()
        writer.close()

    assert status.startswith(b"HTTP/1.1 408")


async def test_the_request_id_goes_through(gateway: RunningGateway) -> None:
    given = await gateway("GET", "/api/v1/engines", headers={"X-Request-Id": "trace-17"})
    bad = await gateway("GET", "/api/v1/engines", headers={"X-Request-Id": "with space"})
    made = await gateway("GET", "/nowhere", token=None)

    assert given.headers["x-request-id"] == "trace-17"
    assert bad.headers["x-request-id"] not in ("", "with space")
    assert len(made.headers["x-request-id"]) == 26


@pytest.mark.parametrize("path", ["/login", "/static/docs.js", "/api/v1/engines", "/nowhere"])
async def test_security_headers_are_everywhere(gateway: RunningGateway, path: str) -> None:
    headers = (await gateway("GET", path)).headers

    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-store", "no-cache")


async def test_static_files_are_asked_for_again_and_never_left(gateway: RunningGateway) -> None:
    first = await gateway("GET", "/static/docs.js", token=None)
    again = await gateway("GET", "/static/docs.js", token=None, headers={"If-None-Match": first.headers["etag"]})
    outside = [
        await gateway("GET", path)
        for path in ("/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/%2fetc%2fpasswd", "/static/none.js", "/static/x%00y")
    ]

    assert first.headers["content-type"].startswith("text/javascript")
    assert again.status == 304
    assert {reply.status for reply in outside} == {404}


async def test_a_busy_port_is_told_plainly(gateway: RunningGateway, tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        async with running_gateway(tmp_path / "other", listen=gateway.url.removeprefix("http://")):
            pass

    assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert refused.value.reason == "ADDRESS_IN_USE"
    assert "in use" in refused.value.message
