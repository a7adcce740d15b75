"""Draws the CSV of `--scale`: `python -m benchmarks.metrics.picture CSV PICTURE`."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

PANELS: Final = (
    ("samples_per_cpu_second", "ingest, M samples per CPU second", 1e6),
    ("peak_mb", "peak memory, MB", 1.0),
    ("p50_ms one series, 24 h", "p50 of one series over 24 h, ms", 1.0),
    ("p50_ms latest of all hosts", "p50 of the latest of all hosts, ms", 1.0),
    ("p50_ms 1 h average by host", "p50 of the 1 h average by host, ms", 1.0),
    ("bytes_per_sample", "bytes per sample on disk, merged", 1.0),
)
COLOURS: Final = {"OpenManager": "#1f6feb", "VictoriaMetrics": "#8250df"}
LINES: Final = {"history": "-", "hosts": "--"}


def draw(rows: Sequence[dict[str, str]], target: Path) -> None:
    """One panel a figure; a solid line for more history, a dashed one for more hosts."""
    figure, axes = pyplot.subplots(2, 3, figsize=(13, 7), layout="constrained")
    for axis, (column, title, unit) in zip(axes.flat, PANELS, strict=True):
        for system, colour in COLOURS.items():
            for grows, line in LINES.items():
                _draw_line(
                    axis, [row for row in rows if (row["system"], row["grows"]) == (system, grows)], column, unit, colour, line
                )
        axis.set_title(title, fontsize=10)
        axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        ticks = sorted({int(row["samples"]) for row in rows})
        axis.set_xticks(ticks, [f"{tick / 1e6:g} M" for tick in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=8)
    figure.supxlabel("samples stored")
    figure.savefig(target, dpi=110)


def _draw_line(axis: Any, rows: Sequence[dict[str, str]], column: str, unit: float, colour: str, line: str) -> None:
    if rows:
        label = f"{rows[0]['system']}, more {rows[0]['grows']}"
        values = [float(row[column]) / unit for row in rows]
        axis.plot([int(row["samples"]) for row in rows], values, line, color=colour, marker="o", markersize=4, label=label)


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    with source.open(newline="", encoding="utf-8") as file:
        draw(list(csv.DictReader(file)), target)


if __name__ == "__main__":
    main()
