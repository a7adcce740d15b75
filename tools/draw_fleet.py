"""Draws the virtual fleet: a healthy week of some roles, and each kind of fault beside the same hours without it.

python -m tools.draw_fleet FOLDER
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import matplotlib as mpl
import numpy as np

from services.server_gen.domain.catalogue import CATALOGUE, ROW
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.plan import Plan
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import VirtualServer, roster
from services.server_gen.domain.simulation import Simulation

mpl.use("Agg")
from matplotlib import dates, pyplot

SEED: Final = 20
_SEOUL: Final = ZoneInfo("Asia/Seoul")
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
MONDAY: Final = datetime(2026, 3, 8, 15, tzinfo=UTC).timestamp()
"""Midnight in Seoul at the start of a week without holidays."""
SEVERITY: Final = 0.7
WEEK_SERVERS: Final = ("lb-01", "web-01", "app-01", "db-primary-seoul-1", "cache-01", "batch-01")
WEEK_KEYS: Final = ("cpu", "memory", "disk", "latency", "received", "disk_written")
HOURS: Final = {"gradual_degradation": 24.0, "memory_leak": 8.0, "disk_fill": 8.0, "backup_window": 3.0, "holiday_peak": 12.0}
"""How long a fault is drawn; the others last `OTHER_HOURS`."""
OTHER_HOURS: Final = 2.0
PANELS: Final = 4
_NOT_DRAWN: Final = ("time", "start_time", "boot_time", "disk_available", "memory_available", "swap_free", "procs_running")
_NOTICED: Final = ("cpu", "latency", "errors", "requests", "memory")
"""What is looked at on servers that the fault only reaches."""
_WELL_KNOWN: Final = ("cpu", "memory", "disk", "latency", "errors", "requests", "swap", "clock_offset")
_LEAST: Final = {
    "queue_depth": 5.0,
    "procs_blocked": 1.0,
    "swap": 1.0,
    "errors": 0.5,
    "clock_offset": 0.01,
    "latency": 1.0,
    "cpu_steal": 0.02,
    "disk_io_time": 0.05,
}
"""Changes smaller than this are nothing to look at, in the unit of the series."""
HEALTHY, FAULTY, SHADE = "#8a8f98", "#1f6feb", "#f2cc60"


def main(folder: Path) -> None:
    """Write every picture into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    servers = roster(20)
    _draw_week(servers, folder / "healthy_week.png")
    for kind in KINDS:
        _draw_fault(servers, kind, folder / f"{kind}.png")


def _draw_week(servers: Sequence[VirtualServer], path: Path) -> None:
    times = np.arange(MONDAY, MONDAY + 7 * DAY, 300.0)
    chosen = [server for name in WEEK_SERVERS for server in servers if server.hostname == name]
    world = Simulation(SEED, chosen).over(times)
    figure, axes = pyplot.subplots(
        len(chosen), len(WEEK_KEYS), figsize=(18, 1.7 * len(chosen)), sharex=True, layout="constrained", squeeze=False
    )
    for column, key in enumerate(WEEK_KEYS):
        for row, server in enumerate(chosen):
            axis = axes[row][column]
            axis.plot(_clock(times), _shown(world, key, row, times), color=FAULTY, linewidth=0.8)
            _style(axis)
            if row == 0:
                axis.set_title(_label(key), fontsize=9)
            if column == 0:
                axis.set_ylabel(server.hostname, fontsize=9)
            axis.xaxis.set_major_formatter(dates.DateFormatter("%a", tz=_SEOUL))
    figure.suptitle("A healthy week: six servers of the virtual fleet, Monday to Sunday in Seoul", fontsize=11)
    _save(figure, path)


