"""Reads the figures of the machine that this process runs on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import psutil

from services.common.clock import Clock

_VIRTUAL_INTERFACES: Final = ("lo", "veth", "docker", "br-", "virbr", "ifb", "tap", "tun", "cni", "flannel", "cali", "vnet")
"""Their bytes either stay on the machine or pass a physical interface too, and would be counted twice."""
_CPU_SENSORS: Final = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "acpitz")
_BLOCK_DEVICES: Final = Path("/sys/block")


class HostReader:
    """Reads this machine through psutil; not safe to call from two threads at once.

    Figures: `cpu`, `memory`, `disk`, `swap` in percent, `load` (runnable processes over one minute), `temperature` in degrees
    Celsius, `uptime_seconds`, and the counters `network_receive_bytes_total`, `network_transmit_bytes_total`,
    `disk_read_bytes_total`, `disk_written_bytes_total` over physical devices. A figure that this machine does not have, or does
    not show to this user, is left out. `cpu` is the share since the call before, so the first call has none.

    Args:
        clock: gives the time for the uptime.
        paths: `disk` is the fullest of the file systems that hold these.
    """

    def __init__(self, clock: Clock, paths: Sequence[Path] = (Path("/"),)) -> None:
        self._clock = clock
        self._paths = tuple(paths)
        self._cpu_before: tuple[float, float] | None = None

    def read(self) -> dict[str, float]:
        """The figures now, by name. Blocks for some milliseconds."""
        figures: dict[str, float] = {}
        sources: tuple[Callable[[], dict[str, float]], ...] = (
            self._cpu,
            _memory,
            self._disk,
            _load,
            _network,
            _disk_counters,
            _temperature,
            self._uptime,
        )
        for source in sources:
            try:
                figures |= source()
            except (OSError, AttributeError, NotImplementedError, RuntimeError, psutil.Error):
                continue  # containers hide parts of /proc and /sys, and no platform has everything
        return figures

    def _cpu(self) -> dict[str, float]:
        # psutil.cpu_percent() remembers the call before for each thread, and we are called from any thread of a pool.
        times = psutil.cpu_times()
        # Linux counts the time of guests in user and nice already.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        idle = times.idle + getattr(times, "iowait", 0.0)
        before, self._cpu_before = self._cpu_before, (total, idle)
        if before is None or total <= before[0]:
            return {}
        busy = 1.0 - (idle - before[1]) / (total - before[0])
        return {"cpu": round(100.0 * min(max(busy, 0.0), 1.0), 2)}

    def _disk(self) -> dict[str, float]:
        return {"disk": max(psutil.disk_usage(str(path)).percent for path in self._paths)}

    def _uptime(self) -> dict[str, float]:
        return {"uptime_seconds": round(max(self._clock.now() - psutil.boot_time(), 0.0))}


def _memory() -> dict[str, float]:
    figures = {"memory": psutil.virtual_memory().percent}
    swap = psutil.swap_memory()
    if swap.total:
        figures["swap"] = swap.percent
    return figures


def _load() -> dict[str, float]:
    return {"load": round(psutil.getloadavg()[0], 2)}


def _network() -> dict[str, float]:
    interfaces = psutil.net_io_counters(pernic=True)
    chosen = [counters for name, counters in interfaces.items() if not name.startswith(_VIRTUAL_INTERFACES)]
    if not chosen:
        return {}
    return {
        "network_receive_bytes_total": float(sum(counters.bytes_recv for counters in chosen)),
        "network_transmit_bytes_total": float(sum(counters.bytes_sent for counters in chosen)),
    }


def _disk_counters() -> dict[str, float]:
    devices = psutil.disk_io_counters(perdisk=True)
    # Partitions, loops, RAID and LVM volumes repeat the bytes of the devices below them; a physical one has `device` in sysfs.
    chosen = [counters for name, counters in devices.items() if (_BLOCK_DEVICES / name / "device").exists()]
    if not chosen and not _BLOCK_DEVICES.exists():
        chosen = list(devices.values())  # elsewhere than on Linux only whole devices are listed
    if not chosen:
        return {}
    return {
        "disk_read_bytes_total": float(sum(counters.read_bytes for counters in chosen)),
        "disk_written_bytes_total": float(sum(counters.write_bytes for counters in chosen)),
    }


def _temperature() -> dict[str, float]:
    sensors = psutil.sensors_temperatures()
    for chip in _CPU_SENSORS:
        if readings := [reading.current for reading in sensors.get(chip, []) if reading.current]:
            return {"temperature": max(readings)}
    return {}
