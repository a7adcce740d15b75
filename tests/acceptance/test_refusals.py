"""What the suite says when it cannot start, or is asked for what it cannot do: one clear line, no stack trace, nothing lost."""

import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import ROOT, Api, base_environment, open_api, start_all_in_one


def run_to_its_end(data_dir: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.all_in_one"],
        cwd=ROOT,
        env=base_environment(data_dir, OPENMANAGER_LOG_FORMAT="text", **extra),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2, (result.returncode, result.stderr)
    assert "Traceback" not in result.stderr
    assert "ready" not in result.stdout
    last = "\n".join(line for line in result.stderr.splitlines() if line.startswith(("openmanager", "  ")))
    for word in words:
        assert word in last, (word, result.stderr)


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert_refused(run_to_its_end(tmp_path, OPENMANAGER_LISTEN=address), address, "OPENMANAGER_LISTEN")


def test_a_second_process_on_the_same_folder_is_refused_and_the_first_lives(tmp_path: Path) -> None:
    stack = start_all_in_one(tmp_path)
    try:
        assert_refused(run_to_its_end(tmp_path), str(tmp_path), "in use by process")
    finally:
        codes = stack.stop()
    assert codes == [0]


def test_a_folder_that_cannot_be_written_is_named() -> None:
    folder = Path("/proc/openmanager")  # where nobody can make a folder, root included
    assert_refused(run_to_its_end(folder), str(folder), "OPENMANAGER_DATA_DIR")


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("not a folder")
    assert_refused(run_to_its_end(file), str(file), "OPENMANAGER_DATA_DIR")


@pytest.mark.parametrize("pattern", ["metrics/*.db", "notifier/*.db"])
def test_a_corrupt_database_is_named_and_left_alone(tmp_path: Path, pattern: str) -> None:
    stack = start_all_in_one(tmp_path)
    stack.stop()
    victims = sorted(tmp_path.glob(pattern))
    assert victims
    garbage = b"this is not a database " * 4096
    for victim in victims:
        victim.write_bytes(garbage)
        for side in (f"{victim}-wal", f"{victim}-shm"):
            Path(side).unlink(missing_ok=True)
    assert_refused(run_to_its_end(tmp_path), str(victims[0].parent), "openmanager doctor")
    assert all(victim.read_bytes() == garbage for victim in victims), "nothing is overwritten"


def test_every_wrong_setting_is_told_at_once(tmp_path: Path) -> None:
    result = run_to_its_end(tmp_path, OPENMANAGER_TZ="Mars/Olympus", OPENMANAGER_METRICS_RETENTION_DAYS="-1", OPENMANAGER_LANG="fr")
    assert_refused(result, "OPENMANAGER_TZ", "OPENMANAGER_METRICS_RETENTION_DAYS", "OPENMANAGER_LANG")


BAD_REQUESTS: list[tuple[str, str, Any, dict[str, str], int, str]] = [
    ("POST", "/api/v1/metrics", b"{", {}, 400, "broken JSON"),
    ("POST", "/api/v1/metrics", b'{"samples": [{"server": "x", "metrics": {"cpu": NaN}}]}', {}, 400, "NaN is no JSON"),
    ("POST", "/api/v1/metrics", [], {}, 400, "a list where an object belongs"),
    ("POST", "/api/v1/metrics", {"samples": "many"}, {}, 400, "a string where a list belongs"),
    ("POST", "/api/v1/metrics", b"\xff\xfe\x00", {}, 400, "bytes that are no text"),
    ("POST", "/api/v1/metrics", b"x" * (20 << 20), {}, 413, "a body beyond the limit"),
    ("POST", "/api/v1/metrics", b"[" * 100_000, {}, 400, "nesting without end"),
    ("POST", "/api/v1/metrics", b"a=b", {"Content-Type": "text/csv"}, 415, "another type"),
    ("GET", "/api/v1/metrics", None, {}, 405, "another method"),
    ("GET", "/api/v1/nowhere", None, {}, 404, "an unknown route"),
    ("GET", "/api/v1/servers/nobody", None, {}, 404, "an unknown server"),
    ("POST", "/api/v1/ask", {"query": ""}, {}, 400, "an empty question"),
    ("POST", "/api/v1/ask", {"query": "x" * 100_000}, {}, 400, "a question without end"),
    ("POST", "/api/v1/ask", {"query": "cpu?", "tz": "Mars/Olympus"}, {}, 400, "an unknown zone"),
    ("POST", "/api/v1/rules", {"name": "x", "expr": "sum(("}, {}, 400, "PromQL that does not parse"),
    ("POST", "/api/v1/channels", {"name": "x", "kind": "pigeon", "config": {}}, {}, 400, "an unknown kind"),
    ("POST", "/analyze", {"query": "x", "metrics": []}, {}, 400, "nothing to analyse"),
    ("POST", "/analyze", {"query": "x", "metrics": [{"cpu": "high"}]}, {}, 400, "a word for a number"),
    ("GET", "/api/v1/stream?topics=gossip", None, {}, 400, "an unknown topic"),
    ("GET", "/api/v1/alerts?state=angry", None, {}, 400, "an unknown state"),
    ("GET", "/api/v1/rules?page_token=zzz", None, {}, 400, "a page token that nobody gave"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "what"), BAD_REQUESTS, ids=[row[-1] for row in BAD_REQUESTS]
)
async def test_a_bad_request_gets_a_problem(
    api: Api, method: str, path: str, body: Any, headers: dict[str, str], status: int, what: str
) -> None:
    got, answer = await api.call(method, path, body, headers=headers)
    assert got in ({status, 422} if status == 400 else {status}), (what, got, answer)
    assert isinstance(answer, dict), (what, answer)
    assert answer["status"] == got
    assert answer["reason"] == answer["reason"].upper()
    assert answer["detail"]
    assert "Traceback" not in str(answer)


async def test_nothing_answers_without_a_token_but_the_health(api: Api) -> None:
    for path in ("/api/v1/servers", "/metrics", "/openapi.json", "/prometheus/api/v1/query?query=1", "/api/servers/status"):
        for header in ({"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}, {"Authorization": ""}):
            status, answer = await api.call("GET", path, headers=header)
            assert status == 401, (path, header)
            assert answer["reason"] == "UNAUTHENTICATED"
    for path in ("/healthz", "/readyz"):
        assert (await api.call("GET", path, headers={"Authorization": ""}))[0] == 200


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        ({"timestamp": "1999-01-01T00:00:00Z"}, "TOO_OLD"),
        ({"timestamp": "2999-01-01T00:00:00Z"}, "IN_FUTURE"),
        ({"timestamp": "yesterday"}, "INVALID_TIMESTAMP"),
        ({"metrics": {"cpu": "high"}}, "INVALID_VALUE"),
        ({"metrics": {"cpu": True}}, "INVALID_VALUE"),
        ({"metrics": {"cpu": None}}, "INVALID_VALUE"),
        ({"metrics": {"": 1}}, "INVALID_NAME"),
        ({"labels": {"no spaces": "x"}}, "INVALID_LABELS"),
        ({"labels": ["x"]}, "INVALID_LABELS"),
        ({"server": ""}, "INVALID_SERVER"),
        ({"server": 7}, "INVALID_SERVER"),
        ({"metrics": {}}, "INVALID_METRICS"),
    ],
)
async def test_a_bad_sample_is_named_and_spoils_no_other(api: Api, sample: dict[str, Any], reason: str) -> None:
    good = {"server": f"good-{uuid.uuid4()}", "metrics": {"cpu": 1.5}}
    bad = {"server": "bad", "metrics": {"cpu": 2.5}} | sample
    receipt = await api.post("/api/v1/metrics", {"samples": [bad, good]})
    assert (receipt["accepted"], receipt["rejected"]) == (1, 1), receipt
    assert [(error["index"], error["reason"]) for error in receipt["errors"]] == [(0, reason)]
    assert receipt["errors"][0]["message"]
    assert await api.value(f'cpu{{server="{good["server"]}"}}') == [1.5]


async def test_an_infinite_value_is_refused_and_spoils_no_other(api: Api) -> None:
    body = b'{"samples": [{"server": "inf", "metrics": {"cpu": 1e999, "memory": 5}}]}'
    status, receipt = await api.call("POST", "/api/v1/metrics", body)
    assert (status, receipt["accepted"], receipt["rejected"]) == (200, 1, 1)
    assert [error["reason"] for error in receipt["errors"]] == ["NOT_FINITE"]


async def test_an_infinite_value_hides_no_nonsense(api: Api) -> None:
    for body in (b'{"samples": [1e999, NaN]}', b'{"samples": [1e999', b'{"samples": [1e999, ' + b"[" * 200_000):
        status, answer = await api.call("POST", "/api/v1/metrics", body)
        assert (status, answer["reason"]) == (400, "INVALID_JSON")


async def test_a_wrong_token_for_the_command_line_is_told(api: Api, tmp_path: Path) -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "from services.all_in_one.cli import main; main()",
            "ask",
            "cpu?",
            "--url",
            api.url,
            "--token",
            "wrong",
        ],
        cwd=ROOT,
        env=base_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "token" in result.stderr
    assert "Traceback" not in result.stderr


async def test_settings_do_not_show_secrets(tmp_path: Path) -> None:
    stack = start_all_in_one(tmp_path, OPENMANAGER_LOG_LEVEL="DEBUG")
    try:
        async with open_api(stack) as api:
            await api.get("/api/v1/servers")
    finally:
        stack.stop()
    assert stack.token not in stack.logs()
