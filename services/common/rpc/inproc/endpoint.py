"""The server's side of in-process calls: finds the method, runs it as grpc.aio runs it, and knows what is running."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import structlog

from services.common.rpc.handlers import Behavior, Handler, as_behavior
from services.common.rpc.inproc.context import InprocContext
from services.common.rpc.inproc.exchange import Exchange, FinalStatus
from services.common.rpc.interceptors.base import CallInterceptor
from services.common.rpc.metadata import Pairs

log = structlog.get_logger("rpc.inproc")

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


@dataclass(slots=True)
class _CallDetails:
    """What interceptors see of a call before it runs; the shape is `grpc.HandlerCallDetails`."""

    method: str
    invocation_metadata: Any


class InprocEndpoint:
    """One in-process server: servicers behind interceptors."""

    def __init__(
        self,
        handlers: Sequence[grpc.GenericRpcHandler],
        interceptors: Sequence[CallInterceptor],
        max_message_bytes: int,
    ) -> None:
        self.max_message_bytes = max_message_bytes
        self._handlers = tuple(handlers)
        self._find: Continuation = self._look_up
        for interceptor in reversed(interceptors):
            self._find = _continued(interceptor, self._find)
        self._served: dict[str, tuple[Handler, Behavior]] = {}
        self._calls: dict[asyncio.Task[None], Exchange] = {}

    def accept(self, exchange: Exchange) -> None:
        """Serve a call in a task and a context of its own: what its caller set in context variables stays with the caller."""
        task = asyncio.get_running_loop().create_task(self._serve(exchange), context=contextvars.Context())
        exchange.servicer = task
        exchange.max_message_bytes = self.max_message_bytes
        self._calls[task] = exchange
        task.add_done_callback(self._forget)

    async def stop(self, grace_seconds: float | None) -> None:
        """Wait for the running calls, then end those that are left with UNAVAILABLE."""
        if self._calls and grace_seconds:
            await asyncio.wait(list(self._calls), timeout=grace_seconds)
        left = list(self._calls.items())
        for _, exchange in left:
            exchange.break_off(grpc.StatusCode.UNAVAILABLE, "Cancelling all calls")
        if left:
            await asyncio.wait([task for task, _ in left])

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._calls[task]

    async def _look_up(self, details: grpc.HandlerCallDetails) -> Handler | None:
        for handlers in self._handlers:
            handler = handlers.service(details)
            if handler is not None:
                return handler
        return None

    async def _resolve(self, exchange: Exchange) -> tuple[Handler, Behavior] | None:
        """Ask the interceptors once a method, where a socket asks at every call: a `CallInterceptor` looks at nothing else."""
        handler = await self._find(_CallDetails(exchange.method, exchange.metadata))
        if handler is None:
            return None
        served = self._served[exchange.method] = (handler, as_behavior(handler))
        return served

    async def _serve(self, exchange: Exchange) -> None:
        context: InprocContext | None = None
        try:
            served = self._served.get(exchange.method) or await self._resolve(exchange)
            if served is None:
                exchange.finish(FinalStatus(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
                return
            handler, behavior = served
            context = InprocContext(exchange, handler)
            await _run(handler, behavior, context)
        except asyncio.CancelledError:
            exchange.break_off(grpc.StatusCode.CANCELLED, "the servicer was cancelled")
            raise
        except grpc.aio.AbortError:
            return  # the status has been sent
        except Exception as error:
            if exchange.status is None:
                log.error("servicer_crashed", method=exchange.method, error=repr(error), exc_info=error)
            code = context.code() if context is not None else grpc.StatusCode.OK
            code = grpc.StatusCode.UNKNOWN if code is grpc.StatusCode.OK else code
            trailing: Pairs = context.trailing_metadata() if context is not None else ()
            exchange.finish(FinalStatus(code, f"Unexpected {type(error)}: {error}", trailing))


async def _run(handler: Handler, behavior: Behavior, context: InprocContext) -> None:
    request: Any = context.requests() if handler.request_streaming else await context.read()
    if request is grpc.aio.EOF:
        await context.abort(grpc.StatusCode.INTERNAL, "the caller sent no request")
    response = await behavior(request, context)
    context.raise_for_termination()
    if not handler.response_streaming and context.code() is grpc.StatusCode.OK:
        await context.write(response)
    context.finish()


def _continued(interceptor: grpc.aio.ServerInterceptor, following: Continuation) -> Continuation:
    async def find(details: grpc.HandlerCallDetails) -> Handler | None:
        return await interceptor.intercept_service(following, details)

    return find
