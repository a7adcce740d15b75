"""Writes two series, deletes one, says so, and waits to be killed: `python -m tests.support.store_deleter FOLDER sealed|journalled`."""

import asyncio
import sys
from pathlib import Path

import numpy as np

from services.metrics.adapters.embedded import EmbeddedStore
from services.metrics.domain.ports import Columns, WriteMode
from tests.support.samples import NOW_MS, equal, series

ROWS = 1_000
BULK = 40_000
"""Enough to go straight into blocks."""


async def main(folder: Path, sealed: bool) -> None:
    store = await EmbeddedStore.open(folder)
    ids = (await store.register([series("kept"), series("gone")])).ids
    for series_id in ids:
        times = NOW_MS - np.arange(ROWS)[::-1] * 1000
        await store.append(Columns(np.full(ROWS, series_id), times, np.ones(ROWS)), now_ms=NOW_MS)
    past = NOW_MS - 86_400_000 - np.arange(BULK)[::-1] * 1000
    await store.append(Columns(np.full(BULK, ids[1]), past, np.ones(BULK)), mode=WriteMode.IMPORT, now_ms=NOW_MS)
    if sealed:
        await store.flush()
    assert await store.delete_series([equal("__name__", "gone")]) == 1
    sys.stdout.write("deleted\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] == "sealed"))
