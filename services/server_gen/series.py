"""The series of the fleet as a stream numbers and describes them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from openmanager.common.v1 import label_pb2
from services.server_gen.domain.catalogue import CATALOGUE, Metric
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import VirtualServer

Ids = NDArray[np.uint64]

FLEET: Final = "demo"
"""Value of the label `fleet`, by which virtual servers are told from others."""
_ROWS: Final = np.arange(len(CATALOGUE), dtype=np.uint64)


def series_ids(servers: Sequence[VirtualServer]) -> Ids:
    """uint64[len(CATALOGUE), n]: what each series of these servers is called on every stream of one generation."""
    index = np.array([server.index for server in servers], dtype=np.uint64)
    return np.asarray(index * np.uint64(len(CATALOGUE)) + _ROWS[:, None] + np.uint64(1))


def step_columns(ids: Ids, time_ms: int, figures: Floats) -> tuple[Ids, label_pb2.SampleColumns]:
    """The ids that have a sample at one moment, and the samples.

    Args:
        ids: uint64[k, n].
        time_ms: the moment.
        figures: float64[k, n], NaN where there is no sample.
    """
    present = ~np.isnan(figures)
    shown = ids[present]
    return shown, _columns(shown, np.full(len(shown), time_ms, dtype="<i8"), figures[present])


def range_columns(ids: Ids, times_ms: NDArray[np.int64], figures: Floats) -> tuple[Ids, label_pb2.SampleColumns]:
    """The ids that have samples over a range, and the samples: series by series, each in the order of time.

    Args:
        ids: uint64[k, n].
        times_ms: int64[m].
        figures: float64[k, m, n], NaN where there is no sample.
    """
    by_series = figures.swapaxes(1, 2).reshape(ids.size, len(times_ms))
    present = ~np.isnan(by_series)
    counts = present.sum(axis=1)
    times = np.broadcast_to(times_ms, by_series.shape)[present]
    return ids.ravel()[counts > 0], _columns(np.repeat(ids.ravel(), counts), times, by_series[present])


class Definitions:
    """What one stream has told of the series; begins anew with each generation."""

    def __init__(self) -> None:
        self._generation = 0
        self._told: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    def new(self, generation: int, servers: Sequence[VirtualServer], ids: Ids) -> list[label_pb2.SeriesDefinition]:
        """Definitions of those of these ids that were not told before, and are told from now on.

        Args:
            generation: of the fleet.
            servers: of the fleet, in the order of the roster; the first of them where only some are read.
            ids: uint64[k], of series of these servers.
        """
        if generation != self._generation:
            self._generation, self._told = generation, np.zeros(0, dtype=np.bool_)
        if not len(ids):
            return []
        last = int(ids.max())
        if last >= len(self._told):
            self._told = np.concatenate([self._told, np.zeros(last + 1 - len(self._told), dtype=np.bool_)])
        new = ids[~self._told[ids]]
        self._told[new] = True
        by_index = {server.index: server for server in servers}
        return [_definition(series_id, by_index[(series_id - 1) // len(CATALOGUE)]) for series_id in new.tolist()]


def _columns(ids: Ids, times_ms: NDArray[np.int64], values: Floats) -> label_pb2.SampleColumns:
    return label_pb2.SampleColumns(
        series_ids=ids.astype("<u8", copy=False).tobytes(),
        timestamps_ms=times_ms.astype("<i8", copy=False).tobytes(),
        values=values.astype("<f8", copy=False).tobytes(),
    )


def _definition(series_id: int, server: VirtualServer) -> label_pb2.SeriesDefinition:
    metric = CATALOGUE[(series_id - 1) % len(CATALOGUE)]
    return label_pb2.SeriesDefinition(id=series_id, labels=_labels(metric, server))


def _labels(metric: Metric, server: VirtualServer) -> list[label_pb2.Label]:
    pairs = [
        ("__name__", metric.name),
        ("fleet", FLEET),
        ("role", server.role.name),
        ("server", server.hostname),
        ("site", server.site.name),
        *metric.labels,
    ]
    return [label_pb2.Label(name=name, value=value) for name, value in sorted(pairs)]
