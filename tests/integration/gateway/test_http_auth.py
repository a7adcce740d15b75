"""Who gets in."""

from pathlib import Path

import pytest

from tests.support.gateway import TOKEN, RunningGateway, running_gateway


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/login", "/static/docs.js"])
async def test_public_routes_answer_without_a_token(gateway: RunningGateway, path: str) -> None:
    assert (await gateway("GET", path, token=None)).status == 200


@pytest.mark.parametrize("path", ["/api/v1/servers", "/metrics", "/openapi.json", "/api/v1/stream", "/api/v1/no-such-route"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic dGVzdC10b2tlbg=="},
        {"Cookie": "openmanager_session=ADMIN.99999999999.AAAA"},
    ],
)
async def test_everything_else_is_401(gateway: RunningGateway, path: str, headers: dict[str, str]) -> None:
    reply = await gateway("GET", path, token=None, headers=headers)

    assert reply.status == 401
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.json["reason"] == "UNAUTHENTICATED"


async def _login(gateway: RunningGateway) -> str:
    reply = await gateway("POST", "/login", {"token": TOKEN}, token=None)
    assert reply.status == 200
    assert reply.json["role"] == "admin"
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    return cookie.partition(";")[0]


async def test_a_session_reads_and_ends(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, session_hours=0.01) as gateway:
        cookie = await _login(gateway)
        before = await gateway("GET", "/api/v1/servers", token=None, headers={"Cookie": cookie})
        await gateway.clock.advance(37.0)
        after = await gateway("GET", "/api/v1/servers", token=None, headers={"Cookie": cookie})

    assert (before.status, after.status) == (200, 401)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({}, 403),
    ],
)
async def test_a_session_changes_things_from_our_pages_alone(gateway: RunningGateway, headers: dict[str, str], status: int) -> None:
    cookie = await _login(gateway)

    reply = await gateway("POST", "/api/servers/generate", token=None, headers={"Cookie": cookie, **headers})

    assert reply.status == status
    assert gateway.peers.server_gen.count == (1 if status == 200 else 0)


async def test_our_own_origin_is_enough_for_browsers_without_fetch_metadata(gateway: RunningGateway) -> None:
    cookie = await _login(gateway)

    reply = await gateway("POST", "/api/servers/generate", token=None, headers={"Cookie": cookie, "Origin": gateway.url})

    assert reply.status == 200


async def test_a_program_with_a_bearer_token_needs_no_origin(gateway: RunningGateway) -> None:
    assert (await gateway("POST", "/api/servers/generate", headers={"Sec-Fetch-Site": "cross-site"})).status == 200


async def test_logging_out_takes_the_cookie_away(gateway: RunningGateway) -> None:
    reply = await gateway("DELETE", "/login", token=None)

    assert reply.status == 204
    assert "openmanager_session=" in reply.headers["set-cookie"]
    assert "Max-Age=0" in reply.headers["set-cookie"]


async def test_wrong_tokens_at_the_login_have_to_wait(gateway: RunningGateway) -> None:
    statuses = [(await gateway("POST", "/login", {"token": "wrong"}, token=None)).status for _ in range(6)]
    blocked = await gateway("POST", "/login", {"token": TOKEN}, token=None)
    await gateway.clock.advance(float(blocked.headers["retry-after"]))

    assert statuses == [401] * 5 + [429]
    assert blocked.status == 429
    assert (await gateway("POST", "/login", {"token": TOKEN}, token=None)).status == 200


@pytest.mark.parametrize(("path", "location"), [("/", "/login"), ("/docs", "/login?next=/docs")])
async def test_a_browser_without_a_session_is_sent_to_the_login(gateway: RunningGateway, path: str, location: str) -> None:
    reply = await gateway("GET", path, token=None)

    assert reply.status == 303
    assert reply.headers["location"] == location


async def test_a_token_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, admin_token=None) as first:
        token = first.gateway.new_admin_token
        assert token is not None
        assert (await first("GET", "/api/v1/servers", token=token)).status == 200
    file = tmp_path / "gateway" / "admin-token"
    async with running_gateway(tmp_path, admin_token=None) as second:
        assert second.gateway.new_admin_token is None
        assert (await second("GET", "/api/v1/servers", token=token)).status == 200

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_a_token_that_is_set_is_not_written_down(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        assert running.gateway.new_admin_token is None

    assert not list(tmp_path.rglob("admin-token"))


async def test_one_token_asks_so_often_and_no_oftener(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, rate_limit_per_second=1.0, rate_limit_burst=3) as running:
        statuses = [(await running("GET", "/api/v1/engines")).status for _ in range(4)]
        refused = await running("GET", "/api/v1/engines")
        await running.clock.advance(1.0)
        again = await running("GET", "/api/v1/engines")

    assert statuses == [200, 200, 200, 429]
    assert refused.json["reason"] == "RATE_LIMITED"
    assert refused.headers["retry-after"] == "1"
    assert again.status == 200
