"""The embedded store against a dictionary, over random histories with seals, restarts and late samples."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.adapters.embedded import EmbeddedOptions, EmbeddedStore
from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.ports import WriteMode
from tests.support.samples import DAY_MS, NOW_MS, by_id, columns, everything, register

SERIES = [f"m{i}" for i in range(4)]


@dataclass(frozen=True)
class Append:
    rows: list[tuple[int, int, float]]
    mode: WriteMode


@dataclass(frozen=True)
class Select:
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class DeleteBefore:
    time_ms: int


@dataclass(frozen=True)
class Seal:
    pass


@dataclass(frozen=True)
class Merge:
    pass


@dataclass(frozen=True)
class Tick:
    """All series at once, a little after whatever they have."""

    after_s: int


@dataclass(frozen=True)
class Restart:
    pass


TIMES = st.integers(-40, 40).map(lambda step: NOW_MS + step * 7_000) | st.integers(-3 * DAY_MS, DAY_MS).map(lambda d: NOW_MS + d)
VALUES = st.sampled_from([0.0, -0.0, 1.0, 41.7, 1e18, -3.25, 0.1 + 0.2]) | st.floats(allow_nan=True, allow_infinity=True)
ROWS = st.lists(st.tuples(st.integers(1, len(SERIES) + 1), TIMES, VALUES), min_size=1, max_size=60)
STEPS = st.lists(
    st.builds(Append, ROWS, st.sampled_from(WriteMode))
    | st.builds(Select, TIMES, TIMES)
    | st.builds(DeleteBefore, st.integers(-2 * DAY_MS, -DAY_MS).map(lambda d: NOW_MS + d))
    | st.builds(lambda time_ms, value: Append([(i + 1, time_ms, value) for i in range(len(SERIES))], WriteMode.LIVE), TIMES, VALUES)
    | st.builds(Tick, st.integers(0, 50))
    | st.just(Seal())
    | st.just(Merge())
    | st.just(Restart()),
    max_size=16,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, direct=st.booleans())
def test_it_holds_what_a_dictionary_would(
    steps: list[Append | Tick | Select | DeleteBefore | Seal | Merge | Restart], direct: bool
) -> None:
    options = (
        EmbeddedOptions(direct_rows=8, direct_rows_per_series=2)
        if direct
        else EmbeddedOptions(seal_samples=100, seal_strays=20, repeat_rows=1)
    )

    async def play(folder: Path) -> None:
        model = MemoryStore()
        store = await EmbeddedStore.open(folder, options=options)
        assert (await register(store, *SERIES)).tolist() == (await register(model, *SERIES)).tolist()
        tick_ms = NOW_MS
        for step in [*steps, Restart()]:
            match step:
                case Tick(after_s):
                    tick_ms = max([tick_ms, *(await model.latest()).timestamps_ms.tolist()]) + after_s
                    if tick_ms > NOW_MS + model.limits.future_ms:
                        continue
                    rows = [(i + 1, tick_ms, float(after_s)) for i in range(len(SERIES))]
                    expected = await model.append(columns(rows), now_ms=NOW_MS)
                    receipt = await store.append(columns(rows), now_ms=NOW_MS)
                    assert receipt.mask.tolist() == expected.mask.tolist()
                case Merge():
                    await store.compact()
                case Append(rows, mode):
                    expected = await model.append(columns(rows), mode=mode, now_ms=NOW_MS)
                    receipt = await store.append(columns(rows), mode=mode, now_ms=NOW_MS)
                    assert receipt.mask.tolist() == expected.mask.tolist()
                    assert receipt.errors == expected.errors
                    assert (receipt.duplicate, receipt.late) == (expected.duplicate, expected.late)
                case Select(start_ms, end_ms):
                    selected = await store.select([], start_ms, end_ms)
                    assert repr(by_id(selected)) == repr(by_id(await model.select([], start_ms, end_ms)))
                case DeleteBefore(time_ms):
                    assert await store.delete_before(time_ms) == await model.delete_before(time_ms)
                case Seal():
                    await store.flush()
                case Restart():
                    await store.close()
                    store = await EmbeddedStore.open(folder, options=options)
            newest, expected_newest = await store.latest(), await model.latest()
            assert newest.ids.tolist() == expected_newest.ids.tolist()
            assert newest.timestamps_ms.tolist() == expected_newest.timestamps_ms.tolist()
            assert newest.values.view(np.int64).tolist() == expected_newest.values.view(np.int64).tolist()
        assert repr(await everything(store)) == repr(await everything(model)), "compared as text, because 0.0 equals -0.0"
        await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))
