"""A `grpc.aio.Channel` to a server in the same process."""

import asyncio
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from services.common.rpc.inproc import multicallables
from services.common.rpc.inproc.calls import Parse, Serialize
from services.common.rpc.inproc.context import MetadataLike, checked_metadata
from services.common.rpc.inproc.exchange import Exchange
from services.common.rpc.inproc.network import InprocNetwork


class InprocChannel(grpc.aio.Channel):
    """Runs generated stubs against the server that has this name at the time of each call.

    A call to a name that nobody has fails with UNAVAILABLE; with `wait_for_ready` it waits for the server until its deadline.
    """

    def __init__(self, network: InprocNetwork, name: str) -> None:
        self._network = network
        self._name = name
        self._closed = False
        self._open: set[Exchange] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Refuse new calls, and cancel those that are still open after `grace` seconds."""
        self._closed = True
        if grace and self._open:
            ends = [asyncio.ensure_future(exchange.wait_status()) for exchange in self._open]
            _, late = await asyncio.wait(ends, timeout=grace)
            for end in late:
                end.cancel()
        for exchange in list(self._open):
            exchange.break_off(grpc.StatusCode.CANCELLED, "Channel closed.")

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """READY when the server is there."""
        if self._closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        found = self._network.find(self._name) is not None
        return grpc.ChannelConnectivity.READY if found else grpc.ChannelConnectivity.TRANSIENT_FAILURE

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state is another."""
        while self.get_state() is last_observed_state:
            await self._network.changed()

    async def channel_ready(self) -> None:
        """Wait until the server is there."""
        while self._network.find(self._name) is None:
            await self._network.changed()

    def unary_unary(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryUnaryMultiCallable[Any, Any]:
        """Calls of a method with one request and one response."""
        return multicallables.UnaryUnary(self.begin, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryStreamMultiCallable[Any, Any]:
        """Calls of a method with one request and many responses."""
        return multicallables.UnaryStream(self.begin, method, request_serializer, response_deserializer)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.StreamUnaryMultiCallable[Any, Any]:
        """Calls of a method with many requests and one response."""
        return multicallables.StreamUnary(self.begin, method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.StreamStreamMultiCallable[Any, Any]:
        """Calls of a method with many requests and many responses."""
        return multicallables.StreamStream(self.begin, method, request_serializer, response_deserializer)

    def begin(self, method: str, timeout: float | None, metadata: MetadataLike | None, wait_for_ready: bool | None) -> Exchange:
        """Start a call.

        Raises:
            grpc.aio.UsageError: when the channel is closed.
            ValueError: when the metadata is not fit for a socket.
        """
        if self._closed:
            raise grpc.aio.UsageError("Channel is closed.")
        exchange = Exchange(method, checked_metadata(metadata), timeout)
        self._open.add(exchange)
        exchange.add_done_callback(lambda: self._open.discard(exchange))
        endpoint = self._network.find(self._name)
        if timeout is not None and timeout <= 0:
            exchange.break_off(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        elif endpoint is not None:
            endpoint.accept(exchange)
        elif wait_for_ready:
            connecting = asyncio.get_running_loop().create_task(self._connect(exchange))
            exchange.add_done_callback(connecting.cancel)
        else:
            exchange.break_off(grpc.StatusCode.UNAVAILABLE, f"no server listens at inproc:{self._name}")
        return exchange

    async def _connect(self, exchange: Exchange) -> None:
        while (endpoint := self._network.find(self._name)) is None:
            await self._network.changed()
        endpoint.accept(exchange)
