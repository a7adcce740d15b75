"""Waiting for a time or for news, whichever comes first."""

import asyncio

from services.common.clock import Clock


class Alarm:
    """Wakes one waiter when it is set or when time is up. Setting it while nobody waits makes the next wait return at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the waiter."""
        self._event.set()

    async def wait(self, seconds: float | None) -> bool:
        """Waits for at most `seconds` (None: for ever); returns whether the alarm was set, and clears it."""
        if seconds is None:
            await self._event.wait()
        elif seconds > 0 and not self._event.is_set():
            tasks = (asyncio.ensure_future(self._event.wait()), asyncio.ensure_future(self._clock.sleep(seconds)))
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
        was_set = self._event.is_set()
        self._event.clear()
        return was_set
