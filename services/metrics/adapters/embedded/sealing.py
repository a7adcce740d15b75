"""Packs rows into blocks: like series together, long histories cut along time."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.block import Block, Packed, checksum, encode, pack
from services.metrics.adapters.embedded.catalog import LAST_LEVEL, NewBlock, Span
from services.metrics.adapters.embedded.codec import FAST, best_codec
from services.metrics.adapters.embedded.decimals import RAW, decimal_places, integers_of
from services.metrics.adapters.embedded.frames import FrameView, transposed
from services.metrics.adapters.embedded.head import Head, copied
from services.metrics.adapters.embedded.segments import Positions, Rows, merge, offsets_of, row_numbers, runs_of
from services.metrics.adapters.embedded.table import SeriesTable
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS, Columns, IdArray, TimeArray

MAX_BLOCK_ROWS: Final = 65_536
"""Of all series of a block a short time is decoded with the whole, so this bounds what a short query of a long history costs."""

_SEAL_ROWS_AT_ONCE: Final = 131_072


def seal_order(table: SeriesTable, samples: int) -> list[Positions]:
    """All slots, like series together, in portions of whole groups that are worked on one after the other.

    A portion's columns stay in the processor's cache and out of the peak of memory.
    """
    slots = table.living()
    slots = slots[np.lexsort((table.ids[slots], table.groups[slots]))]
    first = runs_of(table.groups[slots])
    groups_at_once = max(1, _SEAL_ROWS_AT_ONCE * len(first) // max(1, samples))
    return np.split(slots, first[groups_at_once::groups_at_once])


@dataclass(frozen=True, slots=True)
class Sealed:
    """Rows of different series that became blocks, and the span of each series in them: columns of equal length."""

    blocks: list[NewBlock]
    slots: Positions
    first_ms: TimeArray
    last_ms: TimeArray
    last_value: NDArray[np.float64]


def seal_head(table: SeriesTable, head: Head) -> Iterator[Sealed]:
    """Everything that a head holds, portion by portion."""
    for slots in seal_order(table, head.samples):
        parts = head.parts(slots, MIN_TIME_MS, MAX_TIME_MS)
        times_found = np.zeros(len(slots), np.intp)
        for part in parts:
            times_found[part.position] += 1
        rest = times_found > 0
        for part in parts:
            if isinstance(part, FrameView) and (times := part.shared_times()) is not None:
                alone = times_found[part.position] == 1
                position = part.position[alone]
                if len(position):
                    rest[position] = False
                    yield _seal_table(table, slots[position], times, transposed(part.values, part.columns[alone]))
        if rest.any():
            others = slots[rest]
            rows = merge(copied(head.parts(others, MIN_TIME_MS, MAX_TIME_MS)), MIN_TIME_MS, MAX_TIME_MS)
            yield seal_rows(table, others, rows)


def seal_rows(table: SeriesTable, slots: Positions, rows: Rows, effort: int = FAST) -> Sealed:
    """Blocks with all the rows, whose positions index `slots`; every run ascending in time, one run a series."""
    own, last = slots[rows.position], rows.offsets[1:] - 1
    blocks = build_blocks(table.ids[own], table.groups[own], rows, effort)
    return Sealed(blocks, own, rows.timestamps_ms[rows.offsets[:-1]], rows.timestamps_ms[last], rows.values[last])


def _seal_table(table: SeriesTable, slots: Positions, times: TimeArray, values: NDArray[np.float64]) -> Sealed:
    """As `seal_rows` for f64[series, times], series of one group side by side: without looking at single samples."""
    ids, groups = table.ids[slots], table.groups[slots]
    first_ms = np.full(len(slots), times[0])
    sealed = Sealed([], slots, first_ms, np.full(len(slots), times[-1]), values[:, -1].copy())
    bounds = [*runs_of(groups).tolist(), len(slots)]
    parts = -(-int(np.diff(bounds).max()) * len(times) // MAX_BLOCK_ROWS)
    cuts = [part * len(times) // parts for part in range(parts + 1)]
    for begin, end in itertools.pairwise(cuts):
        part = np.ascontiguousarray(values[:, begin:end])
        places, integers = integers_of(part, table.places[slots])
        table.places[slots] = places
        own_times = times[begin:end]
        steps = np.diff(own_times, prepend=own_times[0])
        firsts = integers[:, 0].copy()
        differences = np.empty_like(integers)
        np.subtract(integers[:, 1:], integers[:, :-1], out=differences[:, 1:])
        differences[:, 0] = 0
        for low, high in itertools.pairwise(bounds):
            own = places[low:high]
            decimal = own != RAW
            packed = Packed(
                ids[low:high],
                np.full(high - low, end - begin),
                own,
                True,
                own_times[:1],
                steps,
                firsts[low:high][decimal],
                (differences[low:high] if decimal.all() else differences[low:high][decimal]).ravel(),
                part[low:high][~decimal].ravel(),
            )
            bound_ms = int(own_times[0]), int(own_times[-1])
            sealed.blocks.append(new_block(int(groups[low]), packed, bound_ms, FAST, 0))
    return sealed


def new_block(group_id: int, packed: Packed, bound_ms: tuple[int, int], effort: int, level: int) -> NewBlock:
    """A block to be stored: at this level, or at the last one when it is large enough not to be merged any more."""
    data = encode(packed, best_codec(), effort)
    samples = int(packed.counts.sum())
    level = LAST_LEVEL if samples >= MAX_BLOCK_ROWS // 2 else min(level, LAST_LEVEL - 1)
    return NewBlock(group_id, *bound_ms, samples, checksum(data), data, level)


def build_blocks(ids: IdArray, groups: Positions, rows: Rows, effort: int, level: int = 0) -> list[NewBlock]:
    """Blocks with all the rows, given id and group of each run; every run ascending in time, one run a series."""
    if not len(ids):
        return []
    order = np.lexsort((ids, groups))
    ids, groups = ids[order], groups[order]
    starts, counts = rows.offsets[:-1][order], rows.counts[order]
    part = np.zeros(len(order), np.int64)
    if int(np.add.reduceat(counts, runs_of(groups)).max()) > MAX_BLOCK_ROWS:
        run, part, starts, counts = _cut(groups, starts, counts, rows.timestamps_ms)
        ids, groups = ids[run], groups[run]
    numbers = row_numbers(starts, counts)
    times, values = rows.timestamps_ms[numbers], rows.values[numbers]
    offsets = offsets_of(counts)
    places = decimal_places(values, offsets)

    first_runs = np.flatnonzero(np.concatenate([[True], (groups[1:] != groups[:-1]) | (part[1:] != part[:-1])]))
    blocks = []
    for start, end in zip(first_runs.tolist(), [*first_runs[1:].tolist(), len(ids)], strict=True):
        first, last = int(offsets[start]), int(offsets[end])
        block = Block(ids[start:end], offsets[start : end + 1] - first, times[first:last], values[first:last])
        bound_ms = int(block.times.min()), int(block.times.max())
        blocks.append(new_block(int(groups[start]), pack(block, places[start:end]), bound_ms, effort, level))
    return blocks


def build_spans(
    table: SeriesTable, touched: Positions, first_ms: TimeArray, sealed_ms: TimeArray, sealed_value: NDArray[np.float64]
) -> list[Span]:
    """Spans of the groups that these slots belong to, given what the blocks hold: columns indexed by slot."""
    slots = table.living()
    slots = slots[slots < len(first_ms)]  # the others have come since these columns were copied
    in_blocks = (sealed_ms[slots] >= first_ms[slots]) & np.isin(table.groups[slots], table.groups[touched])
    slots = slots[in_blocks]
    slots = slots[np.lexsort((table.ids[slots], table.groups[slots]))]
    groups = table.groups[slots]
    spans = []
    first = runs_of(groups).tolist()
    for start, end in zip(first, [*first[1:], len(slots)], strict=True):
        own = slots[start:end]
        newest = Columns(table.ids[own], sealed_ms[own], sealed_value[own])
        spans.append(Span(int(groups[start]), first_ms[own], newest))
    return spans


Cut = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _cut(groups: NDArray[np.int64], starts: NDArray[np.int64], counts: NDArray[np.int64], times: TimeArray) -> Cut:
    """Runs cut so that each part of a group is a block: run of origin, part, start and count of each piece, part by part."""
    pieces = [np.stack(piece) for piece in _cut_groups(groups, starts, counts, times)]
    run, part, start, count = np.concatenate(pieces, axis=1)
    held = count > 0
    return run[held], part[held], start[held], count[held]


def _cut_groups(groups: NDArray[np.int64], starts: NDArray[np.int64], counts: NDArray[np.int64], times: TimeArray) -> Iterator[Cut]:
    first = runs_of(groups).tolist()
    for begin, end in zip(first, [*first[1:], len(groups)], strict=True):
        own_starts, own_counts = starts[begin:end], counts[begin:end]
        runs = np.arange(begin, end)
        parts = -(-int(own_counts.sum()) // MAX_BLOCK_ROWS)
        # All series of the group are cut at the same times: those at equal steps through its longest series.
        longest = int(own_counts.argmax())
        marks = own_starts[longest] + np.arange(1, parts) * own_counts[longest] // parts
        bounds = times[marks]
        cuts = np.stack(
            [
                np.concatenate([[0], np.searchsorted(times[start : start + count], bounds), [count]])
                for start, count in zip(own_starts.tolist(), own_counts.tolist(), strict=True)
            ]
        )
        yield (
            np.tile(runs, parts),
            np.repeat(np.arange(parts), len(runs)),
            (own_starts[:, None] + cuts[:, :-1]).T.ravel(),
            np.diff(cuts, axis=1).T.ravel(),
        )
