"""Runs of rows that belong to one series, and how runs from several places become one table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.metrics.domain.ports import TimeArray, ValueArray

Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples in compressed sparse rows: run i belongs to series `position[i]` and has rows `offsets[i]:offsets[i + 1]`.

    Positions index whatever list of series the maker was asked about. Every run is ascending in time.
    """

    position: Positions
    offsets: NDArray[np.int64]
    timestamps_ms: TimeArray
    values: ValueArray

    @property
    def samples(self) -> int:
        """Rows of all runs."""
        return len(self.timestamps_ms)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each run."""
        return np.diff(self.offsets)


def row_numbers(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers `start, start + 1, …` of each run, one run after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - counts), counts) + np.arange(total, dtype=np.int64)


def offsets_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cumulated counts with a zero in front."""
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def runs_of(sorted_keys: NDArray[np.intp]) -> NDArray[np.int64]:
    """Where each run of equal keys starts; keys must be grouped."""
    if not len(sorted_keys):
        return np.empty(0, np.int64)
    return np.concatenate([np.zeros(1, np.int64), np.flatnonzero(sorted_keys[1:] != sorted_keys[:-1]) + 1])


def merge(pieces: list[Rows], start_ms: int, end_ms: int) -> Rows:
    """One run for each position, ascending in position and time, cut to start_ms <= time <= end_ms.

    Pieces may overlap in time; a time that comes twice for a series is kept once.
    """
    pieces = [piece for piece in pieces if len(piece.timestamps_ms)]
    if not pieces:
        none = np.empty(0, np.int64)
        return Rows(np.empty(0, np.intp), np.zeros(1, np.int64), none, np.empty(0, np.float64))
    position = np.concatenate([piece.position for piece in pieces])
    counts = np.concatenate([piece.counts for piece in pieces])
    times = np.concatenate([piece.timestamps_ms for piece in pieces]) if len(pieces) > 1 else pieces[0].timestamps_ms
    values = np.concatenate([piece.values for piece in pieces]) if len(pieces) > 1 else pieces[0].values
    starts = np.cumsum(counts) - counts
    order = np.lexsort((times[np.minimum(starts, len(times) - 1)], position))
    if len(order) > 1 and np.any(order[1:] < order[:-1]):
        rows = row_numbers(starts[order], counts[order])
        times, values = times[rows], values[rows]
        position, counts = position[order], counts[order]
    row_position = np.repeat(position, counts)
    if int(times.min()) < start_ms or int(times.max()) > end_ms:
        inside = (times >= start_ms) & (times <= end_ms)
        times, values, row_position = times[inside], values[inside], row_position[inside]
    out_of_order = (times[1:] <= times[:-1]) & (row_position[1:] == row_position[:-1])
    if out_of_order.any():
        times, values, row_position = _sort_rows(times, values, row_position)
    first = runs_of(row_position)
    return Rows(row_position[first], np.append(first, len(times)).astype(np.int64), times, values)


def _sort_rows(times: TimeArray, values: ValueArray, position: Positions) -> tuple[TimeArray, ValueArray, Positions]:
    order = np.lexsort((times, position))
    times, values, position = times[order], values[order], position[order]
    keep = np.ones(len(times), np.bool_)
    keep[1:] = (times[1:] != times[:-1]) | (position[1:] != position[:-1])
    return times[keep], values[keep], position[keep]
