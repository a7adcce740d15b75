"""When targets are scraped, and for how long."""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, TypeVar

from services.common.clock import Clock

T = TypeVar("T")


def next_due(now: float, offset_seconds: float, interval_seconds: float) -> float:
    """The first time after `now` (Unix seconds) at which something with this offset is due."""
    due = offset_seconds + interval_seconds * (math.floor((now - offset_seconds) / interval_seconds) + 1)
    return due if due > now else due + interval_seconds  # the division rounds


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when it takes longer.

    Raises:
        TimeoutError: it does.
    """
    task, timer = asyncio.create_task(work), asyncio.create_task(clock.sleep(seconds))
    try:
        await asyncio.wait([task, timer], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        task.cancel()
        timer.cancel()
        await asyncio.wait([task, timer])
        if not task.cancelled():
            task.exception()  # retrieved here, for nobody else looks when this was cancelled


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which goes on to its end even when the caller is cancelled; the caller ends after it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # retrieved here, for the caller does not look any more
        raise
