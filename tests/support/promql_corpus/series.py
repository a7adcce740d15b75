"""The series of the comparison: made by rule from a fixed seed, the same on every machine.

An hour around `BASE_MS`, mostly a sample every 15 s with uneven times. There are gauges with gaps, counters with resets, series
that end with a staleness marker, come back or move to other labels, NaN, infinities and extreme numbers, classic histograms (whole
and damaged), and what a node_exporter says of three machines.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from tests.support.promql_series import STALE, Series

BASE_MS: Final = 1_700_000_000_000
STEP_MS: Final = 15_000
COUNT: Final = 240
"""Samples of a series that has no gaps."""

_Values = Sequence[float | None]


def corpus() -> list[Series]:
    """Every series, in the order of its labels."""
    made = _Maker()
    made.gauges()
    made.counters()
    made.comings_and_goings()
    made.odd_numbers()
    made.histograms()
    made.node_exporter()
    made.web_server()
    return sorted(made.series, key=lambda one: one.labels)


class _Maker:
    def __init__(self) -> None:
        self.series: list[Series] = []
        self._random = random.Random(4)

    def add(
        self, name: str, labels: dict[str, str], values: Iterable[float | None], *, step_ms: int = STEP_MS, jitter_ms: int = 0
    ) -> None:
        """One series from its values at each step; None is a gap."""
        times, kept = [], []
        for index, value in enumerate(values):
            late_ms = self._random.randint(-jitter_ms, jitter_ms) if jitter_ms else 0
            if value is not None:
                times.append(BASE_MS + index * step_ms + late_ms)
                kept.append(value)
        pairs = tuple(sorted({"__name__": name, **labels}.items()))
        self.series.append(Series(pairs, np.array(times, np.int64), np.array(kept, np.float64)))

    def noise(self, low: float, high: float, *, gaps: int = 0, digits: int = 2) -> list[float | None]:
        """Even noise with some samples missing."""
        values: list[float | None] = [round(self._random.uniform(low, high), digits) for _ in range(COUNT)]
        for index in self._random.sample(range(COUNT), gaps):
            values[index] = None
        return values

    def growth(self, most: float, *, resets: Sequence[int] = (), start: float = 0.0, digits: int = 3) -> list[float]:
        """A counter that grows by up to `most` a step and begins again at the given steps."""
        total, values = start, []
        for index in range(COUNT):
            total = 0.0 if index in resets else total
            total += self._random.uniform(0, most)
            values.append(round(total, digits))
        return values

    def gauges(self) -> None:
        """Noise, plateaus, slopes and sparse series."""
        for k in range(6):
            labels = {"server": f"s{k}", "role": "web" if k % 2 else "db", "site": "x" if k < 4 else "y"}
            values = self.noise(0, 100, gaps=25)
            if k == 3:
                values[60:100] = [None] * 40
            self.add("gauge", labels, values, jitter_ms=2000)
        for role, team, level in (("web", "a", 50.0), ("db", "b", 70.0)):
            self.add("limit", {"role": role, "team": team}, [level] * (COUNT // 2), step_ms=2 * STEP_MS)
        self.add("one", {"server": "s0"}, [1.0] * 55, step_ms=60_000)
        self.add("one", {"server": "s1"}, [0.0] * 55, step_ms=60_000)
        self.add("flat", {"server": "s9"}, [1e9 + 0.5] * COUNT)
        self.add("slope", {"server": "s0"}, [100 - 0.25 * index for index in range(COUNT)], jitter_ms=100)
        self.add("slope", {"server": "s1"}, [5 + 1.5 * index for index in range(COUNT)])
        self.add("steps", {"server": "s0"}, [float(index // 20 % 3) for index in range(COUNT)])
        self.add("steps", {"server": "s1"}, [float(index // 7 % 5) - 2 for index in range(COUNT)])
        self.add("sparse", {"every": "4m"}, self.noise(0, 10)[:15], step_ms=240_000)
        self.add("sparse", {"every": "5m"}, self.noise(0, 10)[:12], step_ms=300_000)
        self.add("sparse", {"every": "7m"}, self.noise(0, 10)[:9], step_ms=420_000)
        self.add("single", {"server": "s0"}, [None] * 40 + [42.0])
        self.add("big", {"server": "s9"}, [1e12 + round(self._random.random(), 3) for _ in range(COUNT)])
        for text in ("a b", 'quote"', "back\\slash", "líne", "서버", "1.5", "100", "20", "node-10", "node-9"):
            self.add("texts", {"text": text, "n": str(len(text))}, [float(len(text))] * COUNT)

    def counters(self) -> None:
        """Growth with resets, gaps, late starts, and one that never moves."""
        for k in range(4):
            labels = {"server": f"s{k}", "role": "web" if k % 2 else "db"}
            values: list[float | None] = list(self.growth(50, resets=self._random.sample(range(10, 230), 3 * (k % 3))))
            if k == 2:
                values[100:140] = [None] * 40
            self.add("counter_total", labels, values, jitter_ms=3000)
        self.add("counter_total", {"server": "late", "role": "web"}, [*([None] * 100), *self.growth(9)[100:]])
        self.add("counter_total", {"server": "idle", "role": "db"}, [7.0] * COUNT)
        self.add("fast_total", {"server": "s0"}, self.growth(1e9, start=1e15, digits=0), step_ms=5_000)
        self.add("young_total", {"server": "s0"}, [*([None] * 150), *[float(3 * index) for index in range(90)]])

    def comings_and_goings(self) -> None:
        """Staleness markers, and series that follow each other under other labels."""
        n = COUNT
        self.add("moving", {"v": "1"}, [1.0] * 80 + [None] * (n - 80))
        self.add("moving", {"v": "2"}, [None] * 120 + [2.0] * (n - 120))
        self.add("ends", {"how": "marker"}, [5.0] * 90 + [STALE])
        self.add("ends", {"how": "silence"}, [6.0] * 90)
        self.add("ends", {"how": "returns"}, [7.0] * 60 + [STALE] + [None] * 60 + [8.0] * (n - 121))
        self.add("ends", {"how": "blinks"}, [STALE if index % 9 == 4 else float(index) for index in range(n)])
        self.add("ends", {"how": "only marker"}, [None] * 100 + [STALE])
        self.add("restart_total", {"v": "1"}, [*(4.0 * index for index in range(100)), STALE])
        self.add("restart_total", {"v": "2"}, [None] * 100 + [3.0 * index for index in range(n - 100)])
        self.add(
            "restart_total", {"v": "same"}, [*(4.0 * index for index in range(100)), STALE, *(2.0 * index for index in range(139))]
        )

    def odd_numbers(self) -> None:
        """What a double can hold beside everyday numbers."""
        n, nan, inf = COUNT, math.nan, math.inf
        base = [value or 0.0 for value in self.noise(-10, 10)]
        kinds: dict[str, Callable[[int], float]] = {
            "nan": lambda i: nan,
            "inf": lambda i: inf,
            "ninf": lambda i: -inf,
            "some nan": lambda i: nan if i % 7 == 3 else base[i],
            "some inf": lambda i: inf if i % 31 == 5 else base[i],
            "both inf": lambda i: inf if i % 40 == 5 else -inf if i % 40 == 25 else base[i],
            "zeros": lambda i: 0.0 if i % 2 else -0.0,
            "tiny": lambda i: base[i] * 1e-300,
            "huge": lambda i: base[i] * 1e300,
            "integers": lambda i: float(round(base[i])),
        }
        for kind, value in kinds.items():
            self.add("odd", {"kind": kind}, [value(index) for index in range(n)])

    def histograms(self) -> None:
        """Cumulative buckets; some of them as broken exporters write them."""
        n = COUNT
        for server, weights in (("s0", (1, 3, 6, 9, 10)), ("s1", (0, 0, 5, 5, 6)), ("s2", (0, 0, 0, 0, 0))):
            steady = [float(self._random.randint(0, 5)) for _ in range(n)]
            totals = [sum(steady[: index + 1]) for index in range(n)]
            for bound, weight in zip(("0.05", "0.1", "0.5", "1", "+Inf"), weights, strict=True):
                labels = {"server": server, "path": "/" if server == "s0" else "/api", "le": bound}
                self.add("latency_seconds_bucket", labels, [total * weight for total in totals])
            self.add("latency_seconds_count", {"server": server, "path": "/"}, [total * weights[-1] for total in totals])
            self.add("latency_seconds_sum", {"server": server, "path": "/"}, [round(total * 0.37, 3) for total in totals])
        damaged = {
            "no inf": (("1", 1.0), ("2", 2.0)),
            "only inf": (("+Inf", 3.0),),
            "falls": (("1", 5.0), ("2", 3.0), ("4", 8.0), ("+Inf", 7.0)),
            "spelled twice": (("1", 2.0), ("1.0", 1.0), ("2", 5.0), ("+Inf", 6.0)),
            "words": (("low", 2.0), ("1", 1.0), ("+Inf", 6.0)),
            "below zero": (("-2", 1.0), ("-1", 4.0), ("0", 6.0), ("+Inf", 8.0)),
            "nan": (("1", math.nan), ("2", 3.0), ("+Inf", 6.0)),
            "nan total": (("1", 1.0), ("2", 3.0), ("+Inf", math.nan)),
            "first bucket": (("1", 6.0), ("+Inf", 6.0)),
        }
        for kind, buckets in damaged.items():
            for bound, height in buckets:
                self.add("odd_bucket", {"kind": kind, "le": bound}, [height * (1 + index) for index in range(n)])

    def node_exporter(self) -> None:
        """Three machines under the names of node_exporter."""
        for k, instance in enumerate(("web-01:9100", "web-02:9100", "db-01:9100")):
            here = {"instance": instance, "job": "node"}
            for cpu in ("0", "1"):
                for mode, share in (("idle", 12), ("user", 2), ("system", 1), ("iowait", 0.5), ("steal", 0.01)):
                    self.add("node_cpu_seconds_total", {**here, "cpu": cpu, "mode": mode}, self.growth(share * (k + 1) / 2))
            total = 16.0 * 2**30
            self.add("node_memory_MemTotal_bytes", here, [total] * COUNT)
            for name in ("MemAvailable", "MemFree", "Buffers", "Cached"):
                self.add(
                    f"node_memory_{name}_bytes", here, [float(int(self._random.uniform(0.1, 0.4) * total)) for _ in range(COUNT)]
                )
            for number, (device, point, fstype) in enumerate(
                (("/dev/sda1", "/", "ext4"), ("tmpfs", "/run", "tmpfs"), ("/dev/sdb", "/data", "xfs"))
            ):
                disk = {**here, "device": device, "mountpoint": point, "fstype": fstype}
                self.add("node_filesystem_size_bytes", disk, [(1 + number / 7) * 1e11] * COUNT)
                self.add("node_filesystem_avail_bytes", disk, [5e10 * (k + 1) / 2 - 4e7 * index for index in range(COUNT)])
                self.add("node_filesystem_files", disk, [1e6] * COUNT)
                self.add("node_filesystem_files_free", disk, [9e5 - 100.0 * index for index in range(COUNT)])
                self.add("node_filesystem_readonly", disk, [float(k == 2 and point == "/data")] * COUNT)
            for device in ("eth0", "lo"):
                for name in ("receive_bytes", "transmit_bytes", "receive_errs", "receive_packets"):
                    self.add(
                        f"node_network_{name}_total", {**here, "device": device}, self.growth(1e5, resets=(120,) if k == 1 else ())
                    )
            for name in ("read_bytes_total", "written_bytes_total", "io_time_seconds_total", "io_time_weighted_seconds_total"):
                self.add(f"node_disk_{name}", {**here, "device": "sda"}, self.growth(15.0))
            for name in ("load1", "load5", "load15"):
                self.add(f"node_{name}", here, self.noise(0, 4))
            self.add("node_boot_time_seconds", here, [1_699_000_000.0 + k * 86_400] * COUNT)
            self.add("node_time_seconds", here, [BASE_MS / 1000 + 15 * index + 0.25 for index in range(COUNT)])
            self.add("node_uname_info", {**here, "nodename": instance.split(":", maxsplit=1)[0], "release": "6.1"}, [1.0] * COUNT)
            self.add("node_context_switches_total", here, self.growth(5e4))
            self.add("node_filefd_allocated", here, self.noise(500, 900, digits=0))
            self.add("node_filefd_maximum", here, [1024.0] * COUNT)
            self.add("up", here, [0.0 if k == 1 and 100 <= index < 130 else 1.0 for index in range(COUNT)])
        self.add("up", {"instance": "gone:9100", "job": "node"}, [1.0] * 50 + [0.0] * 30 + [STALE])

    def web_server(self) -> None:
        """Requests by method, code and handler."""
        for instance in ("web-01:8080", "web-02:8080"):
            for method in ("GET", "POST"):
                for code, share in (("200", 60.0), ("404", 3.0), ("500", 0.5), ("503", 0.2)):
                    labels = {"instance": instance, "job": "web", "method": method, "code": code, "handler": "/api"}
                    self.add(
                        "http_requests_total", labels, self.growth(share, resets=(77,) if instance < "web-02" else (), digits=0)
                    )
            self.add("http_requests_in_flight", {"instance": instance, "job": "web"}, self.noise(0, 20, digits=0, gaps=10))
