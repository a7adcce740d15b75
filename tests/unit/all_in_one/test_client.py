"""How the commands find a gateway and tell of its errors."""

import socket
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.all_in_one.commands.client import CommandError, GatewayClient, GatewayError, find_token, find_url


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "ADMIN_TOKEN", "DATA_DIR"):
        monkeypatch.delenv(f"OPENMANAGER_{name}", raising=False)


def test_the_address_comes_from_flag_environment_or_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_url(None) == "http://127.0.0.1:8080"
    monkeypatch.setenv("OPENMANAGER_URL", "https://monitor.internal/")
    assert find_url(None) == "https://monitor.internal"
    assert find_url("10.0.0.1:8080") == "http://10.0.0.1:8080"


def test_the_token_comes_from_flag_environment_or_the_local_suite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENMANAGER_DATA_DIR", str(tmp_path))
    with pytest.raises(CommandError, match="give --token or set OPENMANAGER_TOKEN"):
        find_token(None)
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway/admin-token").write_text("\n")
    with pytest.raises(CommandError, match="no token"):
        find_token(None)
    (tmp_path / "gateway/admin-token").write_text("from-file\n")
    assert find_token(None) == "from-file"
    monkeypatch.setenv("OPENMANAGER_ADMIN_TOKEN", "admin")
    assert find_token(None) == "admin"
    monkeypatch.setenv("OPENMANAGER_TOKEN", "own")
    assert find_token(None) == "own"
    assert find_token("flag") == "flag"


async def _ask(response: web.Response) -> object:
    async def handle(request: web.Request) -> web.Response:
        return response

    app = web.Application()
    app.router.add_get("/thing", handle)
    async with TestServer(app) as server, GatewayClient(str(server.make_url("")).rstrip("/"), "secret") as client:
        return await client.get("/thing")


async def test_json_comes_back() -> None:
    assert await _ask(web.json_response({"a": [1]})) == {"a": [1]}


@pytest.mark.parametrize("body", ["", "<html>proxy</html>"])
@pytest.mark.parametrize(("status", "retryable"), [(200, False), (404, False), (502, True)])
async def test_an_answer_without_json_comes_from_no_gateway(body: str, status: int, retryable: bool) -> None:
    with pytest.raises(GatewayError, match=f"no OpenManager gateway: it answered {status} without JSON") as raised:
        await _ask(web.Response(status=status, text=body))
    assert raised.value.retryable is retryable


async def test_a_problem_is_told_with_its_fields_and_what_to_do() -> None:
    problem = {"title": "Unauthorized", "detail": "the token is not known", "reason": "UNAUTHENTICATED"}
    with pytest.raises(GatewayError, match="the token is not known\n  give the right token with --token") as raised:
        await _ask(web.json_response(problem, status=401))
    assert (raised.value.status, raised.value.reason, raised.value.retryable) == (401, "UNAUTHENTICATED", False)


async def test_a_title_or_the_status_stand_in_for_a_missing_detail() -> None:
    with pytest.raises(GatewayError, match=r"^Gone$"):
        await _ask(web.json_response({"title": "Gone"}, status=410))
    with pytest.raises(GatewayError, match="the gateway answered 500"):
        await _ask(web.json_response(["?"], status=500))


@pytest.mark.parametrize(("header", "seconds"), [("30", 30.0), ("soon", 0.0)])
async def test_the_wait_that_the_gateway_asks_for_is_kept(header: str, seconds: float) -> None:
    with pytest.raises(GatewayError) as raised:
        await _ask(web.json_response({"title": "busy"}, status=429, headers={"Retry-After": header}))
    assert raised.value.retryable
    assert raised.value.retry_after_seconds == seconds


async def test_a_gateway_that_is_not_there_is_said_so_and_may_be_tried_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with GatewayClient(url, "secret") as client:
            with pytest.raises(GatewayError, match=f"{url} cannot be reached: .+; is the suite running there") as raised:
                await client.get("/thing")
    assert raised.value.retryable


async def test_an_address_that_is_none_is_said_so() -> None:
    async with GatewayClient("http://", "secret") as client:
        with pytest.raises(GatewayError, match=r"cannot be reached: .+; is"):
            await client.get("/thing")
