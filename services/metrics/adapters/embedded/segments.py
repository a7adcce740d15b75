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
    ends = np.cumsum(counts)
    held = counts > 0
    if not held.all():
        position, counts, ends = position[held], counts[held], ends[held]
    starts = ends - counts
    # Runs are ascending, so their first and last times tell whether anything overlaps or lies outside: no look at single rows.
    first_ms, last_ms = times[starts], times[ends - 1]
    order = np.lexsort((first_ms, position))
    if len(order) > 1 and bool((order[1:] < order[:-1]).any()):
        rows = row_numbers(starts[order], counts[order])
        times, values = times[rows], values[rows]
        position, counts, first_ms, last_ms = position[order], counts[order], first_ms[order], last_ms[order]
    overlap = (first_ms[1:] <= last_ms[:-1]) & (position[1:] == position[:-1])
    if not overlap.any() and int(first_ms.min()) >= start_ms and int(last_ms.max()) <= end_ms:
        first = runs_of(position)
        return Rows(position[first], np.append(offsets_of(counts)[first], len(times)), times, values)
    row_position = np.repeat(position, counts)
    inside = (times >= start_ms) & (times <= end_ms)
    times, values, row_position = times[inside], values[inside], row_position[inside]
    if bool(((times[1:] <= times[:-1]) & (row_position[1:] == row_position[:-1])).any()):
        times, values, row_position = _sort_rows(times, values, row_position)
    first = runs_of(row_position)
    return Rows(row_position[first], np.append(first, len(times)).astype(np.int64), times, values)


def _sort_rows(times: TimeArray, values: ValueArray, position: Positions) -> tuple[TimeArray, ValueArray, Positions]:
    order = np.lexsort((times, position))
    times, values, position = times[order], values[order], position[order]
    keep = np.ones(len(times), np.bool_)
    keep[1:] = (times[1:] != times[:-1]) | (position[1:] != position[:-1])
    return times[keep], values[keep], position[keep]
