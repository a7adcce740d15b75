"""What the benchmarks share: CPU time of other processes, and tables."""

import time
from collections.abc import Sequence

import psutil


def cpu_seconds(pid: int) -> float:
    """CPU time, user and system, that a process and its descendants have used, those that have ended included."""
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        # Those that have ended: Linux counts them with the parent that waited for them.
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def settled_cpu_seconds(pid: int, within_seconds: float = 10.0) -> float:
    """CPU time once the process has nothing left to do, so that work it put off is counted with the load that caused it."""
    end = time.monotonic() + within_seconds
    before = cpu_seconds(pid)
    while time.monotonic() < end:
        time.sleep(0.5)
        after = cpu_seconds(pid)
        if after - before < 0.05:
            return after
        before = after
    return before


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose first column is text and whose others are figures."""
    widths = [max(len(row[k]) for row in (columns, *rows)) for k in range(len(columns))]
    print(title)
    for row in (columns, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  " + "  ".join(cells).rstrip(), flush=True)


def rate(per_second: float) -> str:
    """A number of things a second, with three digits that mean something."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if per_second >= size:
            return f"{per_second / size:.3g} {unit}"
    return f"{per_second:.3g}"


def ratio(value: float, baseline: float) -> str:
    """How many times the baseline a value is."""
    return f"{value / baseline:.3g}x"
