"""An InfluxDB server of the test's own, from the binary of this machine, on free ports of loopback."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

BINARY_VARIABLE = "OPENMANAGER_TEST_INFLUXD"
REQUIRE_VARIABLE = "OPENMANAGER_TEST_REQUIRE_SERVERS"
START_SECONDS = 60.0


def require_binary() -> Path:
    """The server's program; skips the test without it, or fails it where servers are required."""
    found = os.environ.get(BINARY_VARIABLE) or shutil.which("influxd")
    if found is None:
        message = f"InfluxDB is not installed: install the package `influxdb`, or name the program in {BINARY_VARIABLE}"
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{message}; {REQUIRE_VARIABLE}=1 wants it")
        pytest.skip(message)
    return Path(found)


class InfluxServer:
    """A server whose data stay while it is stopped and started."""

    def __init__(self, binary: Path, folder: Path, *, users: bool = False) -> None:
        self._binary = binary
        self._folder = folder
        self._users = users
        self._process: subprocess.Popen[bytes] | None = None
        self._port, self._own_port = _free_ports(2)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def start(self, **variables: str) -> None:
        """Start it, and wait until it answers. `variables` are settings of the server beside those that tests need."""
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._folder),
            "INFLUXDB_META_DIR": str(self._folder / "meta"),
            "INFLUXDB_DATA_DIR": str(self._folder / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(self._folder / "wal"),
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{self._port}",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{self._own_port}",
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_MONITOR_STORE_ENABLED": "false",
            "INFLUXDB_HTTP_AUTH_ENABLED": "true" if self._users else "false",
            **variables,
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self._binary, "run"], stdout=log, stderr=log, env=environment, cwd=self._folder)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self._folder / "log").read_text(errors="replace")
                raise AssertionError(f"InfluxDB did not start: {text[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it without warning."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still: connections stay, answers do not come."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused one go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def query(self, statement: str, database: str = "", user: str = "") -> str:
        """The server's answer to a statement, as JSON."""
        name, _, password = user.partition(":")
        form = urllib.parse.urlencode({"q": statement, "db": database, "epoch": "ms", "u": name, "p": password})
        with urllib.request.urlopen(f"{self.url}/query", form.encode(), timeout=30) as answer:
            return str(answer.read().decode())

    def write(self, lines: str, database: str) -> None:
        """Store lines as another writer would; times in ms."""
        address = f"{self.url}/write?{urllib.parse.urlencode({'db': database, 'precision': 'ms'})}"
        with urllib.request.urlopen(address, lines.encode(), timeout=30):
            pass

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def _end(self, signal_number: int) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal_number)
            self._process.wait(timeout=START_SECONDS)
            self._process = None


@contextlib.contextmanager
def running_influxdb(*, users: bool = False) -> Iterator[InfluxServer]:
    """A server with no database while the context is open. Nothing of it is left afterwards."""
    binary = require_binary()
    folder = Path(tempfile.mkdtemp(prefix="openmanager-influxdb-"))
    server = InfluxServer(binary, folder, users=users)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
