"""Calls to the services, and the values that their messages share."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Protocol, TypeVar

import grpc
import grpc.aio
import structlog
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from openmanager.common.v1 import label_pb2
from services.common.errors import STATUS_DETAILS_KEY, OpenManagerError, UnavailableError, from_rpc_error
from services.gateway.domain.times import format_ms

log = structlog.get_logger("gateway.calls")

RequestT_contra = TypeVar("RequestT_contra", contravariant=True)
ResponseT_co = TypeVar("ResponseT_co", covariant=True)


class Unary(Protocol[RequestT_contra, ResponseT_co]):
    """A method of a stub with one response."""

    def __call__(self, request: RequestT_contra, *, timeout: float) -> Awaitable[ResponseT_co]:
        """Start the call."""
        ...


class Streaming(Protocol[RequestT_contra, ResponseT_co]):
    """A method of a stub with many responses."""

    def __call__(self, request: RequestT_contra, *, timeout: float) -> "Call[ResponseT_co]":
        """Start the call."""
        ...


class Call(Protocol[ResponseT_co]):
    """A running call with many responses."""

    def __aiter__(self) -> AsyncIterator[ResponseT_co]:
        """The responses."""
        ...

    def cancel(self) -> bool:
        """Give up."""
        ...


async def call(method: Unary[RequestT_contra, ResponseT_co], request: RequestT_contra, timeout_seconds: float) -> ResponseT_co:
    """The response.

    Raises:
        OpenManagerError: what the service answered, or that it is away.
    """
    try:
        return await method(request, timeout=timeout_seconds)
    except grpc.aio.AioRpcError as error:
        raise _expected(error) from error


async def stream(
    method: Streaming[RequestT_contra, ResponseT_co], request: RequestT_contra, timeout_seconds: float
) -> AsyncIterator[ResponseT_co]:
    """The responses as they come; the call is cancelled when the reader stops reading.

    Raises:
        OpenManagerError: what the service answered, or that it is away.
    """
    running = method(request, timeout=timeout_seconds)
    try:
        async for response in running:
            yield response
    except grpc.aio.AioRpcError as error:
        raise _expected(error) from error
    finally:
        running.cancel()


def _expected(error: grpc.aio.AioRpcError) -> OpenManagerError:
    """The error for the caller; where the transport failed, its words name our addresses and are for the log alone."""
    is_answer = any(key == STATUS_DETAILS_KEY for key, _ in error.trailing_metadata() or ())
    if error.code() is grpc.StatusCode.UNAVAILABLE and not is_answer:
        log.info("service_away", detail=error.details())
        return UnavailableError("a part of the suite that this needs is away; /readyz names it, try again shortly")
    return from_rpc_error(error)


def timestamp(time_ms: int) -> Timestamp:
    """Unix milliseconds as a protobuf Timestamp."""
    seconds, rest = divmod(time_ms, 1000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000_000)


def timestamp_text(value: Timestamp) -> str:
    """RFC 3339, to the nearest millisecond."""
    return format_ms(value.seconds * 1000 + round(value.nanos / 1_000_000))


def duration(seconds: float) -> Duration:
    """Seconds as a protobuf Duration."""
    nanos = round(seconds * 1_000_000_000)
    return Duration(seconds=nanos // 1_000_000_000, nanos=nanos % 1_000_000_000)


def seconds(value: Duration) -> float:
    """A protobuf Duration in seconds."""
    return value.seconds + value.nanos / 1_000_000_000


def labels_dict(labels: Iterable[label_pb2.Label]) -> dict[str, str]:
    """Labels by name, in the order given."""
    return {label.name: label.value for label in labels}
