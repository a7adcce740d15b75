"""Ingest, storage and queries beside VictoriaMetrics, Prometheus and InfluxDB of Debian: `python -m benchmarks.metrics`.

Every system gets the same bytes from two client processes, with all requests made before the clock starts. CPU is that of the server
alone, until it is idle again. Ours acknowledges once samples are fsynced, which is its only way; what the others promise is printed beside.
A server that is not installed is left out: OPENMANAGER_BENCH_PEERS names a folder with unpacked packages (`apt-get download
victoria-metrics && dpkg-deb -x`). OPENMANAGER_BENCH_PROFILE names a folder for profiles of our processes.
"""

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.metrics.measure import Figures, columns_way, measure_columns, measure_http, new_folder
from benchmarks.metrics.ours import PROFILE_VARIABLE, AllInOne
from benchmarks.metrics.payloads import write_payloads
from benchmarks.metrics.peers import InfluxDb, Prometheus, VictoriaMetrics
from benchmarks.metrics.report import print_report
from benchmarks.metrics.scale import measure_scale
from benchmarks.metrics.system import System
from benchmarks.metrics.wires import LINES, REMOTE_WRITE
from benchmarks.metrics.workload import SENDERS, Workload

HTTP_WAYS: tuple[tuple[System, str], ...] = (
    (VictoriaMetrics(), REMOTE_WRITE),
    (AllInOne(), REMOTE_WRITE),
    (VictoriaMetrics(), LINES),
    (AllInOne(), LINES),
    (Prometheus(), REMOTE_WRITE),
    (InfluxDb(), LINES),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics", description="Metrics beside other systems.")
    parser.add_argument("--hosts", type=int, default=1_000, help="hosts with 20 metrics each")
    parser.add_argument("--ticks", type=int, default=1_000, help="samples of each series, 10 s apart")
    parser.add_argument("--only", default="", metavar="TEXT", help="measure only ways whose name holds this")
    parser.add_argument("--scale", type=Path, metavar="CSV", help="write figures against size into this file instead")
    arguments = parser.parse_args()
    if arguments.hosts < SENDERS or arguments.hosts % SENDERS or arguments.ticks < 1:
        parser.error(f"--hosts is to be a multiple of {SENDERS}, and --ticks at least 1")
    if os.environ.get(PROFILE_VARIABLE):
        print("our processes are profiled and slower for it: no figure of this run is to be quoted")
    _print_load("before")
    with tempfile.TemporaryDirectory(prefix="openmanager-bench-") as name:
        if arguments.scale:
            measure_scale(arguments.scale, Path(name))
        else:
            print_report(_run(Workload.until_now(arguments.hosts, arguments.ticks), Path(name), arguments.only))
    _print_load("after")


def _run(workload: Workload, root: Path, only: str) -> list[Figures]:
    print(f"{workload.series:,} series, {workload.steps:,} samples each: {workload.samples:,} samples", flush=True)
    payloads = root / "payloads"
    payloads.mkdir()
    write_payloads(payloads, workload, (REMOTE_WRITE, LINES))
    figures = []
    for system, wire in HTTP_WAYS:
        way = f"{system.name}, {wire}"
        if only.lower() not in way.lower():
            continue
        if missing := system.missing():
            print(f"left out: {way}: there is no {missing} here", flush=True)
            continue
        figures.append(_told(measure_http(system, wire, workload, payloads, new_folder(root))))
    figures += [
        _told(measure_columns(workload, payloads, new_folder(root), stream=stream))
        for stream in (False, True)
        if only.lower() in columns_way(stream=stream).lower()
    ]
    return figures


def _told(figures: Figures) -> Figures:
    load = os.getloadavg()[0]
    print(f"measured: {figures.way}: {figures.per_cpu_second / 1e6:.3f} M samples/CPU-s; load average {load:.2f}", flush=True)
    return figures


def _print_load(when: str) -> None:
    one, five, fifteen = os.getloadavg()
    print(f"load average {when}: {one:.2f} {five:.2f} {fifteen:.2f} on {os.cpu_count()} cores", flush=True)


if __name__ == "__main__":
    main()
