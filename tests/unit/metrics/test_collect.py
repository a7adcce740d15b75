import numpy as np
import pytest

from services.common.clock import ManualClock
from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.collect import CollectedSeries
from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import Labels, Receipt, StoreLimits
from services.metrics.domain.write import SampleWriter, Source

NOW_MS = 1_700_000_000_000
CPU_A: Labels = (("__name__", "cpu"), ("server", "a"))
CPU_B: Labels = (("__name__", "cpu"), ("server", "b"))


class Fixture:
    def __init__(self, limits: StoreLimits | None = None) -> None:
        self.store = MemoryStore(limits)
        self.receipts: list[tuple[Source, Receipt]] = []
        writer = SampleWriter(self.store, Feed(NOW_MS), ManualClock(NOW_MS / 1000), lambda s, r: self.receipts.append((s, r)))
        self.series = CollectedSeries(self.store, writer, Source.FLEET)

    async def write(self, numbers: list[int], seconds: int = 0) -> int:
        times = np.full(len(numbers), NOW_MS + 1000 * seconds, np.int64)
        return await self.series.write(np.array(numbers, np.uint64), times, np.array(numbers, np.float64))

    async def stored(self) -> dict[str, float]:
        latest = await self.store.latest()
        labels = self.store.labels_of(latest.ids)
        return {dict(of)["server"]: value for of, value in zip(labels, latest.values.tolist(), strict=True)}


async def test_samples_go_to_the_series_that_their_numbers_stand_for() -> None:
    fixture = Fixture()
    fixture.series.define(70, CPU_B)
    fixture.series.define(5, CPU_A)
    assert await fixture.write([70, 5]) == 0
    assert await fixture.stored() == {"a": 5.0, "b": 70.0}
    fixture.series.define(70, CPU_A)
    await fixture.write([70], seconds=10)
    assert await fixture.stored() == {"a": 70.0, "b": 70.0}
    assert {source for source, _ in fixture.receipts} == {Source.FLEET}


async def test_a_series_that_the_store_forgot_is_registered_again() -> None:
    fixture = Fixture()
    fixture.series.define(1, CPU_A)
    fixture.series.define(2, CPU_B)
    await fixture.write([1, 2])
    await fixture.store.delete_series([])
    assert await fixture.write([1, 2], seconds=10) == 0
    assert await fixture.stored() == {"a": 1.0, "b": 2.0}


async def test_series_over_the_limit_are_counted_and_do_not_hold_up_the_others() -> None:
    fixture = Fixture(StoreLimits(max_series=1))
    fixture.series.define(1, CPU_A)
    fixture.series.define(2, CPU_B)
    assert await fixture.write([1, 2]) == 1
    assert await fixture.stored() == {"a": 1.0}


async def test_a_number_without_a_series_is_an_error() -> None:
    fixture = Fixture()
    with pytest.raises(ValueError, match="not defined"):
        await fixture.write([3])


async def test_nothing_is_fine() -> None:
    assert await Fixture().write([]) == 0


@pytest.mark.parametrize("rows", [3, 60_000])
async def test_one_series_after_the_other_and_interleaved_ones_give_the_same(rows: int) -> None:
    stored = []
    for numbers in (np.repeat([9, 4], rows), np.tile([9, 4], rows)):
        fixture = Fixture()
        fixture.series.define(9, CPU_A)
        fixture.series.define(4, CPU_B)
        sent = numbers.astype(np.uint64)
        times = NOW_MS - np.where(numbers == 9, np.cumsum(numbers == 9), np.cumsum(numbers == 4))
        assert await fixture.series.write(sent, times, numbers.astype(np.float64), past=True) == 0
        data = await fixture.store.select([], 0, NOW_MS)
        stored.append([(dict(labels)["server"], data.values[data.offsets[row]]) for row, labels in enumerate(data.labels)])
        assert np.diff(data.offsets).tolist() == [rows, rows]
    assert sorted(stored[0]) == sorted(stored[1]) == [("a", 9.0), ("b", 4.0)]
