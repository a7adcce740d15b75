"""No call with one response runs for ever, whatever its caller forgot to say."""

import asyncio
from typing import Any, Final

from services.common.errors import DeadlineExceededError
from services.common.rpc.handlers import Behavior, Context, Method
from services.common.rpc.interceptors.base import CallInterceptor

DEFAULT_CAP_SECONDS: Final = 60.0


class DeadlineInterceptor(CallInterceptor):
    """Caps calls without a deadline, and calls whose deadline is far. Streams of responses may last: watching has no end."""

    def __init__(self, cap_seconds: float = DEFAULT_CAP_SECONDS) -> None:
        super().__init__()
        self._cap_seconds = cap_seconds

    def wrap(self, method: Method, proceed: Behavior) -> Behavior:
        """Run the method for at most the cap; the transport itself ends it at a nearer deadline."""
        if method.response_streaming:
            return proceed
        cap = self._cap_seconds

        async def serve(request: Any, context: Context) -> Any:
            remaining: float | None = context.time_remaining()  # None without a deadline, though the stubs do not say so
            if remaining is not None and remaining <= cap:
                return await proceed(request, context)
            try:
                async with asyncio.timeout(cap) as limit:
                    return await proceed(request, context)
            except TimeoutError:
                if not limit.expired():
                    raise
            raise DeadlineExceededError(f"{method.name} took longer than {cap:g} s, the most that this service gives a call")

        return serve
