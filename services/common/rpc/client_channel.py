"""A channel that adds to each call what every call must carry."""

from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from services.common.logs import request_id_var
from services.common.rpc.inproc.calls import Parse, Serialize
from services.common.rpc.inproc.context import MetadataLike
from services.common.rpc.metadata import AUTHORIZATION_KEY, CALLER_KEY, REQUEST_ID_KEY, Pairs, is_token, to_pairs

Requests = AsyncIterator[Any] | Iterator[Any] | None


class ClientChannel(grpc.aio.Channel):
    """Wraps the channel of a transport.

    Each call gets the caller's name, the token, the request id of the request being served, and, when it has one response and the
    caller gave no `timeout`, the default deadline. A call that streams responses gets none: watching has no end.
    """

    def __init__(self, inner: grpc.aio.Channel, *, caller: str, token: str | None, default_timeout_seconds: float) -> None:
        self._inner = inner
        self._default_timeout_seconds = default_timeout_seconds
        identity: Pairs = ((CALLER_KEY, caller),)
        self._identity = identity if token is None else (*identity, (AUTHORIZATION_KEY, f"Bearer {token}"))

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self._inner.__aexit__(exc_type, exc_val, exc_tb)

    async def close(self, grace: float | None = None) -> None:
        """Refuse new calls, and cancel those that are still open after `grace` seconds."""
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """The connection's state."""
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state is another."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the server is there."""
        await self._inner.channel_ready()

    def unary_unary(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryUnaryMultiCallable[Any, Any]:
        """Calls of a method with one request and one response."""
        inner = self._inner.unary_unary(method, request_serializer, response_deserializer)
        return _UnaryUnary(inner, self._metadata, self._default_timeout_seconds)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryStreamMultiCallable[Any, Any]:
        """Calls of a method with one request and many responses."""
        inner = self._inner.unary_stream(method, request_serializer, response_deserializer)
        return _UnaryStream(inner, self._metadata, None)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.StreamUnaryMultiCallable[Any, Any]:
        """Calls of a method with many requests and one response."""
        inner = self._inner.stream_unary(method, request_serializer, response_deserializer)
        return _StreamUnary(inner, self._metadata, self._default_timeout_seconds)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.StreamStreamMultiCallable[Any, Any]:
        """Calls of a method with many requests and many responses."""
        inner = self._inner.stream_stream(method, request_serializer, response_deserializer)
        return _StreamStream(inner, self._metadata, None)

    def _metadata(self, own: MetadataLike | None) -> Pairs:
        pairs = self._identity
        request_id = request_id_var.get()
        if is_token(request_id):
            pairs = (*pairs, (REQUEST_ID_KEY, request_id))
        return (*to_pairs(own), *pairs) if own else pairs


class _Method:
    def __init__(self, inner: Any, metadata: Callable[[MetadataLike | None], Pairs], timeout_seconds: float | None) -> None:
        self._inner = inner
        self._metadata = metadata
        self._timeout_seconds = timeout_seconds

    def _call(
        self,
        request: Any,
        timeout_seconds: float | None,
        metadata: MetadataLike | None,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,
        compression: grpc.Compression | None,
    ) -> Any:
        return self._inner(
            request,
            timeout=self._timeout_seconds if timeout_seconds is None else timeout_seconds,
            metadata=self._metadata(metadata),
            credentials=credentials,
            wait_for_ready=wait_for_ready,
            compression=compression,
        )


class _UnaryUnary(_Method, grpc.aio.UnaryUnaryMultiCallable[Any, Any]):
    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self._call(request, timeout, metadata, credentials, wait_for_ready, compression)


class _UnaryStream(_Method, grpc.aio.UnaryStreamMultiCallable[Any, Any]):
    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self._call(request, timeout, metadata, credentials, wait_for_ready, compression)


class _StreamUnary(_Method, grpc.aio.StreamUnaryMultiCallable[Any, Any]):
    def __call__(
        self,
        request_iterator: Requests = None,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self._call(request_iterator, timeout, metadata, credentials, wait_for_ready, compression)


class _StreamStream(_Method, grpc.aio.StreamStreamMultiCallable[Any, Any]):
    def __call__(
        self,
        request_iterator: Requests = None,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self._call(request_iterator, timeout, metadata, credentials, wait_for_ready, compression)
