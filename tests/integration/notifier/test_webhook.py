"""The webhook against a real receiver on loopback."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from services.common.clock import ManualClock
from services.common.errors import InvalidArgumentError
from services.notifier.adapters.channels import webhook
from services.notifier.adapters.channels.address_guard import GuardedResolver, is_public
from services.notifier.adapters.channels.webhook import WebhookKind
from services.notifier.domain.alerts import AlertState
from services.notifier.domain.channels import MASK, Channel
from services.notifier.domain.notifications import DeliveryResult, Notification, NotificationType, Outcome
from tests.support.notifier_state import a_notification, an_alert

CLOCK = ManualClock(1_700_000_000.0)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Place:
    url: str
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextlib.asynccontextmanager
async def receiving(handler: Handler) -> AsyncIterator[Place]:
    place = Place("")

    async def handle(request: web.Request) -> web.StreamResponse:
        place.requests.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    place.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield place
    finally:
        await runner.cleanup()


def answer(status: int, text: str = "", **headers: str) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return handle


async def send(url: str, notification: Notification | None = None, **config: Any) -> DeliveryResult:
    kind = WebhookKind("https://om.example.org", CLOCK)
    checked = kind.check({"url": url, "allow_private": True, **config}, None)
    return await kind.sender(Channel("ops", "webhook", checked, 0.0)).send(notification or a_notification(1))


async def test_the_body_is_alertmanagers_version_4_with_our_fields() -> None:
    async with receiving(answer(200, "taken")) as place:
        result = await send(place.url)
    assert result == DeliveryResult(Outcome.DELIVERED, detail="taken", http_status=200)
    ((headers, raw),) = place.requests
    body = json.loads(raw)
    assert (body["version"], body["receiver"], body["status"], body["truncatedAlerts"]) == ("4", "ops", "firing", 0)
    assert body["groupLabels"] == {"role": "web"}
    assert body["externalURL"] == "https://om.example.org"
    (alert,) = body["alerts"]
    assert alert["status"] == "firing"
    assert alert["labels"] == {"alertname": "Rule 1 규칙", "server": "web-01", "severity": "critical"}
    assert (alert["startsAt"], alert["endsAt"]) == ("2023-11-14T22:15:01.000Z", "0001-01-01T00:00:00Z")
    assert alert["fingerprint"] == f"{1:016x}"
    assert alert["generatorURL"].startswith("https://om.example.org/prometheus/api/v1/query?query=cpu+%3E+90&time=1700000100.125")
    assert body["commonLabels"] == alert["labels"]
    assert body["metadata"] == {"server": "web-01", "rule": "Rule 1 규칙", "confidence": 0.5}
    assert body["evidence"] == {"expr": "cpu > 90", "time": "2023-11-14T22:15:00.125Z", "value": 97.25}
    assert (body["type"], body["severity"], body["recommendations"]) == ("firing", "critical", ["one", "two"])
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "key-1"
    assert "x-openmanager-signature" not in headers


async def test_the_body_is_signed_and_the_same_at_every_attempt() -> None:
    async with receiving(answer(500)) as place:
        await send(place.url, secret="s3cret")
        await send(place.url, secret="s3cret")
    (headers, first), (_, second) = place.requests
    assert first == second
    expected = hmac.new(b"s3cret", first, hashlib.sha256).hexdigest()
    assert headers["x-openmanager-signature"] == f"sha256={expected}"


async def test_resolved_alerts_have_an_end_and_what_has_no_value_is_null() -> None:
    over = an_alert(1, state=AlertState.RESOLVED, ends_at=1_700_000_500.0, value=float("nan"))
    notification = replace(a_notification(1), type=NotificationType.RESOLVED, alerts=(over,))
    async with receiving(answer(204)) as place:
        assert (await send(place.url, notification)).outcome is Outcome.DELIVERED
    body = json.loads(place.requests[0][1])
    assert (body["status"], body["alerts"][0]["status"]) == ("resolved", "resolved")
    assert body["alerts"][0]["endsAt"] == "2023-11-14T22:21:40.000Z"
    assert body["evidence"]["value"] is None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 429])
async def test_what_may_pass_is_retryable(status: int) -> None:
    async with receiving(answer(status, "later")) as place:
        result = await send(place.url)
    assert (result.outcome, result.retryable, result.http_status) == (Outcome.REJECTED, True, status)
    assert result.detail == f"HTTP {status}: later"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_what_will_not_pass_is_not(status: int) -> None:
    async with receiving(answer(status)) as place:
        result = await send(place.url)
    assert (result.outcome, result.retryable, result.http_status) == (Outcome.REJECTED, False, status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (format_datetime(datetime.fromtimestamp(1_700_000_090, UTC), usegmt=True), 90.0),
        ("99999999", 3600.0),
        ("soon", None),
    ],
)
async def test_retry_after_is_understood(value: str, seconds: float | None) -> None:
    async with receiving(answer(429, Retry_After=value)) as place:
        assert (await send(place.url)).retry_after_seconds == seconds


async def test_a_redirect_is_not_followed() -> None:
    async with receiving(answer(302, Location="http://127.0.0.1:1/elsewhere")) as place:
        result = await send(place.url)
    assert (result.outcome, result.retryable, len(place.requests)) == (Outcome.REJECTED, False, 1)
    assert "redirect" in result.detail


async def test_no_answer_in_time_is_a_timeout() -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with receiving(hang) as place:
        result = await send(place.url, timeout_seconds=0.2)
    assert (result.outcome, result.retryable) == (Outcome.TIMEOUT, True)


async def test_nobody_there_is_refused_and_may_be_retried() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        result = await send(f"http://127.0.0.1:{port}/")
    assert (result.outcome, result.retryable) == (Outcome.REFUSED, True)


async def test_a_name_that_nobody_knows_is_unreachable() -> None:
    result = await send("http://nobody.invalid/")
    assert (result.outcome, result.retryable) == (Outcome.UNREACHABLE, True)


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65536)
        return response

    async with receiving(pour) as place:
        result = await send(place.url)
    assert result.outcome is Outcome.DELIVERED
    assert len(result.detail) <= 1024


@pytest.mark.parametrize("host", ["localhost", "0x7f000001"])
async def test_a_name_for_this_host_is_blocked_when_it_is_resolved(host: str) -> None:
    async with receiving(answer(200)) as place:
        url = place.url.replace("127.0.0.1", host)
        result = await send(url, allow_private=False)
    assert (result.outcome, result.retryable, place.requests) == (Outcome.BLOCKED, False, [])
    assert "allow_private" in result.detail


class Rebinding(AbstractResolver):
    """Names a public address first and a private one from then on."""

    def __init__(self) -> None:
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        self.asked += 1
        address = "93.184.215.14" if self.asked == 1 else "127.0.0.1"
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def test_a_name_that_leads_inside_later_is_blocked_then(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Rebinding()
    await names.resolve("hook.example.org")
    monkeypatch.setattr(webhook, "GuardedResolver", lambda: GuardedResolver(names))
    async with receiving(answer(200)) as place:
        result = await send(place.url.replace("127.0.0.1", "hook.example.org"), allow_private=False)
    assert (result.outcome, place.requests, names.asked) == (Outcome.BLOCKED, [], 2)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b:1::1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_are_nobodys_business(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808"])
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "config.url"),
        ({"url": "ftp://example.org"}, "config.url"),
        ({"url": "http://"}, "config.url"),
        ({"url": "http://user:pass@example.org"}, "config.url"),
        ({"url": "http://example.org:99999"}, "config.url"),
        ({"url": "http://127.0.0.1/"}, "config.url"),
        ({"url": "http://127.1/"}, "config.url"),
        ({"url": "http://2130706433/"}, "config.url"),
        ({"url": "http://[::1]/"}, "config.url"),
        ({"url": "http://example.org", "colour": "red"}, "config.colour"),
        ({"url": "http://example.org", "allow_private": "yes"}, "config.allow_private"),
        ({"url": "http://example.org", "timeout_seconds": 0}, "config.timeout_seconds"),
        ({"url": "http://example.org", "secret": MASK}, "config.secret"),
        ({"url": "http://example.org", "secret": ""}, "config.secret"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused_by_field(config: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        WebhookKind("", CLOCK).check(config, None)
    assert [problem.field for problem in caught.value.fields] == [field]
    assert "pass" not in caught.value.message.replace("password", "")


def test_a_secret_is_masked_and_a_masked_one_stays() -> None:
    kind = WebhookKind("", CLOCK)
    stored = kind.check({"url": "https://example.org", "secret": "s3cret"}, None)
    shown = kind.mask(stored)
    assert (stored["secret"], shown["secret"]) == ("s3cret", MASK)
    assert kind.check({**shown, "url": "https://example.net"}, stored)["secret"] == "s3cret"
    without = kind.check({"url": "https://example.net"}, stored)
    assert without["secret"] is None
    assert kind.mask(without)["secret"] is None
