"""Trying a call again: only one that may be made twice, and only when it cannot have been refused on its merits."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc
import grpc.aio

from services.common.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """Waits between attempts: exponential with full jitter, so that callers of a restarted server do not come all at once.

    Before attempt n + 1 a call waits a uniform share of `min(first_seconds * 2 ** (n - 1), most_seconds)`.
    """

    attempts: int = 3
    first_seconds: float = 0.1
    most_seconds: float = 2.0

    def wait_seconds(self, attempt: int, rng: random.Random) -> float:
        """How long to wait after this attempt, the first being 1."""
        return rng.uniform(0.0, min(self.first_seconds * 2.0 ** (attempt - 1), self.most_seconds))


DEFAULT_BACKOFF: Final = Backoff()


async def call_idempotent(
    call: Callable[[], Awaitable[T]], *, clock: Clock, rng: random.Random, backoff: Backoff = DEFAULT_BACKOFF
) -> T:
    """Make a unary call, again while the peer is UNAVAILABLE.

    The choice is made where the call is written, `await call_idempotent(lambda: stub.GetServer(request), ...)`, because only
    there is it known that making it twice does no harm. Each attempt gets a deadline of its own.

    Raises:
        grpc.aio.AioRpcError: the last attempt's error, or the first that is not UNAVAILABLE.
    """
    for attempt in range(1, backoff.attempts):
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        await clock.sleep(backoff.wait_seconds(attempt, rng))
    return await call()
