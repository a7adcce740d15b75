"""The samples of the fleet step by step, as time goes on or as fast as the past is wanted."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.common.clock import Clock
from services.common.errors import InvalidArgumentError
from services.common.pools.pool import Pool
from services.server_gen.domain.fleet import Fleet
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.snapshot import Snapshot

MIN_INTERVAL_SECONDS: Final = 1.0
MAX_INTERVAL_SECONDS: Final = 3600.0
MAX_PAST_SECONDS: Final = 30 * 86_400.0
COMPUTE_SECONDS: Final = 50.0
_CELLS_AT_ONCE: Final = 4096
"""Servers times steps that are computed at once where several steps are due."""


@dataclass(frozen=True)
class Step:
    """All samples of one moment.

    Attributes:
        snapshot: the fleet that they are of.
        time_ms: Unix time in milliseconds, a whole multiple of the interval.
        figures: float64[len(CATALOGUE), servers], NaN where there is no sample.
    """

    snapshot: Snapshot
    time_ms: int
    figures: Floats


def interval_ms(seconds: float) -> int:
    """The distance between steps in milliseconds.

    Raises:
        InvalidArgumentError: it is not from 1 s to an hour (`INVALID_INTERVAL`).
    """
    if not MIN_INTERVAL_SECONDS <= seconds <= MAX_INTERVAL_SECONDS:
        limits = f"{MIN_INTERVAL_SECONDS:g} to {MAX_INTERVAL_SECONDS:g} s"
        raise InvalidArgumentError(f"an interval of {seconds:g} s is not possible; ask for {limits}", reason="INVALID_INTERVAL")
    return round(seconds * 1000)


class Watch:
    """The steps of one reader.

    Args:
        fleet: whose samples.
        pool: where they are computed.
        clock: tells the present.
        interval_ms: distance between steps.
        start: Unix time of the first step, rounded up to a whole one; None for the present step.
        speed: seconds of the fleet in one second while the steps are of the past; None for as fast as they are taken.

    Raises:
        InvalidArgumentError: the start is in the future or too far back (`INVALID_START`), or the speed below 1 (`INVALID_SPEED`).
    """

    def __init__(
        self, fleet: Fleet, pool: Pool, clock: Clock, interval_ms: int, start: float | None = None, speed: float | None = None
    ) -> None:
        now = clock.now()
        if start is not None and not now - MAX_PAST_SECONDS <= start <= now:
            raise InvalidArgumentError("start is not within the last 30 days", reason="INVALID_START")
        if speed is not None and not (speed >= 1.0 and math.isfinite(speed)):
            raise InvalidArgumentError(f"a speed of {speed:g} is not possible; ask for 1 or more", reason="INVALID_SPEED")
        self._fleet = fleet
        self._pool = pool
        self._clock = clock
        self._interval_ms = interval_ms
        self._speed = speed
        self._next_ms = self._present_ms() if start is None else math.ceil(start * 1000 / interval_ms) * interval_ms

    async def steps(self) -> AsyncIterator[Step]:
        """Every step as its time comes, without end; each is wholly of one fleet.

        When servers join, or another fleet begins, the present step comes again at once, so that nobody waits to see them.
        """
        async for step in self._past():
            yield step
        sent = None if self._is_due() else _members(self._fleet.snapshot)
        while True:
            if sent is not None:
                await self._due(sent)
            # After a stall the newest step is sent, not all that were missed.
            time_ms = max(self._next_ms, self._present_ms()) if self._is_due() else self._next_ms - self._interval_ms
            while True:
                snapshot = await self._fleet.current()
                figures = await self._compute(snapshot, time_ms, 1)
                if self._fleet.snapshot.generation == snapshot.generation:
                    break
            sent = _members(snapshot)
            self._next_ms = time_ms + self._interval_ms
            yield Step(snapshot, time_ms, figures[:, 0])

    def _is_due(self) -> bool:
        return self._clock.now() * 1000 >= self._next_ms

    async def _due(self, sent: tuple[int, int]) -> None:
        """Wait until the next step is due, or until the fleet has other servers than those that were sent."""
        timer = asyncio.create_task(self._clock.sleep(self._next_ms / 1000 - self._clock.now()))
        try:
            while not timer.done() and _members(self._fleet.snapshot) == sent:
                change = asyncio.create_task(self._fleet.changed())
                try:
                    await asyncio.wait((timer, change), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    change.cancel()
        finally:
            timer.cancel()

    async def _past(self) -> AsyncIterator[Step]:
        """The steps before the present one, all of them, until the present has been reached."""
        began, first_ms = self._clock.monotonic(), self._next_ms
        while (due := (self._present_ms() - self._next_ms) // self._interval_ms) > 0:
            snapshot = await self._fleet.current()
            count = min(due, max(1, _CELLS_AT_ONCE // max(1, len(snapshot.servers))))
            figures = await self._compute(snapshot, self._next_ms, count)
            for number in range(count):
                if self._speed is not None:
                    wait = (self._next_ms - first_ms) / 1000 / self._speed - (self._clock.monotonic() - began)
                    if wait > 0:
                        await self._clock.sleep(wait)
                if self._fleet.snapshot is not snapshot:
                    break  # what is left of these is computed anew
                yield Step(snapshot, self._next_ms, figures[:, number])
                self._next_ms += self._interval_ms

    async def _compute(self, snapshot: Snapshot, first_ms: int, count: int) -> Floats:
        times = (first_ms + self._interval_ms * np.arange(count)) / 1000
        return await self._pool.run(COMPUTE_SECONDS, snapshot.figures, times)

    def _present_ms(self) -> int:
        return math.floor(self._clock.now() * 1000 / self._interval_ms) * self._interval_ms


def _members(snapshot: Snapshot) -> tuple[int, int]:
    """Tells one set of servers from another: within a generation servers only join."""
    return snapshot.generation, len(snapshot.servers)
