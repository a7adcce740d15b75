"""Whatever goes into a block comes out of it bit for bit."""

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.metrics.adapters.embedded.block import Block, decode, encode, pack
from services.metrics.adapters.embedded.codec import FAST, HAS_PCODEC, Codec
from services.metrics.adapters.embedded.decimals import decimal_places
from services.metrics.adapters.embedded.journal import pack as pack_row
from services.metrics.adapters.embedded.journal import unpack as unpack_row
from services.metrics.adapters.embedded.segments import offsets_of
from services.metrics.domain.ports import MAX_TIME_MS, MIN_TIME_MS, Columns

CODECS = [Codec.ZLIB, Codec.PCODEC] if HAS_PCODEC else [Codec.ZLIB]
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
ROUNDED = st.builds(lambda digits, places: digits / 10.0**places, st.integers(-(10**15), 10**15), st.integers(0, 7))
VALUES = ROUNDED | st.floats() | st.sampled_from([0.0, -0.0, 2.0**63, -(2.0**63), 5e-324, STALE])
TIMES = st.integers(MIN_TIME_MS, MAX_TIME_MS) | st.integers(0, 10).map(lambda step: 1_700_000_000_000 + 10_000 * step)
RUNS = st.lists(st.dictionaries(TIMES, VALUES, min_size=1, max_size=20), min_size=1, max_size=6)


def same_bits(left: NDArray[np.float64], right: NDArray[np.float64]) -> bool:
    return bool(np.array_equal(left.view(np.int64), right.view(np.int64)))


@settings(max_examples=150, deadline=None)
@given(runs=RUNS, first_id=st.integers(1, 2**40), shared=st.booleans(), codec=st.sampled_from(CODECS))
def test_blocks_give_back_what_they_were_given(runs: list[dict[int, float]], first_id: int, shared: bool, codec: Codec) -> None:
    if shared:
        runs = [dict(zip(sorted(runs[0]), [*run.values()] * 20, strict=False)) for run in runs]
    rows = [sorted(run.items()) for run in runs]
    offsets = offsets_of(np.array([len(run) for run in rows], np.int64))
    block = Block(
        np.arange(first_id, first_id + 3 * len(rows), 3, dtype=np.uint64),
        offsets,
        np.array([time for run in rows for time, _ in run], np.int64),
        np.array([value for run in rows for _, value in run], np.float64),
    )
    again = decode(encode(pack(block, decimal_places(block.values, offsets)), codec, FAST))
    assert again.ids.tolist() == block.ids.tolist()
    assert again.offsets.tolist() == offsets.tolist()
    assert again.timestamps_ms.tolist() == block.timestamps_ms.tolist()
    assert same_bits(again.values, block.values)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 2**33) | st.integers(1, 9), TIMES, VALUES), min_size=1, max_size=40))
def test_journal_rows_give_back_what_they_were_given(rows: list[tuple[int, int, float]]) -> None:
    samples = Columns(
        np.array([row[0] for row in rows], np.uint64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
    )
    again = unpack_row(pack_row(samples), {})
    assert again.ids.tolist() == samples.ids.tolist()
    assert again.timestamps_ms.tolist() == samples.timestamps_ms.tolist()
    assert same_bits(again.values, samples.values)
