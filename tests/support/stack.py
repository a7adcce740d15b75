"""A running suite for acceptance tests: all in one process, or five processes over TCP."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
from aiohttp import ClientSession, ClientTimeout

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "acceptance-token-0123456789abcdef"
START_SECONDS = 60.0
HISTORY_DAYS = "0.02"
"""Half an hour of the fleet's past is enough for most tests, and is there at once."""
ORDER = ("server_gen", "metrics", "ai_agent", "notifier", "gateway")


class Process:
    """One process of the suite, whose standard output is read line by line and whose log is kept for a failing test."""

    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        self.module = module
        self.log = log
        self._log_file = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=self._log_file,
        )
        self.lines: queue.Queue[str | None] = queue.Queue()
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self) -> str:
        """What stands behind `ready ` on the process's standard output."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                line = self.lines.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                break
            if line is None:
                break
            if line.startswith("ready "):
                return line.removeprefix("ready ").strip()
        raise AssertionError(f"{self.module} did not become ready:\n{self.tail()}")

    def kill(self) -> None:
        """End the process as a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        self._finish()

    def stop(self) -> int:
        """Ask the process to stop and return its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._finish()
            raise AssertionError(f"{self.module} did not stop in time:\n{self.tail()}") from None
        self._finish()
        return self._process.returncode

    def tail(self) -> str:
        """The end of the process's log."""
        return self.log.read_text(errors="replace")[-6000:]

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self.lines.put(line.decode(errors="replace"))
        self.lines.put(None)

    def _finish(self) -> None:
        self._process.wait(timeout=30)
        self._reader.join(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log_file.close()


@dataclass
class Stack:
    """A running suite and how to talk to it."""

    url: str
    processes: list[Process]
    token: str = TOKEN

    def process(self, service: str) -> Process:
        """The process that runs the service."""
        return next(p for p in self.processes if p.module in (f"services.{service}", "services.all_in_one"))

    def stop(self) -> list[int]:
        """Stop every process, the last started first; returns the exit codes."""
        return [process.stop() for process in reversed(self.processes)]

    def kill(self) -> None:
        """End every process as a power cut would."""
        for process in self.processes:
            process.kill()

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(f"== {process.module}\n{process.tail()}" for process in self.processes)


@dataclass
class Api:
    """A client of one gateway."""

    url: str
    token: str | None
    session: ClientSession = field(repr=False)

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> tuple[int, Any]:
        """Status and decoded answer."""
        headers = dict(options.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        data = body if isinstance(body, bytes | None) else orjson.dumps(body)
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        async with self.session.request(method, self.url + path, data=data, headers=headers, **options) as response:
            raw = await response.read()
            kind = response.headers.get("Content-Type", "")
            return response.status, orjson.loads(raw) if raw and "json" in kind else raw.decode(errors="replace")

    async def get(self, path: str, **params: str) -> Any:
        """The answer, which must be a success."""
        status, answer = await self.call("GET", path, params=params)
        assert status == 200, (path, status, answer)
        return answer

    async def post(self, path: str, body: object) -> Any:
        """The answer, which must be a success."""
        status, answer = await self.call("POST", path, body)
        assert status < 300, (path, status, answer)
        return answer

    async def value(self, expr: str, at: str | None = None) -> list[float]:
        """Values of an instant query."""
        params = {"query": expr} | ({"time": at} if at else {})
        answer = await self.get("/prometheus/api/v1/query", **params)
        result = answer["data"]["result"]
        if answer["data"]["resultType"] == "scalar":
            return [float(result[1])]
        return [float(series["value"][1]) for series in result]


@contextlib.asynccontextmanager
async def open_api(stack: Stack, token: str | None = TOKEN) -> Any:
    """A client of the stack's gateway."""
    async with ClientSession(timeout=ClientTimeout(total=60)) as session:
        yield Api(stack.url, token, session)


def base_environment(data_dir: Path, **extra: str) -> dict[str, str]:
    """The environment of a process of the suite, with none of the caller's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENMANAGER_")}
    path = os.pathsep.join([str(ROOT), str(ROOT / "gen")])
    return kept | {
        "PYTHONPATH": path,
        "OPENMANAGER_DATA_DIR": str(data_dir),
        "OPENMANAGER_ADMIN_TOKEN": TOKEN,
        "OPENMANAGER_LOG_FORMAT": "json",
        "OPENMANAGER_LISTEN": "127.0.0.1:0",
        **extra,
    }


def start_all_in_one(data_dir: Path, *, history_days: str = HISTORY_DAYS, **extra: str) -> Stack:
    """The five services in one process."""
    data_dir.mkdir(parents=True, exist_ok=True)
    environment = base_environment(data_dir, OPENMANAGER_METRICS_FLEET_HISTORY_DAYS=history_days, **extra)
    process = Process("services.all_in_one", environment, data_dir / "all_in_one.log")
    return Stack(_ready(process), [process])


def start_split(data_dir: Path, *, history_days: str = HISTORY_DAYS, **extra: str) -> Stack:
    """The five services, each in a process of its own, over TCP."""
    data_dir.mkdir(parents=True, exist_ok=True)
    environment = base_environment(
        data_dir,
        OPENMANAGER_SERVICE_TOKEN="between-services-only",
        OPENMANAGER_AI_AGENT_HTTP_LISTEN="127.0.0.1:0",
        OPENMANAGER_METRICS_FLEET_HISTORY_DAYS=history_days,
        **{f"OPENMANAGER_{service.upper()}_LISTEN": "127.0.0.1:0" for service in ORDER},
        **extra,
    )
    processes: list[Process] = []
    try:
        for service in ORDER:
            process = Process(f"services.{service}", environment, data_dir / f"{service}.log")
            processes.append(process)
            environment[f"OPENMANAGER_PEERS__{service.upper()}"] = address = _ready(process)
    except AssertionError:
        for process in processes:
            process.kill()
        raise
    return Stack(address, processes)


STARTERS = {"all_in_one": start_all_in_one, "split": start_split}


@contextlib.contextmanager
def running(kind: str, data_dir: Path, *, history_days: str = HISTORY_DAYS, **extra: str) -> Iterator[Stack]:
    """A stack that is stopped at the end, each process with exit code 0."""
    stack = STARTERS[kind](data_dir, history_days=history_days, **extra)
    try:
        yield stack
    except BaseException:
        print(stack.logs())
        raise
    finally:
        codes = stack.stop()
    assert set(codes) == {0}, (codes, stack.logs())


def _ready(process: Process) -> str:
    return process.wait_ready()
