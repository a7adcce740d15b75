"""Every kind of servicer method in one shape, so that what surrounds a call is written once."""

import contextlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

Context = grpc.aio.ServicerContext[Any, Any]
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic in its stubs only
Behavior = Callable[[Any, Context], Awaitable[Any]]
"""Serves one call: gets the request (or the iterator of requests) and the context; returns the response of a method with one
response, and writes the responses of a streaming method to the context."""


@dataclass(frozen=True)
class Method:
    """A method of a service, as its servers know it."""

    service: str
    name: str
    request_streaming: bool
    response_streaming: bool

    @classmethod
    def of(cls, path: str, handler: Handler) -> "Method":
        """The method behind a path such as `/openmanager.metrics.v1.MetricsService/Query`."""
        service, _, name = path.removeprefix("/").rpartition("/")
        return cls(service, name, handler.request_streaming, handler.response_streaming)


def as_behavior(handler: Handler) -> Behavior:
    """The handler's function as a coroutine function.

    A generator of responses is driven to its end here and closed in the task and context of the call, so its `finally` runs as
    soon as the caller leaves and not when the garbage collector finds it.
    """
    function: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    if inspect.iscoroutinefunction(function):
        return function  # type: ignore[no-any-return]  # a grpc.aio servicer's method takes and returns what Behavior does

    async def unary(request: Any, context: Context) -> Any:
        result = function(request, context)
        return await result if inspect.isawaitable(result) else result

    async def stream(request: Any, context: Context) -> None:
        responses = function(request, context)
        if inspect.isawaitable(responses):
            await responses
            return
        async with contextlib.AsyncExitStack() as stack:
            if hasattr(responses, "aclose"):
                stack.push_async_callback(responses.aclose)
            async for response in responses:
                await context.write(response)

    return stream if handler.response_streaming else unary


def with_behavior(handler: Handler, behavior: Behavior) -> Handler:
    """The same method served by `behavior`."""
    if handler.request_streaming:
        make = grpc.stream_stream_rpc_method_handler if handler.response_streaming else grpc.stream_unary_rpc_method_handler
    else:
        make = grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
    serve: Any = behavior
    return make(serve, handler.request_deserializer, handler.response_serializer)
