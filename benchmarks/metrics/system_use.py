"""What a process uses: CPU, memory, disk."""

import time
from pathlib import Path
from typing import Final

import psutil

from benchmarks.support import cpu_seconds

_QUIET_SECONDS: Final = 1.5
_LOOK_SECONDS: Final = 0.25
_IDLE_SHARE: Final = 0.05
"""Share of a core below which a process counts as having nothing left to do."""


class Watch:
    """CPU and memory of a process and its descendants, from one moment on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak_bytes = 0
        self.ready_bytes = self.look()
        self._cpu = 0.0

    def start(self) -> None:
        """Count CPU time from now on."""
        self._cpu = cpu_seconds(self._pid)

    def look(self) -> int:
        """Memory at this moment, in bytes; the largest is kept."""
        found = memory_bytes(self._pid)
        self.peak_bytes = max(self.peak_bytes, found)
        return found

    def settle(self, within_seconds: float) -> float:
        """CPU seconds since the start once the process has become idle, so that what it put off is counted."""
        end = time.monotonic() + within_seconds
        mark, since = cpu_seconds(self._pid), time.monotonic()
        while time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
            self.look()
            used, now = cpu_seconds(self._pid), time.monotonic()
            if used - mark > _IDLE_SHARE * _QUIET_SECONDS:
                mark, since = used, now
            elif now - since >= _QUIET_SECONDS:
                break
        return cpu_seconds(self._pid) - self._cpu


def memory_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants."""
    root, total = psutil.Process(pid), 0
    for process in (root, *root.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def disk_bytes(folder: Path) -> int:
    """Space that the files below a folder take on the disk; a file with several names counts once."""
    found: dict[int, int] = {}
    for path in folder.rglob("*"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        if path.is_file():
            found[status.st_ino] = status.st_blocks * 512
    return sum(found.values())
