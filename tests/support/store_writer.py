"""Writes numbered batches into a store until it is killed, and says on standard output which were acknowledged.

Run: `python -m tests.support.store_writer FOLDER FIRST_BATCH`. Batch n has one sample for each series at second n, and every third
batch brings a sample of a minute ago as well. Seals often, so that a kill finds a seal under way.
"""

import asyncio
import sys
from pathlib import Path

import numpy as np

from services.metrics.adapters.embedded import EmbeddedOptions, EmbeddedStore
from services.metrics.domain.ports import Columns, IdArray
from tests.support.samples import NOW_MS, series

SERIES = 200
WRITERS = 4


def batch_of(ids: IdArray, number: int) -> Columns:
    """The samples of a batch; their value is the number of the batch."""
    times = np.full(len(ids), NOW_MS + number * 1000)
    if number % 3 == 0:
        ids, times = np.append(ids, ids[number % len(ids)]), np.append(times, NOW_MS + number * 1000 - 60_500)
    return Columns(ids, times, np.full(len(ids), float(number)))


async def write(folder: Path, first: int) -> None:
    options = EmbeddedOptions(seal_samples=5_000, seal_strays=40, repeat_rows=100, direct_rows=10**9)
    store = await EmbeddedStore.open(folder, options=options)
    ids = (await store.register([series("m", i=str(i)) for i in range(SERIES)])).ids
    numbers = iter(range(first, 10**9))

    async def writer() -> None:
        for number in numbers:
            receipt = await store.append(batch_of(ids, number), now_ms=NOW_MS + number * 1000)
            assert receipt.rejected + receipt.late == 0
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    await asyncio.gather(*(writer() for _ in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2])))
