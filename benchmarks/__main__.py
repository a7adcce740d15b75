"""Runs the benchmarks: `python -m benchmarks [name ...]`.

Each runs in a process of its own, so that one cannot warm, slow or break another. One that lacks something here says so itself and ends
well; the exit code is 1 when one failed or took too long.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# In the order they are printed, with the seconds after which one is stopped.
BENCHMARKS = {
    "rpc": 30,
    "ingest": 100,
    "remote_write": 150,
    "store": 100,
    "promql": 120,
    "analyze": 150,
    "fleet_generation": 60,
    "fleet_history": 200,
    "restart": 120,
}
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Benchmarks beside baselines of the same run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(BENCHMARKS)}; all by default")
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    failed = [name for name in names if not run(name, BENCHMARKS[name])]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(name: str, limit_seconds: float) -> bool:
    """Run one benchmark; returns whether it came to its end."""
    print(f"== {name}", flush=True)
    started = time.monotonic()
    # A session of its own, so that stopping a benchmark stops the servers that it started too.
    with subprocess.Popen([sys.executable, "-m", f"benchmarks.bench_{name}"], cwd=ROOT, start_new_session=True) as process:
        try:
            code = process.wait(limit_seconds)
        except BaseException as stopped:
            os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(stopped, subprocess.TimeoutExpired):
                raise
            print(f"stopped: not done within {limit_seconds:.0f} s", file=sys.stderr, flush=True)
            return False
    print(f"   {time.monotonic() - started:.0f} s\n", flush=True)
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
