"""The truth about a fault: what can be seen of it, found by comparing the world with it and the world without it."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from services.server_gen.domain.catalogue import CATALOGUE, ROW, Metric
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.plan import Plan, reached_servers
from services.server_gen.domain.faults.reach import Graph
from services.server_gen.domain.faults.timing import seeds_of, timing_of
from services.server_gen.domain.levers import Levers, Span
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import VirtualServer
from services.server_gen.domain.simulation import Simulation

ALL_SERIES: Final = "*"
"""Stands for every series of a server, where they go missing together."""
_MOST_SERVERS: Final = 50
_STEP_SECONDS: Final = 10.0
_DENSE_STEPS: Final = 90
"""The first quarter of an hour is looked at closely, as that is where symptoms follow one another."""
_SPARSE_STEPS: Final = 45
_END_STEPS: Final = 9
"""What a fault ends with, such as a restart, may be short."""
_RATE_SECONDS: Final = 60.0
"""The increase of counters is measured over at most this long."""
_WATCHED_SECONDS: Final = 180.0
_SKIPPED_SECONDS: Final = 7200.0
"""Longer stretches that are not looked at are left out; many short ones would cost more than they save."""
_BEFORE_SECONDS: Final = 3600.0
_BEFORE_STEPS: Final = 40
_BAND: Final = 4.0
"""Half width of the usual band, in standard deviations of the hour before."""
_SIGMA_OF_MEDIAN: Final = 1.4826
"""Standard deviation of a normal distribution relative to its median absolute deviation."""
_LEAST_SHARE: Final = 0.03
"""Half width of the usual band relative to its middle, at least: smaller changes nobody would call a symptom."""
_LEAST_OF_UNIT: Final = {
    "percent": 1.0,
    "milliseconds": 0.3,
    "connections": 3.0,
    "requests": 1.0,
    "processes": 0.5,
    "seconds": 0.05,
    "files": 20.0,
    "bytes": 1e5,
}
_LEAST_OF_RATE: Final = {"seconds": 0.01, "requests": 0.05, "bytes": 1e4, "packets": 0.05, "segments": 0.2, "switches": 50.0}


@dataclass(frozen=True)
class Symptom:
    """One series that a fault moves out of its usual band.

    Attributes:
        server: host name.
        metric: name of the series, with the labels that tell it from others of the name: `node_cpu_seconds_total{mode="steal"}`;
            `ALL_SERIES` where everything that the server has goes missing.
        onset: Unix time at which it first leaves the band.
        direction: 1 where it rises (a counter: grows faster), -1 where it falls, 0 where it goes missing.
    """

    server: str
    metric: str
    onset: float
    direction: int


@dataclass(frozen=True)
class Truth:
    """What is really the matter.

    Attributes:
        root_cause: a sentence for a person.
        ramp_seconds: from the fault's beginning to its full strength.
        servers: host names of those that show symptoms, in the order in which they do, after the root cause, which always comes first.
        symptoms: in order of their onset, those of the root cause first at the same time.
    """

    root_cause: str
    ramp_seconds: float
    servers: tuple[str, ...]
    symptoms: tuple[Symptom, ...]


def truth_of(
    fault: Fault, seed: int, servers: Sequence[VirtualServer], graph: Graph | None = None, holidays: Sequence[date] = ()
) -> Truth:
    """The truth about one fault, as if it came alone.

    Looks at up to 50 servers, those that it reaches first, every 10 s for a quarter of an hour and then at growing distances until all
    is over. It computes tens of thousands of samples: call it in a thread.

    Args:
        fault: which; when the fleet lacks its server, nothing can be seen of it.
        seed: of the simulation.
        servers: the whole fleet.
        graph: of the same servers, where the caller has one already.
        holidays: as the simulation's.

    Raises:
        KeyError: the fault is of an unknown kind.
    """
    graph = graph or Graph(servers)
    kind = KINDS[fault.kind]
    timing = timing_of(fault, kind, seeds_of(fault, seed))
    symptoms: list[Symptom] = []
    if fault.server in graph.place and fault.stop > fault.start:
        touched = [graph.servers[place] for place in reached_servers(fault, seed, graph)[:_MOST_SERVERS]]
        plan = Plan(seed, servers, [fault], graph)
        times = _times(fault.start, fault.stop, max(span.end for spans in plan.spans().values() for span in spans))
        without = Simulation(seed, touched, holidays=holidays)
        symptoms = _symptoms(without, Simulation(seed, touched, _Watched(plan, times), holidays), times)
    symptoms.sort(key=lambda symptom: (symptom.onset, symptom.server != fault.server))
    shown = dict.fromkeys([fault.server, *(symptom.server for symptom in symptoms)])
    return Truth(kind.cause.format(server=fault.server), timing.ramp, tuple(shown), tuple(symptoms))


class _Watched:
    """Disturbances as far as they matter for what is looked at: counters need not be added up over days of which nobody asks.

    Args:
        plan: the disturbances.
        times: that are looked at, ascending, each with the minute before it.
    """

    def __init__(self, plan: Plan, times: Floats) -> None:
        self._plan = plan
        apart = np.flatnonzero(np.diff(times) > _SKIPPED_SECONDS)
        starts, ends = np.concatenate([times[:1], times[apart + 1]]), np.concatenate([times[apart], times[-1:]])
        self._windows = [
            Span(start - _WATCHED_SECONDS, end + 1.0) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]

    def spans(self) -> dict[int, Sequence[Span]]:
        """The plan's, cut to what is looked at."""
        cut: dict[int, Sequence[Span]] = {}
        for server, spans in self._plan.spans().items():
            both = [(max(span.start, seen.start), min(span.end, seen.end)) for span in spans for seen in self._windows]
            cut[server] = [Span(start, end) for start, end in both if start < end]
        return cut

    def levers(self, times: Floats, servers: Sequence[int]) -> Levers:
        """The plan's."""
        return self._plan.levers(times, servers)


