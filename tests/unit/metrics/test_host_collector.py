import asyncio
from collections.abc import Iterable, Mapping

from services.common.errors import UnavailableError
from services.metrics.adapters.host import HostCollector
from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.collect import CollectedSeries
from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import Columns, Receipt, WriteMode
from services.metrics.domain.write import SampleWriter, Source

NOW = 1_700_000_000.0


class HurriedClock:
    """Every sleep is over at once, until there have been enough of them."""

    def __init__(self, sleeps: int) -> None:
        self._now = NOW
        self._left = sleeps
        self.over = asyncio.Event()

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if not self._left:
            self.over.set()
            await asyncio.Event().wait()
        self._left -= 1
        self._now += seconds


class FlakyStore(MemoryStore):
    """A store whose writes fail at some times."""

    def __init__(self, fail_at: Iterable[float]) -> None:
        super().__init__()
        self._fail_at = set(fail_at)

    async def append(self, columns: Columns, *, mode: WriteMode = WriteMode.LIVE, now_ms: int) -> Receipt:
        if now_ms / 1000 - NOW in self._fail_at:
            raise UnavailableError("the disk is full", reason="STORE_WRITE_FAILED")
        return await super().append(columns, mode=mode, now_ms=now_ms)


async def collected(readings: list[Mapping[str, float]], fail_at: Iterable[float] = ()) -> dict[str, list[tuple[float, float]]]:
    """(seconds since the start, value) of each series after all readings."""
    clock, store = HurriedClock(len(readings) - 1), FlakyStore(fail_at)
    series = CollectedSeries(store, SampleWriter(store, Feed(0), clock, lambda *_: None), Source.HOST)
    left = iter(readings)
    task = asyncio.create_task(HostCollector(lambda: next(left), series, clock, "here", 10.0, lambda _: None).run())
    await asyncio.wait_for(clock.over.wait(), 10.0)
    task.cancel()
    await asyncio.wait([task])
    data = await store.select([], 0, 2**60)
    found = {}
    for row, labels in enumerate(data.labels):
        assert (dict(labels)["server"], dict(labels)["role"]) == ("here", "host")
        low, high = data.offsets[row : row + 2]
        times = data.timestamps_ms[low:high] / 1000 - NOW
        found[dict(labels)["__name__"]] = list(zip(times.tolist(), data.values[low:high].tolist(), strict=True))
    return found


async def test_the_second_reading_comes_soon_and_the_others_at_the_interval() -> None:
    readings: list[Mapping[str, float]] = [{"memory": 50.0}, *({"memory": 50.0, "cpu": cpu} for cpu in (1.0, 2.0, 3.0))]
    found = await collected(readings)
    assert found["cpu"] == [(1.0, 1.0), (11.0, 2.0), (21.0, 3.0)]
    assert [time for time, _ in found["memory"]] == [0.0, 1.0, 11.0, 21.0]


async def test_a_store_that_cannot_write_costs_no_more_than_the_readings_of_that_time() -> None:
    found = await collected([{"memory": float(number)} for number in range(5)], fail_at=(0.0, 11.0))
    assert found["memory"] == [(1.0, 1.0), (21.0, 3.0), (31.0, 4.0)]


async def test_a_figure_may_come_and_go() -> None:
    found = await collected([{"memory": 1.0}, {"memory": 2.0, "temperature": 60.0}, {}, {"temperature": 61.0}])
    assert found == {"memory": [(0.0, 1.0), (1.0, 2.0)], "temperature": [(1.0, 60.0), (21.0, 61.0)]}
