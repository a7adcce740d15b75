"""Figures against size: three times and ten times the history, and as many times the hosts, beside VictoriaMetrics."""

import csv
import shutil
import time
from pathlib import Path
from typing import Final

from benchmarks.metrics.measure import measure_http, new_folder
from benchmarks.metrics.ours import AllInOne
from benchmarks.metrics.payloads import write_payloads
from benchmarks.metrics.peers import VictoriaMetrics
from benchmarks.metrics.queries import QUERIES
from benchmarks.metrics.system import System
from benchmarks.metrics.wires import REMOTE_WRITE
from benchmarks.metrics.workload import Workload

HISTORY, HOSTS = "history", "hosts"
TIMES: Final = (1, 3, 10)
BASE_HOSTS, BASE_STEPS = 500, 360
BUDGET_SECONDS: Final = 540.0
"""No point is begun after this."""
COLUMNS: Final = (
    "system", "grows", "times", "hosts", "samples", "samples_per_cpu_second", "peak_mb", "kib_per_series", "bytes_per_sample",
    *(f"p50_ms {query}" for query in QUERIES),
)  # fmt: skip


def measure_scale(target: Path, root: Path) -> None:
    """Measure every size and write a CSV; what the time does not allow is left out and said."""
    systems: list[System] = [system for system in (AllInOne(), VictoriaMetrics()) if not system.missing()]
    end = time.monotonic() + BUDGET_SECONDS
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for times in TIMES:
            for grows in (HISTORY, HOSTS):
                payloads = root / "payloads"
                payloads.mkdir()
                hosts, steps = (BASE_HOSTS, BASE_STEPS * times) if grows == HISTORY else (BASE_HOSTS * times, BASE_STEPS)
                workload = Workload.until_now(hosts, steps)
                write_payloads(payloads, workload, (REMOTE_WRITE,))
                for system in systems:
                    if time.monotonic() > end:
                        print(f"left out for lack of time: {system.name}, {times} times the {grows}", flush=True)
                        continue
                    row = _row(system, workload, payloads, new_folder(root))
                    writer.writerow((system.name, grows, times, hosts, workload.samples, *row))
                    file.flush()
                    print(f"{system.name}, {times} times the {grows}: {', '.join(row)}", flush=True)
                shutil.rmtree(payloads)


def _row(system: System, workload: Workload, payloads: Path, folder: Path) -> list[str]:
    figures = measure_http(system, REMOTE_WRITE, workload, payloads, folder)
    shutil.rmtree(folder)
    return [
        f"{figures.per_cpu_second:.0f}",
        f"{figures.peak_bytes / 1e6:.0f}",
        f"{figures.series_bytes / 1024:.2f}",
        f"{figures.disk_bytes:.3f}",
        *(f"{figures.latencies[query].p50:.2f}" for query in QUERIES),
    ]
