"""Small blocks of a group become one large one, which is smaller, and faster to read over a long time."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from services.metrics.adapters.embedded.block import VERSION, Integers, Packed, checksum, decode, decode_packed
from services.metrics.adapters.embedded.catalog import Catalog, NewBlock
from services.metrics.adapters.embedded.codec import GOOD
from services.metrics.adapters.embedded.decimals import RAW
from services.metrics.adapters.embedded.sealing import MAX_BLOCK_ROWS, build_blocks, new_block
from services.metrics.adapters.embedded.segments import Rows, merge, offsets_of, row_numbers
from services.metrics.adapters.embedded.table import SeriesTable
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS


def merge_step(table: SeriesTable, catalog: Catalog, groups: int, blocks: int, samples: int, on_bad: Callable[[int], None]) -> int:
    """Merge the blocks of up to `groups` groups of which there are at least `blocks`, or that have `samples`; gives the merges.

    Raises:
        sqlite3.Error: the disk does not take it; nothing is lost.
    """
    replaced: list[int] = []
    made: list[NewBlock] = []
    merged = 0
    for group_id, level in catalog.small_blocks(blocks, samples):
        read = catalog.blocks_of(group_id, level)
        sound = [(number, data) for number, crc, data in read if checksum(data) == crc]
        for number in {number for number, _, _ in read} - {number for number, _ in sound}:
            on_bad(number)
        if len(sound) < 2:
            continue
        replaced += [number for number, _ in sound]
        made += _merged(table, group_id, level, [data for _, data in sound])
        merged += 1
        if merged == groups:
            break
    # A deletion that came in between has made it void; the next step finds what is left to do.
    return merged if merged and catalog.replace_blocks(replaced, made) else 0


def _merged(table: SeriesTable, group_id: int, level: int, blocks: Sequence[bytes]) -> list[NewBlock]:
    packed = [decode_packed(data) for data in blocks if data[0] == VERSION]
    if len(packed) == len(blocks) and _fit_together(packed) and bool((table.slots(packed[0].ids) >= 0).all()):
        return _appended(group_id, level, packed)
    pieces = []
    for data in blocks:
        block = decode(data)
        pieces.append(Rows(block.ids.astype(np.intp), block.offsets, block.timestamps_ms, block.values))
    rows = merge(pieces, MIN_TIME_MS, MAX_TIME_MS)
    # Series that were deleted since are left out. A place is an id here, for slots may change their meaning meanwhile.
    ids = rows.position.astype(np.uint64)
    living = np.flatnonzero(table.slots(ids) >= 0)
    if len(living) < len(ids):
        counts = rows.counts[living]
        numbers = row_numbers(rows.offsets[living], counts)
        rows = Rows(rows.position[living], offsets_of(counts), rows.timestamps_ms[numbers], rows.values[numbers])
        ids = ids[living]
    return build_blocks(ids, np.full(len(ids), group_id), rows, GOOD, level + 1)


def _fit_together(packed: Sequence[Packed]) -> bool:
    """Whether the blocks are of the same series at common times, packed alike, one after the other."""
    first = packed[0]
    end = None
    for own in packed:
        if not own.shared or len(own.ids) != len(first.ids):
            return False
        if not (bool((own.ids == first.ids).all()) and bool((own.places == first.places).all())):
            return False
        if end is not None and int(own.first_times[0]) <= end:
            return False
        end = int(own.first_times[0] + own.time_steps.sum())
    return True


def _appended(group_id: int, level: int, packed: Sequence[Packed]) -> list[NewBlock]:
    """Blocks that fit together, joined and cut anew, without going through doubles."""
    first = packed[0]
    series, raw = len(first.ids), int(np.count_nonzero(first.places == RAW))
    integers = np.concatenate([_absolute(own, series - raw) for own in packed], axis=1)
    doubles = np.concatenate([own.doubles.reshape(raw, int(own.counts[0])) for own in packed], axis=1)
    times = np.concatenate([np.cumsum(own.time_steps) + own.first_times[0] for own in packed])
    parts = -(-series * len(times) // MAX_BLOCK_ROWS)
    bounds = [part * len(times) // parts for part in range(parts + 1)]
    blocks = []
    for begin, end in itertools.pairwise(bounds):
        part = integers[:, begin:end]
        steps = np.zeros_like(part)
        np.subtract(part[:, 1:], part[:, :-1], out=steps[:, 1:])
        own_times = times[begin:end]
        joined = Packed(
            first.ids,
            np.full(series, end - begin),
            first.places,
            True,
            own_times[:1],
            np.diff(own_times, prepend=own_times[0]),
            part[:, 0].copy(),
            steps.ravel(),
            doubles[:, begin:end].ravel(),
        )
        blocks.append(new_block(group_id, joined, (int(own_times[0]), int(own_times[-1])), GOOD, level + 1))
    return blocks


def _absolute(packed: Packed, series: int) -> Integers:
    """i64[series, times], the integers of decimal series."""
    table = packed.integer_steps.reshape(series, int(packed.counts[0])).copy()
    table[:, 0] = packed.first_integers
    return np.cumsum(table, axis=1)
