"""The benchmark of metrics judges as it says."""

from dataclasses import replace

from benchmarks.metrics.measure import Figures
from benchmarks.metrics.queries import QUERIES, Latency
from benchmarks.metrics.report import BASELINE, REMOTE_WRITE, STREAM, bars

BASE = Figures(BASELINE, 1_000_000, 1.0, 1.0, 10**8, 2048.0, 2.0, dict.fromkeys(QUERIES, Latency(5.0, 9.0)), "")


def test_a_figure_at_its_limit_holds() -> None:
    ours = replace(BASE, way=REMOTE_WRITE, cpu_seconds=0.5, series_bytes=4096.0)
    assert [bar.holds for bar in bars([BASE, ours])] == [True] * 6


def test_a_figure_beyond_its_limit_falls_short() -> None:
    ours = replace(
        BASE,
        way=REMOTE_WRITE,
        cpu_seconds=0.51,
        disk_bytes=2.01,
        series_bytes=4097.0,
        latencies=dict.fromkeys(QUERIES, Latency(5.1, 6.0)),
    )
    stream = replace(BASE, way=STREAM, cpu_seconds=0.21, latencies={})
    judged = {bar.what: bar.holds for bar in bars([BASE, ours, stream])}
    assert [what for what, holds in judged.items() if holds] == [f"{STREAM}: growth to peak memory, KiB a series"]
    assert len(judged) == 8


def test_without_the_baseline_memory_alone_is_judged() -> None:
    assert len(bars([replace(BASE, way=REMOTE_WRITE)])) == 1
