"""Collects the figures of the machine that the service runs on."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import structlog

from services.common.clock import Clock
from services.common.errors import UnavailableError
from services.metrics.domain.collect import CollectedSeries

log = structlog.get_logger("metrics.host")

FIRST_INTERVAL_SECONDS: Final = 1.0
"""CPU use is measured between two readings, and nobody wants to wait a whole interval for the first."""
ROLE: Final = "host"


class HostCollector:
    """Reads this machine at each interval and writes what it read.

    Args:
        read: gives the figures by name; called in a thread, never twice at once.
        series: takes the samples.
        clock: gives times and waits.
        host: value of the label `server`.
        interval_seconds: distance between readings.
        on_refused: is told how many figures the store would not take at each reading.
    """

    def __init__(
        self,
        read: Callable[[], Mapping[str, float]],
        series: CollectedSeries,
        clock: Clock,
        host: str,
        interval_seconds: float,
        on_refused: Callable[[int], None],
    ) -> None:
        self._read = read
        self._series = series
        self._clock = clock
        self._host = host
        self._interval_seconds = interval_seconds
        self._on_refused = on_refused
        self._numbers: dict[str, int] = {}

    async def run(self) -> None:
        """Collect for ever. A store that cannot write costs the readings of that time and no more."""
        await self._collect()
        await self._clock.sleep(min(FIRST_INTERVAL_SECONDS, self._interval_seconds))
        due_seconds = self._clock.monotonic()
        while True:
            await self._collect()
            due_seconds = max(due_seconds + self._interval_seconds, self._clock.monotonic())
            await self._clock.sleep(due_seconds - self._clock.monotonic())

    async def _collect(self) -> None:
        figures = await asyncio.to_thread(self._read)
        time_ms = round(self._clock.now() * 1000)
        for name in figures.keys() - self._numbers.keys():
            number = self._numbers[name] = len(self._numbers)
            self._series.define(number, (("__name__", name), ("role", ROLE), ("server", self._host)))
        numbers = np.array([self._numbers[name] for name in figures], np.uint64)
        values = np.array(list(figures.values()), np.float64)
        try:
            refused = await self._series.write(numbers, np.full(len(numbers), time_ms, np.int64), values)
        except UnavailableError as error:
            log.warning("host_sample_lost", error=error.message)
        else:
            self._on_refused(refused)
