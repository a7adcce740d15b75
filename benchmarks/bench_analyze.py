"""What one `POST /analyze` costs and how true it is, against the seed document's own server in the same run.

Run: `python -m benchmarks.bench_analyze`. CPU seconds are those of the server's whole process tree, HTTP and JSON included; requests go
over one connection, one at a time, in rounds in which the two servers take turns. The baseline is a script that is no part of this
repository: `OPENMANAGER_SEED_BASELINE` names it, by default `../shared/eval/peers/seed_baseline_server.py`. It needs fastapi, uvicorn
and pandas, for which an environment is made at `--venv` when there is none. Without the script our figures stand alone and say so.
"""

import argparse
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.support import cpu_seconds, print_table

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3
REQUESTS = {100: (8, 60), 1_000: (8, 60), 10_000: (5, 15)}
"""Rows: requests a round to the baseline and to us. The kernel counts CPU time in hundredths, so the cheaper server gets more."""
PLANTED = 10
START_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """A server that answers `POST /analyze`."""

    name: str
    pid: int
    port: int
    connection: http.client.HTTPConnection

    def analyze(self, body: bytes) -> dict[str, Any]:
        self.connection.request("POST", "/analyze", body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{self.name} answered {response.status}: {answer}")
        return dict(answer)


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU and truth of /analyze against the seed's server.")
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "seed-baseline", help="environment of the baseline")
    given = parser.parse_args()
    script = Path(os.environ.get("OPENMANAGER_SEED_BASELINE") or ROOT.parent / "shared/eval/peers/seed_baseline_server.py")
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(our_server())
        baseline = None
        if not script.is_file():
            print(f"baseline missing: {script} is not here (OPENMANAGER_SEED_BASELINE names it); our figures stand alone")
        elif (python := baseline_python(given.venv)) is None:
            print(f"baseline missing: its environment could not be made at {given.venv}; our figures stand alone")
        else:
            baseline = stack.enter_context(baseline_server(python, script))
        print_costs(ours, baseline)
        print_truth(ours, baseline)


def print_costs(ours: Server, baseline: Server | None) -> None:
    table = []
    for rows, (baseline_requests, our_requests) in REQUESTS.items():
        body = request_body(rows, seed=1)
        spent = {"ours": 0.0, "baseline": 0.0}
        for server in (ours, baseline):
            if server is not None:
                server.analyze(body)
        for _ in range(ROUNDS):
            for name, server, requests in (("ours", ours, our_requests), ("baseline", baseline, baseline_requests)):
                if server is None:
                    continue
                before = cpu_seconds(server.pid)
                for _ in range(requests):
                    server.analyze(body)
                spent[name] += cpu_seconds(server.pid) - before
        mine = spent["ours"] / (ROUNDS * our_requests)
        theirs = spent["baseline"] / (ROUNDS * baseline_requests)
        cells = ["-", "-"] if baseline is None else [f"{theirs * 1e3:.1f}", f"1/{theirs / mine:.1f}"]
        table.append([f"{rows:,}", f"{mine * 1e3:.1f}", *cells])
    print_table("CPU milliseconds a request, cpu, memory and disk", ["rows", "ours", "seed's server", "ratio"], table)


def print_truth(ours: Server, baseline: Server | None) -> None:
    rows = 1_000
    calm = ours.analyze(request_body(rows, seed=2))["anomalies"]
    planted = planted_rows(rows, seed=2)
    found = ours.analyze(request_body(rows, seed=2, planted=planted))["anomalies"]
    hits = len({item["index"] for item in found["data"]} & set(planted))
    print(f"alarms on {rows:,} rows of pure noise: {calm['count']} ({calm['severity']})")
    print(f"of {PLANTED} planted outliers found: {hits}, with {found['count'] - hits} false alarms ({found['severity']})")
    if baseline is not None:
        for title, body in (("noise", request_body(rows, seed=2)), ("planted", request_body(rows, seed=2, planted=planted))):
            print(f"the seed's server on the same rows, {title}: {baseline.analyze(body)['analysis'].split(';')[0]}")


def planted_rows(rows: int, seed: int) -> list[int]:
    return sorted(np.random.default_rng(seed + 100).choice(rows, PLANTED, replace=False).tolist())


def request_body(rows: int, seed: int, planted: list[int] | None = None) -> bytes:
    """Rows of normal noise, a minute apart, with some rows replaced by 99, 98 and 97 percent."""
    rng = np.random.default_rng(seed)
    values = np.clip(rng.normal((45.0, 60.0, 55.0), (8.0, 6.0, 3.0), (rows, 3)), 0.0, 100.0)
    values[planted or []] = (99.0, 98.0, 97.0)
    times = np.datetime64("2026-01-01T00:00:00") + np.arange(rows) * np.timedelta64(60, "s")
    metrics = [
        {"cpu": round(cpu, 2), "memory": round(memory, 2), "disk": round(disk, 2), "timestamp": f"{stamp}Z"}
        for (cpu, memory, disk), stamp in zip(values.tolist(), times.astype(str).tolist(), strict=True)
    ]
    return json.dumps({"query": "which servers look unhealthy?", "metrics": metrics}).encode()


@contextlib.contextmanager
def our_server() -> Iterator[Server]:
    """The AI agent as a process of its own, with its HTTP door."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="openmanager-bench-") as folder:
        environ = {
            "OPENMANAGER_DATA_DIR": folder,
            "OPENMANAGER_LOG_LEVEL": "WARNING",
            "OPENMANAGER_AI_AGENT_LISTEN": f"unix:{folder}/rpc.sock",
            "OPENMANAGER_AI_AGENT_HTTP_LISTEN": f"127.0.0.1:{port}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]),
        }
        with running("ours", [sys.executable, "-m", "services.ai_agent"], port, environ) as server:
            yield server


def baseline_server(python: Path, script: Path) -> "contextlib.AbstractContextManager[Server]":
    port = free_port()
    return running("the seed's server", [str(python), str(script), "--port", str(port)], port, {})


@contextlib.contextmanager
def running(name: str, command: list[str], port: int, environ: dict[str, str]) -> Iterator[Server]:
    # Standard output is ours; a server's own lines would come between those of the table.
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{name} did not start: {' '.join(command)}") from None
                time.sleep(0.05)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60.0)
        yield Server(name, process.pid, port, connection)
        connection.close()
    finally:
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def baseline_python(venv: Path) -> Path | None:
    """The interpreter of the baseline's environment, which borrows numpy and scikit-learn from ours so that both use the same."""
    python = venv / "bin" / "python"
    check = [str(python), "-c", "import fastapi, uvicorn, pandas, sklearn"]
    if python.exists() and subprocess.run(check, capture_output=True, check=False).returncode == 0:
        return python
    print(f"making the environment of the baseline at {venv}", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=False).returncode == 0
    if not made:
        return None
    purelib = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (Path(purelib) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    packages = ["fastapi", "uvicorn[standard]", "pandas"]
    install = subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=False)
    return python if install.returncode == 0 else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
