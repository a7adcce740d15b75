"""What the streams of the virtual fleet have in common."""

import asyncio
from collections.abc import Sequence
from typing import Final

from openmanager.common.v1 import label_pb2
from services.metrics import wire
from services.metrics.domain.collect import CollectedSeries
from services.metrics.domain.ports import Columns

_LOOP_DEFINITIONS: Final = 1_000
"""Messages that define more series than this are read in a thread; each costs some microseconds."""
_MAX_SAMPLES: Final = 4_000_000


async def define(series: CollectedSeries, definitions: Sequence[label_pb2.SeriesDefinition]) -> None:
    """Tell a collector's series what their numbers stand for."""

    def work() -> None:
        for definition in definitions:
            series.define(definition.id, tuple(sorted(wire.pairs_of(definition.labels))))

    if len(definitions) <= _LOOP_DEFINITIONS:
        work()
    else:
        await asyncio.to_thread(work)


def samples_of(message: label_pb2.SampleColumns) -> Columns:
    """The samples of one message.

    Raises:
        InvalidArgumentError: columns that cannot be read.
    """
    return wire.columns_of(message, max_samples=_MAX_SAMPLES)
