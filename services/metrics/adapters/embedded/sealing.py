"""Packs rows into blocks: like series together, long histories cut along time."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.adapters.embedded.block import Block, checksum, encode
from services.metrics.adapters.embedded.catalog import NewBlock, Span
from services.metrics.adapters.embedded.codec import best_codec
from services.metrics.adapters.embedded.decimals import decimal_places
from services.metrics.adapters.embedded.segments import Positions, Rows, offsets_of, row_numbers, runs_of
from services.metrics.adapters.embedded.table import SeriesTable
from services.metrics.domain.ports import Columns, TimeArray

MAX_BLOCK_ROWS: Final = 32_768
"""A block is decoded as a whole, so this bounds what a short query of a long history costs (about 0.3 ms)."""

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


def build_blocks(table: SeriesTable, slots: Positions, rows: Rows) -> list[NewBlock]:
    """Blocks with all the rows, whose positions index `slots`; every run ascending in time, one run a series."""
    if not len(rows.position):
        return []
    own = slots[rows.position]
    ids, groups = table.ids[own], table.groups[own]
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
    codec = best_codec()

    first_runs = np.flatnonzero(np.concatenate([[True], (groups[1:] != groups[:-1]) | (part[1:] != part[:-1])]))
    blocks = []
    for start, end in zip(first_runs.tolist(), [*first_runs[1:].tolist(), len(ids)], strict=True):
        first, last = int(offsets[start]), int(offsets[end])
        block = Block(ids[start:end], offsets[start : end + 1] - first, times[first:last], values[first:last])
        data = encode(block, places[start:end], codec)
        start_ms, end_ms = int(block.timestamps_ms.min()), int(block.timestamps_ms.max())
        blocks.append(NewBlock(int(groups[start]), start_ms, end_ms, last - first, checksum(data), data))
    return blocks


def build_spans(
    table: SeriesTable, touched: Positions, first_ms: TimeArray, sealed_ms: TimeArray, sealed_value: NDArray[np.float64]
) -> list[Span]:
    """Spans of the groups that these slots belong to, given what the blocks hold: columns indexed by slot."""
    slots = table.living()
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
