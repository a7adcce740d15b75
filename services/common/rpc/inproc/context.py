"""What a servicer sees of an in-process call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Never

import grpc
import grpc.aio

from services.common.rpc.handlers import Handler
from services.common.rpc.inproc.exchange import Exchange, FinalStatus
from services.common.rpc.metadata import Pairs, to_pairs

MetadataLike = grpc.aio.Metadata | Sequence[tuple[str, str | bytes]]
FINISHED = "RPC already finished."


class InprocContext(grpc.aio.ServicerContext[Any, Any]):
    """A `grpc.aio.ServicerContext` over an `Exchange`; its methods mean what they mean on a socket."""

    def __init__(self, exchange: Exchange, handler: Handler) -> None:
        self._exchange = exchange
        self._parse = handler.request_deserializer or _same
        self._serialize = handler.response_serializer or _same
        self._code = grpc.StatusCode.OK
        self._details = ""
        self._trailing: Pairs = ()
        self._abort_error: grpc.aio.AbortError | None = None

    # Messages

    async def read(self) -> Any:
        """The next request; `grpc.aio.EOF` when the caller is done writing."""
        raw = await self._exchange.requests.get()
        if raw is None:
            if self._exchange.status is not None:
                await _cancellation_point()  # a caller that left has not finished its requests
            return grpc.aio.EOF
        limit = self._exchange.max_message_bytes
        if len(raw) > limit:
            await self.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, too_large(len(raw), limit))
        return self._parse(raw)

    async def requests(self) -> AsyncIterator[Any]:
        """The requests as an iterator."""
        while (request := await self.read()) is not grpc.aio.EOF:
            yield request

    async def write(self, message: Any) -> None:
        """Send a response once there is room for it."""
        if self._abort_error is not None:
            raise self._abort_error
        exchange = self._exchange
        if exchange.status is None:
            raw: bytes = self._serialize(message)
            if len(raw) > exchange.max_message_bytes:
                await self.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, too_large(len(raw), exchange.max_message_bytes))
            exchange.start_response()
            if await exchange.responses.put(raw):
                return
        await _cancellation_point()
        raise grpc.aio.UsageError(FINISHED)

    async def send_initial_metadata(self, initial_metadata: MetadataLike) -> None:
        """Send metadata ahead of the first response.

        Raises:
            grpc.aio.UsageError: when it has been sent.
        """
        self.raise_for_termination()
        if self._exchange.initial_metadata is not None:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        self._exchange.start_response(checked_metadata(initial_metadata))

    # Status

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: MetadataLike = ()) -> Never:
        """End the call with an error status; always raises `grpc.aio.AbortError`."""
        if self._abort_error is not None:
            raise grpc.aio.UsageError("Abort already called!")
        if code is grpc.StatusCode.OK:
            self._code = grpc.StatusCode.UNKNOWN
            self._details = details
            raise grpc.aio.UsageError("abort() called with OK status code.")
        self._abort_error = grpc.aio.AbortError("Locally aborted.")
        self._code = code
        self._details = details or self._details
        self._trailing = checked_metadata(trailing_metadata) or self._trailing
        self.finish()
        raise self._abort_error

    async def abort_with_status(self, status: grpc.Status) -> Never:
        """End the call with this error status; always raises `grpc.aio.AbortError`."""
        await self.abort(status.code, status.details, status.trailing_metadata or ())

    def set_code(self, code: grpc.StatusCode) -> None:
        """Choose the status that the call ends with."""
        self._code = code

    def set_details(self, details: str) -> None:
        """Choose the text that the call ends with."""
        self._details = details

    def set_trailing_metadata(self, trailing_metadata: MetadataLike) -> None:
        """Choose the metadata that the call ends with."""
        self._trailing = checked_metadata(trailing_metadata)

    def code(self) -> grpc.StatusCode:
        """The status chosen so far."""
        return self._code

    def details(self) -> str:
        """The text chosen so far."""
        return self._details

    def trailing_metadata(self) -> Any:
        """The trailing metadata chosen so far, as pairs."""
        return self._trailing

    def raise_for_termination(self) -> None:
        """Stop a servicer that goes on after it has aborted."""
        if self._abort_error is not None:
            raise self._abort_error
        if self._exchange.status is not None:
            raise grpc.aio.UsageError(FINISHED)

    def finish(self) -> None:
        """Send the status chosen so far."""
        self._exchange.finish(FinalStatus(self._code, self._details, self._trailing))

    # The call

    def invocation_metadata(self) -> Any:
        """The caller's metadata, as pairs."""
        return self._exchange.metadata

    def time_remaining(self) -> Any:
        """Seconds until the caller's deadline; None without one."""
        return self._exchange.time_remaining()

    def cancelled(self) -> bool:
        """Whether the call has ended as cancelled."""
        status = self._exchange.status
        return status is not None and status.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        """Whether the call has ended."""
        return self._exchange.status is not None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call back with this context when the call has ended."""
        self._exchange.add_done_callback(lambda: callback(self))

    # The connection

    def peer(self) -> str:
        """Where the caller is."""
        return "inproc:"

    def peer_identities(self) -> Iterable[bytes] | None:
        """None: an in-process caller has no certificate."""
        return None

    def peer_identity_key(self) -> str | None:
        """None: an in-process caller has no certificate."""
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Empty: an in-process caller has no certificate."""
        return {}

    def set_compression(self, compression: grpc.Compression) -> None:
        """Nothing: messages are not compressed within a process."""

    def disable_next_message_compression(self) -> None:
        """Nothing: messages are not compressed within a process."""


def checked_metadata(metadata: MetadataLike | None) -> Pairs:
    """The metadata as pairs.

    Raises:
        ValueError: when a socket would not carry it.
    """
    pairs = to_pairs(metadata)
    for key, value in pairs:
        binary = key.endswith("-bin")
        legal = isinstance(value, bytes) if binary else isinstance(value, str) and value.isascii() and value.isprintable()
        if not legal or not key or key != key.lower() or not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError(f"metadata was invalid: {key!r}")
    return pairs


def too_large(size_bytes: int, limit_bytes: int) -> str:
    """What a peer says of a message over its limit."""
    return f"Received message larger than max ({size_bytes} vs. {limit_bytes})"


async def _cancellation_point() -> None:
    """Let the cancellation in that a call's early end has asked for."""
    await asyncio.sleep(0)


def _same(value: Any) -> Any:
    return value
