"""`openmanager doctor`: what is wrong with this installation, and what to do about it."""

import asyncio
import os
import sqlite3
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import grpc.aio
import orjson
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.console import Console
from rich.markup import escape

from services.all_in_one.settings import SuiteSettings, load_suite_settings
from services.common.clock import SystemClock
from services.common.config import ConfigError
from services.common.errors import RefusedError
from services.common.folder_lock import FolderLock
from services.metrics.adapters.embedded import doctor as store_doctor
from services.metrics.adapters.influxdb.address import InfluxAddress

Verdict = Literal["ok", "note", "bad"]
MARKS: dict[Verdict, str] = {"ok": "[green]ok[/]  ", "note": "[yellow]note[/]", "bad": "[red]bad[/] "}
PROBE_SECONDS = 4.0
STATES = {"notifier": "rules and channels", "server_gen": "virtual servers and faults"}
"""What the services keep in databases of their own."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    text: str


def examine(data_dir: Path | None, url: str, *, repair: bool) -> int:
    """Print one line a finding; returns 0 when nothing is bad."""
    console = Console(highlight=False, soft_wrap=True)
    bad = False
    for finding in _findings(data_dir, url, repair=repair):
        console.print(f"{MARKS[finding.verdict]} {escape(finding.text)}")
        bad = bad or finding.verdict == "bad"
    return 1 if bad else 0


def probe_running() -> int:
    """Ask the process that runs in this container whether it is well; 0 when it says so."""
    service = os.environ.get("OPENMANAGER_SERVICE", "all_in_one")
    settings = load_suite_settings({}, None)
    if service in ("all_in_one", "gateway"):
        listen = settings.gateway.listen
        well = _http_json(f"http://{_reachable(listen)}/healthz") is not None
    else:
        listen = next(part.listen for part in settings.all if part.service == service)  # type: ignore[attr-defined]
        well = asyncio.run(_serving(_reachable(listen)))
    if not well:
        print(f"openmanager: {service} does not answer on {listen}", file=sys.stderr)  # noqa: T201
    return 0 if well else 1


def _findings(data_dir: Path | None, url: str, *, repair: bool) -> Iterator[Finding]:
    try:
        settings = load_suite_settings({"data_dir": data_dir}, None)
    except ConfigError as error:
        yield Finding("bad", error.message)
        return
    yield Finding("ok", "settings can be used")
    yield from _folder_findings(settings, repair=repair)
    yield from _influxdb_findings(settings)
    yield from _running_findings(url)


def _folder_findings(settings: SuiteSettings, *, repair: bool) -> Iterator[Finding]:
    folder = settings.shared.data_dir
    if not folder.exists():
        yield Finding("note", f"{folder} does not exist yet: the first start makes it")
        return
    for part in ("metrics", *STATES):
        lock = FolderLock(folder / part)
        try:
            lock.acquire()
        except RefusedError as error:
            verdict: Verdict = "note" if error.reason == "DATA_DIR_IN_USE" else "bad"
            yield Finding(verdict, f"{error.message}; its files are not looked at")
            continue
        try:
            if part == "metrics":
                yield from _store_findings(folder / part, repair=repair)
                yield from _state_findings(folder / part / "metrics.db", "scrape jobs", repair=repair)
            else:
                yield from _state_findings(folder / part / f"{part}.db", STATES[part], repair=repair)
        finally:
            lock.release()


def _store_findings(folder: Path, *, repair: bool) -> Iterator[Finding]:
    report = store_doctor.check(folder)
    for file in report.files:
        if file.sound:
            yield Finding("ok", f"{file.path} is sound ({file.good_rows:,} rows)")
            continue
        for problem in file.problems:
            yield Finding("note" if repair else "bad", f"{file.path}: {problem}")
    if report.sound:
        return
    if not repair:
        yield Finding("bad", "run `openmanager doctor --repair`: it sets damaged files aside and keeps every row that can be read")
        return
    for file in store_doctor.repair(folder, now=SystemClock().now()).files:
        if file.moved_to is not None:
            yield Finding(
                "ok", f"{file.path}: {file.good_rows:,} rows kept, {file.bad_rows:,} lost; the damaged file is {file.moved_to}"
            )


def _state_findings(path: Path, what: str, *, repair: bool) -> Iterator[Finding]:
    """A database of a service's own state; `what` is in it."""
    if not path.exists():
        yield Finding("note", f"{path} does not exist: there are no {what} yet, or they are kept in PostgreSQL")
        return
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            problems = [str(row[0]) for row in database.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    if not problems:
        yield Finding("ok", f"{path} is sound")
    elif not repair:
        yield Finding("bad", f"{path} is damaged: {'; '.join(problems)}")
        yield Finding(
            "bad", f"put a backup in its place, or run `openmanager doctor --repair` to set it aside and start without {what}"
        )
    else:
        aside = path.with_name(f"{path.name}.corrupt-{int(SystemClock().now())}")
        for side in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + side).rename(aside.with_name(aside.name + side))
        path.rename(aside)
        yield Finding("note", f"{path} was damaged and is now {aside}; {what} have to be made again")


def _influxdb_findings(settings: SuiteSettings) -> Iterator[Finding]:
    if settings.metrics.influx_url is None:
        return
    address = InfluxAddress.parse(settings.metrics.influx_url.get_secret_value())
    try:
        with urllib.request.urlopen(f"{address.base}/ping", timeout=PROBE_SECONDS) as response:  # noqa: S310  the address is the operator's own
            version = response.headers.get("X-Influxdb-Version", "of unknown version")
        yield Finding("ok", f"InfluxDB {version} answers at {address.base}")
    except urllib.error.HTTPError as error:  # newer ones may want to know who asks, and that is an answer
        yield Finding(
            "note" if error.code in (401, 403) else "bad", f"InfluxDB at {address.base} answers a ping with status {error.code}"
        )
    except (OSError, ValueError) as error:
        yield Finding("bad", f"InfluxDB at {address.base} does not answer: {error}; samples are refused until it does")


def _running_findings(url: str) -> Iterator[Finding]:
    parts = _http_json(f"{url}/readyz")
    if parts is None:
        yield Finding("note", f"no suite answers at {url}")
        return
    found = parts.get("parts")
    for name, part in sorted(found.items() if isinstance(found, dict) else ()):
        status = part.get("status") if isinstance(part, dict) else part
        yield Finding("ok" if status in ("serving", "ready", "ok") else "bad", f"{url}: {name} is {status}")


def _http_json(url: str) -> dict[str, object] | None:
    """The JSON object at `url`, whatever its status; None when nothing answers with one."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS) as response:  # noqa: S310  the address is the operator's own
            raw = response.read()
    except urllib.error.HTTPError as error:
        raw = error.read()
    except (OSError, ValueError):
        return None
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


async def _serving(address: str) -> bool:
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PROBE_SECONDS)  # type: ignore[attr-defined]  # its type stubs leave the methods out
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _reachable(listen: str) -> str:
    """Where a process on this machine reaches an address that is listened on."""
    return listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104
