import asyncio

import numpy as np

from services.common.clock import ManualClock
from services.common.errors import UnavailableError
from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import Columns
from services.metrics.domain.retention import keep_retention
from services.metrics.domain.write import SampleWriter

NOW = 1_700_000_000.0


class FailsOnce(MemoryStore):
    failed = False

    async def delete_before(self, time_ms: int) -> int:
        if not self.failed:
            self.failed = True
            raise UnavailableError("the disk is full", reason="STORE_WRITE_FAILED")
        return await super().delete_before(time_ms)


async def test_old_samples_go_and_a_failure_is_made_up_for() -> None:
    clock, store = ManualClock(NOW), FailsOnce()
    ids = (await store.register([(("__name__", "old"),), (("__name__", "new"),)])).ids
    times = np.array([round(NOW * 1000) - 9_000_000, round(NOW * 1000)])
    await store.append(Columns(ids, times, np.zeros(2)), now_ms=round(NOW * 1000))
    writer = SampleWriter(store, Feed(0), clock, lambda *_: None)
    task = asyncio.create_task(keep_retention(writer, clock, 7_200_000))
    await clock.advance(3599)
    assert len(await store.latest()) == 2
    await clock.advance(2)
    assert (await store.latest()).ids.tolist() == [int(ids[1])]
    task.cancel()
    await asyncio.wait([task])