def _draw_fault(servers: Sequence[VirtualServer], kind: str, path: Path) -> None:
    start = MONDAY + 2 * DAY + (14.0 if kind != "backup_window" else 4.0) * HOUR
    length = HOURS.get(kind, OTHER_HOURS) * HOUR
    root = next((s for role in KINDS[kind].roles for s in servers if s.role.name == role), servers[0])
    fault = Fault(id=kind, kind=kind, server=root.hostname, severity=SEVERITY, start=start, end=start + length, source="picture")
    times = np.arange(start - 0.5 * length - HOUR, start + 1.5 * length + HOUR, 60.0)
    healthy = Simulation(SEED, servers).over(times)
    faulty = Simulation(SEED, servers, Plan(SEED, servers, [fault])).over(times)
    panels = _telling(healthy, faulty, times, servers.index(root))
    figure, axes = pyplot.subplots(1, PANELS, figsize=(18, 2.9), layout="constrained", squeeze=False)
    for axis, (key, column) in zip(axes[0], panels, strict=False):
        axis.axvspan(*_clock(np.array([fault.start, fault.end])), color=SHADE, alpha=0.35, linewidth=0)
        axis.plot(_clock(times), _shown(healthy, key, column, times), color=HEALTHY, linewidth=0.9, label="without it")
        axis.plot(_clock(times), _shown(faulty, key, column, times), color=FAULTY, linewidth=1.0, label="with it")
        axis.set_title(f"{servers[column].hostname}: {_label(key)}", fontsize=9)
        _style(axis)
        axis.xaxis.set_major_formatter(dates.DateFormatter("%H:%M", tz=_SEOUL))
    axes[0][0].legend(fontsize=8, loc="upper left")
    harmless = " (harmless)" if KINDS[kind].harmless else ""
    figure.suptitle(f"{kind}{harmless} on {root.hostname}, severity {SEVERITY}: {KINDS[kind].description}", fontsize=11)
    _save(figure, path)


def _telling(healthy: Floats, faulty: Floats, times: Floats, root: int) -> list[tuple[str, int]]:
    """The series to draw, as key and column: what the fault moves furthest on its root, and what users notice elsewhere."""
    moved: list[tuple[float, str, int]] = []
    for metric in CATALOGUE:
        for column in range(healthy.shape[2]):
            before, after = _shown(healthy, metric.key, column, times), _shown(faulty, metric.key, column, times)
            if np.isnan(before).all() or metric.key in _NOT_DRAWN or (column != root and metric.key not in _NOTICED):
                continue
            gone = float(np.mean(np.isnan(after) & ~np.isnan(before)))
            level = float(np.nanmean(np.abs(before)))
            # Series that are all but constant would win by moving a little, so a tenth of the level counts as usual too.
            usual = float(np.nanstd(before)) + 0.1 * level + _LEAST.get(metric.key, 1e-9)
            moved.append((float(np.nanmax(np.abs(after - before), initial=0.0)) / usual + gone, metric.key, column))
    # What is plainly moved ranks by how well known it is.
    moved.sort(key=lambda entry: (-min(entry[0], 0.2), entry[1] not in _WELL_KNOWN, -entry[0], entry[1], entry[2]))
    of_root = [(key, column) for _, key, column in moved if column == root]
    others = [(key, column) for size, key, column in moved if column != root and size > 1.0][:1]
    return of_root[: PANELS - len(others)] + others


def _shown(world: Floats, key: str, column: int, times: Floats) -> Floats:
    """A series as it is looked at: a gauge as it is, a counter as its increase a second (a restart gives no value)."""
    values = world[ROW[key], :, column]
    if not CATALOGUE[ROW[key]].counter:
        return values
    rate = np.diff(values, prepend=np.nan) / (times[1] - times[0])
    return np.where(rate < 0, np.nan, rate)


def _label(key: str) -> str:
    metric = CATALOGUE[ROW[key]]
    mode = dict(metric.labels).get("mode")
    name = f"{metric.name} {mode}" if mode else metric.name.removeprefix("node_").removesuffix("_total")
    return f"{name} ({metric.unit}{' a second' if metric.counter else ''})"


def _clock(times: Floats) -> Any:
    return np.array([datetime.fromtimestamp(t, UTC) for t in times.tolist()])


def _style(axis: Any) -> None:
    axis.grid(alpha=0.25)
    axis.tick_params(labelsize=7)
    axis.margins(x=0)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _save(figure: Any, path: Path) -> None:
    # Without the version of the library in it, the same drawing is the same file.
    figure.savefig(path, dpi=80, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
