"""Writes numbered batches through the way of all samples, store and queue, until it is killed; tells which were acknowledged.

Run: `python -m tests.support.forwarding_writer FOLDER URL FIRST_BATCH`. Batch n has one sample of value n for each series at second n.
"""

import asyncio
import sys
from pathlib import Path

import numpy as np
import structlog

from services.common.clock import ManualClock, SystemClock
from services.common.telemetry import Telemetry
from services.metrics.adapters.embedded import EmbeddedStore
from services.metrics.adapters.remote_write_out.forwarder import RemoteWriteForwarder
from services.metrics.adapters.remote_write_out.options import RemoteWriteOptions
from services.metrics.domain.feed import Feed
from services.metrics.domain.ports import Columns
from services.metrics.domain.write import SampleWriter, Source
from tests.support.samples import NOW_MS, series

SERIES = 50
WRITERS = 4


async def write(folder: Path, url: str, first: int) -> None:
    store = await EmbeddedStore.open(folder)
    ids = (await store.register([series("m", i=str(i)) for i in range(SERIES)])).ids
    options = RemoteWriteOptions(url, backoff_seconds=0.02, max_backoff_seconds=0.1)
    forwarder = await RemoteWriteForwarder.open(folder, options, store, SystemClock(), Telemetry("metrics"))
    sending = asyncio.create_task(forwarder.run())
    writer = SampleWriter(store, Feed(NOW_MS), ManualClock(NOW_MS / 1000 + 80_000), lambda _source, _receipt: None, forwarder)
    numbers = iter(range(first, 10**9))

    async def work() -> None:
        for number in numbers:
            batch = Columns(ids.copy(), np.full(SERIES, NOW_MS + number * 1000), np.full(SERIES, float(number)))
            receipt = await writer.write(batch, Source.RPC)
            assert receipt.rejected + receipt.late == 0
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    await asyncio.gather(sending, *(work() for _ in range(WRITERS)))


if __name__ == "__main__":
    # Standard output is for the acknowledgements.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
