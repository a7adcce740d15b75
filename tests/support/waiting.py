"""Waiting for something that happens elsewhere: bounded, and over as soon as it has happened."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(probe: Callable[[], Awaitable[T | None]], seconds: float = 30.0, every: float = 0.1) -> T:
    """The first true result of `probe`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        result = await probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{getattr(probe, '__name__', 'it')} did not happen within {seconds} s; last: {result!r}")
        await asyncio.sleep(every)
