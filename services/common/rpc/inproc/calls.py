"""What a caller holds of an in-process call: the four kinds of `grpc.aio` calls over an `Exchange`."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable
from typing import Any, Never

import grpc
import grpc.aio
import structlog

from services.common.rpc.inproc.exchange import Exchange, FinalStatus

log = structlog.get_logger("rpc.inproc")

Serialize = Callable[[Any], bytes]
Parse = Callable[[bytes], Any]
RequestIterable = AsyncIterable[Any] | Iterable[Any]
LOCALLY_CANCELLED = "Locally cancelled by application!"
HALF_CLOSED = 'RPC is half closed after calling "done_writing".'
FINISHED = "RPC already finished."


class _Call(grpc.aio.Call):
    """What all kinds share. A call that nobody holds any more is cancelled, as on a socket."""

    def __init__(self, exchange: Exchange, parse: Parse) -> None:
        self._exchange = exchange
        self._parse = parse
        self._locally_cancelled = False

    def __del__(self) -> None:
        if self._exchange.status is None:
            self._exchange.break_off(grpc.StatusCode.CANCELLED, "Cancelled upon garbage collection!")

    def cancel(self) -> bool:
        """End the call; the servicer is cancelled. False when the call had ended."""
        if not self._exchange.break_off(grpc.StatusCode.CANCELLED, LOCALLY_CANCELLED):
            return False
        self._locally_cancelled = True
        return True

    def cancelled(self) -> bool:
        """Whether the call has ended as cancelled."""
        status = self._exchange.status
        return status is not None and status.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        """Whether the call has ended."""
        return self._exchange.status is not None

    def time_remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return self._exchange.time_remaining()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call back with this call when it has ended."""
        self._exchange.add_done_callback(lambda: callback(self))

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """Wait for the servicer's initial metadata."""
        return grpc.aio.Metadata(*await self._exchange.wait_initial_metadata())

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        """Wait for the end and give the servicer's trailing metadata."""
        return grpc.aio.Metadata(*(await self._exchange.wait_status()).trailing_metadata)

    async def code(self) -> grpc.StatusCode:
        """Wait for the end and give its status."""
        return (await self._exchange.wait_status()).code

    async def details(self) -> str:
        """Wait for the end and give its text."""
        return (await self._exchange.wait_status()).details

    async def wait_for_connection(self) -> None:
        """Nothing to wait for within a process; raises when the call has failed already."""
        if self._exchange.status is not None:
            self._raise_for(self._exchange.status)

    def _raise_for(self, status: FinalStatus) -> None:
        if self._locally_cancelled:
            raise asyncio.CancelledError
        if status.code is not grpc.StatusCode.OK:
            self._fail(status)

    def _fail(self, status: FinalStatus) -> Never:
        raise grpc.aio.AioRpcError(
            status.code,
            grpc.aio.Metadata(*(self._exchange.initial_metadata or ())),
            grpc.aio.Metadata(*status.trailing_metadata),
            details=status.details,
        )


class _UnaryResponse(_Call):
    """A call with one response: it is awaited, as often as one likes."""

    def __init__(self, exchange: Exchange, parse: Parse) -> None:
        super().__init__(exchange, parse)
        self._raw: bytes | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        return self._response().__await__()

    async def _response(self) -> Any:
        try:
            status = await self._exchange.wait_status()
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._raise_for(status)
        if self._raw is None:
            self._raw = await self._exchange.responses.get()
        if self._raw is None:
            self._fail(FinalStatus(grpc.StatusCode.INTERNAL, "the servicer sent no response"))
        return self._parse(self._raw)


class _StreamResponse(_Call):
    """A call with many responses: iterate over it, or `read` one by one."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._responses()

    async def read(self) -> Any:
        """The next response; `grpc.aio.EOF` after the last."""
        try:
            raw = await self._exchange.responses.get()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if raw is not None:
            return self._parse(raw)
        self._raise_for(await self._exchange.wait_status())
        return grpc.aio.EOF

    async def _responses(self) -> AsyncIterator[Any]:
        while (response := await self.read()) is not grpc.aio.EOF:
            yield response


class _StreamRequest(_Call):
    """A call with many requests: from an iterator, or by `write` and `done_writing`."""

    def __init__(self, exchange: Exchange, parse: Parse, serialize: Serialize, requests: RequestIterable | None) -> None:
        super().__init__(exchange, parse)
        self._serialize = serialize
        self._half_closed = False
        self._from_iterator = requests is not None
        self._sender: asyncio.Task[None] | None = None
        if requests is not None:
            self._sender = asyncio.get_running_loop().create_task(_send_all(exchange, serialize, requests))
            exchange.add_done_callback(self._sender.cancel)

    async def write(self, request: Any) -> None:
        """Send a request once there is room for it.

        Raises:
            asyncio.InvalidStateError: after the end of the call or `done_writing`.
            grpc.aio.AioRpcError: when the call failed meanwhile.
        """
        if self._from_iterator:
            raise grpc.aio.UsageError("The iterator and the writer style cannot be mixed")
        if self._exchange.status is not None:
            raise asyncio.InvalidStateError(FINISHED)
        if self._half_closed:
            raise asyncio.InvalidStateError(HALF_CLOSED)
        try:
            sent = await self._exchange.requests.put(self._serialize(request))
        except asyncio.CancelledError:
            self.cancel()
            raise
        if not sent:
            self._raise_for(await self._exchange.wait_status())
            raise asyncio.InvalidStateError(FINISHED)

    async def done_writing(self) -> None:
        """Say that no request follows."""
        if self._from_iterator:
            raise grpc.aio.UsageError("The iterator and the writer style cannot be mixed")
        self._half_closed = True
        self._exchange.requests.close()


async def _send_all(exchange: Exchange, serialize: Serialize, requests: RequestIterable) -> None:
    """Write the iterator's requests; one that raises cancels the call, for half of a request stream must not pass as a whole."""
    try:
        if isinstance(requests, AsyncIterable):
            async for request in requests:
                if not await exchange.requests.put(serialize(request)):
                    return
        else:
            for request in requests:
                if not await exchange.requests.put(serialize(request)):
                    return
    except Exception as error:  # noqa: BLE001 - the caller's iterator: its failure is the call's, and told where the call is awaited
        log.warning("requests_failed", method=exchange.method, error=repr(error), exc_info=error)
        exchange.break_off(grpc.StatusCode.CANCELLED, "the iterator of requests raised")
        return
    exchange.requests.close()


class UnaryUnaryCall(_UnaryResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """One request, one response."""


class UnaryStreamCall(_StreamResponse, grpc.aio.UnaryStreamCall[Any, Any]):
    """One request, many responses."""


class StreamUnaryCall(_StreamRequest, _UnaryResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """Many requests, one response."""


class StreamStreamCall(_StreamRequest, _StreamResponse, grpc.aio.StreamStreamCall[Any, Any]):
    """Many requests, many responses."""
