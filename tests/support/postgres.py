"""A PostgreSQL server of the test's own, from the binaries of this machine, on a free port of loopback."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REQUIRE_VARIABLE = "OPENMANAGER_TEST_REQUIRE_SERVERS"
START_SECONDS = 60.0


def find_binaries() -> Path | None:
    """The folder of the newest PostgreSQL on this machine."""
    places = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if (on_path := shutil.which("initdb")) is not None:
        places.append(Path(on_path).resolve().parent)
    return max(places, key=lambda place: place.parent.name, default=None)


def require_binaries() -> Path:
    """The binaries; skips the test without them, or fails it where servers are required."""
    binaries = find_binaries()
    if binaries is None:
        message = "PostgreSQL is not installed (looked in /usr/lib/postgresql and on PATH)"
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{message}, and {REQUIRE_VARIABLE}=1 wants it")
        pytest.skip(message)
    return binaries


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """URL of an empty database while the context is open. Nothing of it is left afterwards."""
    binaries = require_binaries()
    root = os.geteuid() == 0  # the server refuses to run as root
    user = {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid, "extra_groups": []} if root else {}
    folder = Path(tempfile.mkdtemp(prefix="openmanager-postgres-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        if root:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        initdb = [binaries / "initdb", "--pgdata", data, "--username", "test", "--auth", "trust", "--no-sync", "--encoding", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **user)  # type: ignore[call-overload]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with (folder / "log").open("wb") as log:
            command = [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-F"]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user)  # type: ignore[call-overload]
        _wait(binaries, port, process, folder / "log")
        yield f"postgresql://test@127.0.0.1:{port}/postgres"
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # the fast shutdown: SIGTERM would wait for every client to leave
            process.wait(timeout=START_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(binaries: Path, port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    probe: list[str | Path] = [binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-U", "test"]
    while subprocess.run(probe, check=False, capture_output=True).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)
