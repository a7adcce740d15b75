"""The figures as a table with ratios against named baselines, and the bars that they are held to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.metrics.measure import Figures
from benchmarks.metrics.queries import QUERIES
from benchmarks.support import print_table, rate, ratio

BASELINE: Final = "VictoriaMetrics, remote write"
REMOTE_WRITE: Final = "OpenManager, remote write"
UNARY, STREAM = "OpenManager, columns, unary", "OpenManager, columns, stream"
REMOTE_WRITE_BAR, COLUMNS_BAR, SERIES_BYTES_BAR = 2.0, 5.0, 4096.0


@dataclass(frozen=True)
class Bar:
    """Something that is to hold: what, the figure that was found, its limit, and whether it holds."""

    what: str
    found: str
    limit: str
    holds: bool


def bars(figures: Sequence[Figures]) -> list[Bar]:
    """Every bar that the figures allow to judge."""
    by_way = {each.way: each for each in figures}
    base, ours = by_way.get(BASELINE), by_way.get(REMOTE_WRITE)
    found = []
    if base:
        for way, bar in ((REMOTE_WRITE, REMOTE_WRITE_BAR), (UNARY, COLUMNS_BAR), (STREAM, COLUMNS_BAR)):
            if way in by_way:
                times = by_way[way].per_cpu_second / base.per_cpu_second
                found.append(Bar(f"{way}: samples per CPU second", f"{times:.2f}x", f">= {bar:g}x {BASELINE}", times >= bar))
    if base and ours:
        limit = f"<= {base.disk_bytes:.3f} of VictoriaMetrics"
        found.append(Bar("bytes a sample, merged", f"{ours.disk_bytes:.3f}", limit, ours.disk_bytes <= base.disk_bytes))
        for query in QUERIES:
            mine, theirs = ours.latencies[query].p50, base.latencies[query].p50
            found.append(Bar(f"p50 of {query}, ms", f"{mine:.2f}", f"<= {theirs:.2f} of VictoriaMetrics", mine <= theirs))
    for each in figures:
        if each.way in (REMOTE_WRITE, UNARY, STREAM):
            told = f"{each.series_bytes / 1024:.2f}"
            holds = each.series_bytes <= SERIES_BYTES_BAR
            found.append(Bar(f"{each.way}: growth to peak memory, KiB a series", told, f"<= {SERIES_BYTES_BAR / 1024:g}", holds))
    return found


def print_report(figures: Sequence[Figures]) -> None:
    """Print everything."""
    base = next((each for each in figures if each.way == BASELINE), None)
    columns = ("way in", "M/CPU-s", "ratio", "M/s", "peak MB", "KiB/series", "B/sample", "ratio", "an acknowledged sample is")
    rows = [
        (
            each.way,
            f"{each.per_cpu_second / 1e6:.3f}",
            _ratio(each.per_cpu_second, base.per_cpu_second if base else None),
            f"{each.samples / each.wall_seconds / 1e6:.3f}",
            f"{each.peak_bytes / 1e6:.0f}",
            f"{each.series_bytes / 1024:.2f}",
            f"{each.disk_bytes:.3f}",
            _ratio(each.disk_bytes, base.disk_bytes if base else None),
            each.acknowledges,
        )
        for each in figures
    ]
    print_table(f"ingest and storage; baseline of ratios: {BASELINE}", columns, rows)
    asked = [each for each in figures if each.latencies]
    cells = [(each.way, *(_latency(each, query, base if base and base.latencies else None) for query in QUERIES)) for each in asked]
    print_table("queries over HTTP, p50 / p99 ms, (p50 / that of VictoriaMetrics)", ("after", *QUERIES), cells)
    verdicts = [(bar.what, bar.found, bar.limit, "holds" if bar.holds else "FALLS SHORT") for bar in bars(figures)]
    print_table("bars", ("what", "found", "limit", ""), verdicts)
    for each in figures:
        print(f"  {each.way}: {rate(each.samples)} samples, {each.cpu_seconds:.1f} CPU s, {each.wall_seconds:.1f} s")


def _ratio(value: float, baseline: float | None) -> str:
    return ratio(value, baseline) if baseline else "-"


def _latency(figures: Figures, query: str, base: Figures | None) -> str:
    found = figures.latencies[query]
    against = f" ({ratio(found.p50, base.latencies[query].p50)})" if base else ""
    return f"{found.p50:.2f} / {found.p99:.2f}{against}"
