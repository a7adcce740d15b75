"""Answers of InfluxDB as rows of known series."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.metrics.adapters.influxdb.client import Series
from services.metrics.adapters.influxdb.names import labels_of
from services.metrics.domain.ports import IdArray, Labels, TimeArray, ValueArray


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of one series, ascending in time."""

    times: TimeArray
    values: ValueArray


def labels(series: Series) -> Labels:
    """Whose rows these are."""
    return labels_of(series.name, series.tags)


def piece(series: Series) -> Piece | None:
    """The rows as samples; None when the field does not hold numbers, and so is not of our writing."""
    is_bits = series.statement % 2 == 1
    try:
        if is_bits:
            rows = np.array(series.rows, np.int64)
            return Piece(rows[:, 0].copy(), rows[:, 1].copy().view(np.float64))
        numbers = np.array(series.rows, np.float64)  # times in ms are far below 2^53
        return Piece(numbers[:, 0].astype(np.int64), numbers[:, 1].copy())
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


class Collector:
    """Gathers the pieces of many series, and puts each series in order."""

    def __init__(self, wanted: Callable[[Labels], int]) -> None:
        self._wanted = wanted
        self._pieces: dict[int, list[Piece]] = {}
        self.samples = 0

    def take(self, series: Series) -> None:
        """Take the rows of a series that `wanted` gives an id for; others are left out."""
        series_id = self._wanted(labels(series))
        if not series_id:
            return
        found = piece(series)
        if found is not None:
            self._pieces.setdefault(series_id, []).append(found)
            self.samples += len(found.times)

    def columns(self) -> "Gathered":
        """All rows: series ascending by id, times ascending within each and each time once."""
        ids = sorted(self._pieces)
        ordered = [_ordered(self._pieces[series_id]) for series_id in ids]
        counts = [len(one.times) for one in ordered]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
        none = Piece(np.empty(0, np.int64), np.empty(0, np.float64))
        times = np.concatenate([one.times for one in ordered or [none]])
        values = np.concatenate([one.values for one in ordered or [none]])
        return Gathered(np.array(ids, np.uint64), offsets, times, values)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Compressed sparse rows: series i has rows `offsets[i]:offsets[i + 1]`."""

    ids: IdArray
    offsets: TimeArray
    times: TimeArray
    values: ValueArray

    def row_ids(self) -> IdArray:
        """The id of each row."""
        return np.repeat(self.ids, np.diff(self.offsets))


def _ordered(pieces: list[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    times = np.concatenate([one.times for one in pieces])
    values = np.concatenate([one.values for one in pieces])
    if (times[1:] > times[:-1]).all():
        return Piece(times, values)
    _, first = np.unique(times, return_index=True)
    return Piece(times[first], values[first])
