"""The virtual fleet beside real servers: `python -m benchmarks.fleet_realism [DATA]`.

DATA holds the Server Machine Dataset as `smd/*.npz` and the Application Server Dataset as `asd/*.npz`; by default OPENMANAGER_DATA, or
`../shared/data` beside the repository. The figures of real servers that tests hold the fleet to are in
`tests/support/realism_yardstick.toml`; this prints them anew, with ours beside them.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.support import print_table
from services.server_gen.domain.catalogue import ROW
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import Simulation
from tests.support.realism import correlation, lag1, seasonal_ratio, tail

# Columns of SMD.
CPU, DISK_SERVICE_TIME, RECEIVED = 0, 11, 18
START, DAYS, SERVERS, SEED = 1_794_960_000.0, 16, 20, 20
COLUMNS = ("cpu lag-1", "seasonal ratio", "cpu~network", "slow p99/p50", "slow skewness")


def main() -> int:
    default = os.environ.get("OPENMANAGER_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet_realism", description="The virtual fleet beside real servers."
    )
    parser.add_argument("data", type=Path, nargs="?", default=Path(default), help="folder with smd/ and asd/")
    data = parser.parse_args().data
    if not (data / "smd").is_dir():
        print(f"no data in {data}: give the folder that holds smd/ and asd/", file=sys.stderr)
        return 1
    report("SMD, a minute apart (slow: service time of the disk)", smd(sorted((data / "smd").glob("*.npz"))), COLUMNS)
    report(
        "ASD, five minutes apart, over the metrics that move",
        asd(sorted((data / "asd").glob("*.npz"))),
        ("lag-1", "seasonal ratio"),
    )
    report("virtual fleet, a minute apart (slow: latency)", ours(), COLUMNS)
    return 0


def smd(paths: Sequence[Path]) -> Iterable[tuple[str, list[float]]]:
    for path in paths:
        with np.load(path) as arrays:
            train = arrays["train"].astype(np.float64)
        slow = tail(train[:, DISK_SERVICE_TIME])
        cpu = train[:, CPU]
        yield path.stem, [lag1(cpu), seasonal_ratio(cpu, 1440), correlation(cpu, train[:, RECEIVED]), slow.ratio, slow.skewness]


def asd(paths: Sequence[Path]) -> Iterable[tuple[str, list[float]]]:
    for path in paths:
        with np.load(path) as arrays:
            train = arrays["train"].astype(np.float64)
        moving = [train[:, metric] for metric in range(train.shape[1]) if train[:, metric].std() > 0.01]
        yield path.stem, [float(np.median([measure(series) for series in moving])) for measure in (lag1, _asd_ratio)]


def _asd_ratio(series: Floats) -> float:
    return seasonal_ratio(series, 288)


def ours() -> Iterable[tuple[str, list[float]]]:
    servers = roster(SERVERS)
    values = Simulation(SEED, servers).over(START + 60.0 * np.arange(DAYS * 1440.0))
    for at, server in enumerate(servers):
        cpu = values[ROW["cpu"], :, at]
        network = np.diff(values[ROW["received"], :, at])
        running = network >= 0.0
        latency = values[ROW["latency"], :, at]
        slow = tail(latency) if np.isfinite(latency).all() else None
        yield (
            server.hostname,
            [
                lag1(cpu),
                seasonal_ratio(cpu, 1440),
                correlation(cpu[1:][running], network[running]),
                slow.ratio if slow else np.nan,
                slow.skewness if slow else np.nan,
            ],
        )


def report(title: str, rows: Iterable[tuple[str, list[float]]], columns: Sequence[str]) -> None:
    measured = list(rows)
    figures = np.array([values for _, values in measured])
    summary = [(name, of(figures, axis=0)) for name, of in (("least", np.nanmin), ("median", np.nanmedian), ("most", np.nanmax))]
    shown = [(name, [f"{value:.2f}" for value in values]) for name, values in (*measured, *summary)]
    print_table(title, ("server", *columns), [(name, *cells) for name, cells in shown])


if __name__ == "__main__":
    sys.exit(main())
