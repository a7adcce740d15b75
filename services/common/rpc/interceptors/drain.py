"""An orderly end for streams that have none of their own."""

import asyncio
from typing import Any

from services.common.errors import UnavailableError
from services.common.rpc.handlers import Behavior, Context, Method
from services.common.rpc.interceptors.base import CallInterceptor


class DrainInterceptor(CallInterceptor):
    """Ends the open streams of responses when the server stops, so that the grace is for calls that do come to an end.

    Their callers get UNAVAILABLE with reason STOPPING, which tells them to connect again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._open: set[asyncio.Timeout] = set()
        self._draining = False

    def drain(self) -> None:
        """End every open stream now, and every later one at once."""
        self._draining = True
        now = asyncio.get_running_loop().time()
        for stream in self._open:
            if not stream.expired():
                stream.reschedule(now)

    def wrap(self, method: Method, proceed: Behavior) -> Behavior:
        """Run a stream until its end or the server's."""
        if not method.response_streaming:
            return proceed

        async def serve(request: Any, context: Context) -> Any:
            if self._draining:
                raise _stopping()
            try:
                async with asyncio.timeout(None) as stream:
                    self._open.add(stream)
                    try:
                        return await proceed(request, context)
                    finally:
                        self._open.discard(stream)
            except TimeoutError:
                if not stream.expired():
                    raise
            raise _stopping()

        return serve


def _stopping() -> UnavailableError:
    return UnavailableError("the service is stopping; connect again in a moment", reason="STOPPING")
