"""A real Prometheus of our own: started on a free port with a private folder, filled by remote write, asked by HTTP."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any, Final

from tests.support.promql_corpus.remote_write import write_request
from tests.support.promql_series import Series

BINARY_VARIABLE: Final = "OPENMANAGER_TEST_PROMETHEUS"
START_SECONDS: Final = 60.0
_ROWS_A_REQUEST: Final = 200_000


def find_binary() -> str | None:
    """The program: what the environment names, or `prometheus` on the path."""
    return os.environ.get(BINARY_VARIABLE) or shutil.which("prometheus")


class Prometheus:
    """A running Prometheus.

    Args:
        url: address without a path.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._address = urllib.parse.urlsplit(url).netloc
        self._version = ""
        self._connection = http.client.HTTPConnection(self._address, timeout=30)

    def ask_get(self, path: str) -> dict[str, Any]:
        """The whole answer of `/api/v1/<path>` to a GET."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=10) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def ask(self, path: str, **parameters: object) -> dict[str, Any]:
        """The whole answer of `/api/v1/<path>` to a form, also when it is an error."""
        body = urllib.parse.urlencode(parameters)
        self._connection.request("POST", f"/api/v1/{path}", body, {"Content-Type": "application/x-www-form-urlencoded"})
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer

    def query(self, expr: str, time_ms: int) -> dict[str, Any]:
        """The answer to an instant query."""
        return self.ask("query", query=expr, time=_seconds(time_ms))

    def query_range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> dict[str, Any]:
        """The answer to a range query."""
        return self.ask("query_range", query=expr, start=_seconds(start_ms), end=_seconds(end_ms), step=_seconds(step_ms))

    def version(self) -> str:
        """Such as `2.42.0`."""
        if not self._version:
            self._version = str(self.ask_get("status/buildinfo")["data"]["version"])
        return self._version

    def write(self, series: Iterable[Series]) -> None:
        """Store samples; they are sent in the order of time, as a Prometheus wants them."""
        listed = list(series)
        ordered = sorted(
            (at, number, bits)
            for number, one in enumerate(listed)
            for at, bits in zip(one.timestamps_ms.tolist(), one.values.view("<u8").tolist(), strict=True)
        )
        for begin in range(0, len(ordered), _ROWS_A_REQUEST):
            body = write_request(
                [(listed[number].labels, at, bits) for at, number, bits in ordered[begin : begin + _ROWS_A_REQUEST]]
            )
            headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
            request = urllib.request.Request(f"{self.url}/api/v1/write", body, headers, method="POST")
            with urllib.request.urlopen(request, timeout=60):
                pass

    def is_ready(self) -> bool:
        """Whether it takes requests."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
            return True
        return False


@contextlib.contextmanager
def running_prometheus(binary: str, folder: pathlib.Path) -> Iterator[Prometheus]:
    """A Prometheus with an empty store in the folder, for as long as the block lasts."""
    config = folder / "prometheus.yml"
    config.write_text("global: {}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        binary,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        "--web.enable-remote-write-receiver",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log, subprocess.Popen(arguments, stdout=log, stderr=log) as process:
        try:
            prometheus = Prometheus(f"http://127.0.0.1:{port}")
            deadline = time.monotonic() + START_SECONDS
            while not prometheus.is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Prometheus did not start: {(folder / 'prometheus.log').read_text()[-2000:]}")
                time.sleep(0.05)
            yield prometheus
        finally:
            process.terminate()
            process.wait(20)


def _seconds(time_ms: int) -> str:
    return f"{time_ms / 1000:.3f}"
