"""The methods of a stub over an in-process channel; each call of one makes a call object."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio

from services.common.rpc.inproc import calls
from services.common.rpc.inproc.calls import Parse, Serialize
from services.common.rpc.inproc.context import MetadataLike
from services.common.rpc.inproc.exchange import Exchange

Begin = Callable[[str, float | None, MetadataLike | None, bool | None], Exchange]
"""Starts a call: path of the method, timeout in seconds, metadata, whether to wait for the server."""


class _Method:
    def __init__(self, begin: Begin, path: str, serialize: Serialize | None, parse: Parse | None) -> None:
        self._begin = begin
        self._path = path
        self._serialize: Serialize = serialize or _same
        self._parse: Parse = parse or _same


def _same(value: Any) -> Any:
    return value


class UnaryUnary(_Method, grpc.aio.UnaryUnaryMultiCallable[Any, Any]):
    """Calls with one request and one response."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> calls.UnaryUnaryCall:
        """Start a call."""
        raw = self._serialize(request)
        exchange = self._begin(self._path, timeout, metadata, wait_for_ready)
        exchange.requests.put_nowait(raw)
        exchange.requests.close()
        return calls.UnaryUnaryCall(exchange, self._parse)


class UnaryStream(_Method, grpc.aio.UnaryStreamMultiCallable[Any, Any]):
    """Calls with one request and many responses."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> calls.UnaryStreamCall:
        """Start a call."""
        raw = self._serialize(request)
        exchange = self._begin(self._path, timeout, metadata, wait_for_ready)
        exchange.requests.put_nowait(raw)
        exchange.requests.close()
        return calls.UnaryStreamCall(exchange, self._parse)


class StreamUnary(_Method, grpc.aio.StreamUnaryMultiCallable[Any, Any]):
    """Calls with many requests and one response."""

    def __call__(
        self,
        request_iterator: AsyncIterator[Any] | Iterator[Any] | None = None,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> calls.StreamUnaryCall:
        """Start a call."""
        exchange = self._begin(self._path, timeout, metadata, wait_for_ready)
        return calls.StreamUnaryCall(exchange, self._parse, self._serialize, request_iterator)


class StreamStream(_Method, grpc.aio.StreamStreamMultiCallable[Any, Any]):
    """Calls with many requests and many responses."""

    def __call__(
        self,
        request_iterator: AsyncIterator[Any] | Iterator[Any] | None = None,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> calls.StreamStreamCall:
        """Start a call."""
        exchange = self._begin(self._path, timeout, metadata, wait_for_ready)
        return calls.StreamStreamCall(exchange, self._parse, self._serialize, request_iterator)
