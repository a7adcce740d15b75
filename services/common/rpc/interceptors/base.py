"""The shape of a server interceptor here: it wraps a method once and then serves every call of it."""

import abc
from collections.abc import Awaitable, Callable

import grpc
import grpc.aio

from services.common.rpc.handlers import Behavior, Handler, Method, as_behavior, with_behavior


class CallInterceptor(grpc.aio.ServerInterceptor, abc.ABC):
    """Surrounds every call of a server, whatever it streams.

    A subclass writes `wrap`. The wrapped handler is kept per method, because gRPC asks for it at every call.
    """

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    @abc.abstractmethod
    def wrap(self, method: Method, proceed: Behavior) -> Behavior:
        """A coroutine function that serves a call of `method` by way of `proceed`."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The wrapped handler of the method, or None when there is no such method."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        path = handler_call_details.method
        known = self._wrapped.get(path)
        if known is None or known[0] is not handler:
            behavior = self.wrap(Method.of(path, handler), as_behavior(handler))
            known = self._wrapped[path] = (handler, with_behavior(handler, behavior))
        return known[1]