def _symptoms(without: Simulation, with_it: Simulation, times: Floats) -> list[Symptom]:
    before = times[0] - np.linspace(_BEFORE_SECONDS, _STEP_SECONDS, _BEFORE_STEPS)
    # Each time is preceded by one that the increase of counters is measured from: the one before it, or one a minute before.
    far = np.flatnonzero(np.diff(times) > _RATE_SECONDS) + 1
    beginning = np.insert(np.concatenate([before[-1:], times]), far + 1, times[far] - _RATE_SECONDS)
    looked = np.isin(beginning, times)
    healthy = without.over(np.concatenate([before[:-1], beginning]))
    disturbed = with_it.over(beginning)
    half_width = _half_width(_rates(healthy[:, :_BEFORE_STEPS], before))
    healthy = healthy[:, _BEFORE_STEPS - 1 :]
    missing = (np.isnan(disturbed) & ~np.isnan(healthy))[:, looked]
    off = np.nan_to_num(_rates(disturbed, beginning) - _rates(healthy, beginning))[:, looked]
    off[missing] = 0.0
    # Two counters that are rounded down differ by up to one, even where the rates are the same.
    rounding = 2.0 / np.diff(beginning)[None, looked[1:], None] * _ROUNDED[:, None, None]
    seen = missing | (np.abs(off) > half_width[:, None, :] + rounding)
    gone = missing[ROW["cpu"]]
    symptoms = []
    for place, server in enumerate(without.servers):
        if gone[:, place].any():
            symptoms.append(Symptom(server.hostname, ALL_SERIES, float(times[gone[:, place].argmax()]), 0))
        present = seen[:, :, place] & ~gone[:, place]
        for row in np.flatnonzero(present.any(axis=1)):
            first = present[row].argmax()
            symptoms.append(Symptom(server.hostname, _NAMES[row], float(times[first]), int(np.sign(off[row, first, place]))))
    return symptoms


def _times(start: float, stop: float, end: float) -> Floats:
    """Moments to look at, all whole steps from the start: close together at first and around the fault's end, the last when all is over."""
    steps = max(1, math.ceil((end - start) / _STEP_SECONDS))
    dense = np.arange(min(_DENSE_STEPS, steps), dtype=np.float64)
    sparse = np.ceil(np.geomspace(min(_DENSE_STEPS, steps), steps, _SPARSE_STEPS))
    ending = math.floor((stop - start) / _STEP_SECONDS) + np.arange(_END_STEPS, dtype=np.float64)
    return np.asarray(start + _STEP_SECONDS * np.unique(np.concatenate([dense, sparse, ending])))


def _rates(values: Floats, times: Floats) -> Floats:
    """The figures with each counter replaced by its increase per second since the step before; NaN at the first step of counters."""
    rates = values.copy()
    counters = values[_COUNTERS]
    increase = np.diff(counters, axis=1)
    # A counter that started again has grown from 0.
    increase = np.where(increase < 0.0, counters[:, 1:], increase)
    rates[_COUNTERS, 1:] = increase / np.maximum(np.diff(times), 1.0)[:, None]
    rates[_COUNTERS, 0] = np.nan
    return np.asarray(rates)


def _half_width(usual: Floats) -> Floats:
    """Half width of each series' usual band, from rates before the fault: float64[rows, servers]."""
    along = np.linspace(-1.0, 1.0, usual.shape[1])[None, :, None]
    with warnings.catch_warnings():
        # A series that a server lacks has no mean; its band does not matter.
        warnings.simplefilter("ignore", RuntimeWarning)
        middle = np.nanmean(usual, axis=1)
        residual = usual - middle[:, None, :]
        slope = np.nansum(residual * along, axis=1) / np.sum(along * along)
        # The median, as bursts before the fault say nothing about what is usual.
        spread = _SIGMA_OF_MEDIAN * np.nanmedian(np.abs(residual - slope[:, None, :] * along), axis=1)
    return np.asarray(
        np.nan_to_num(np.maximum(_BAND * spread, np.maximum(_LEAST[:, None], _LEAST_SHARES[:, None] * np.abs(middle))))
    )


def _name(metric: Metric) -> str:
    alike = [other for other in CATALOGUE if other.name == metric.name]
    telling = [label for label in metric.labels if any(label not in other.labels for other in alike)]
    if not telling:
        return metric.name
    return metric.name + "{" + ",".join(f'{name}="{value}"' for name, value in telling) + "}"


_NAMES: Final = tuple(_name(metric) for metric in CATALOGUE)
_COUNTERS: Final = np.flatnonzero([metric.counter for metric in CATALOGUE])
_ROUNDED: Final = np.array([metric.counter and metric.unit != "seconds" for metric in CATALOGUE], dtype=np.float64)
_LEAST: Final = np.array([(_LEAST_OF_RATE if metric.counter else _LEAST_OF_UNIT)[metric.unit] for metric in CATALOGUE])
# A share of a point in time means nothing.
_LEAST_SHARES: Final = np.array([0.0 if metric.unit == "seconds" and not metric.counter else _LEAST_SHARE for metric in CATALOGUE])
