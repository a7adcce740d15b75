"""How a call ended, for those who count and log it."""

import asyncio
from typing import Final

import grpc
import grpc.aio

from services.common.rpc.handlers import Context

_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}


def status_of(context: Context) -> grpc.StatusCode:
    """The status that the servicer has set so far. A grpc.aio context tells it as a number, and as 0 when none is set."""
    code: object = context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    return _BY_NUMBER[code] if isinstance(code, int) else grpc.StatusCode.OK


def outcome_of(context: Context, error: BaseException | None) -> grpc.StatusCode:
    """The status that the caller gets when the servicer ends with this error, or with none."""
    if error is None or isinstance(error, grpc.aio.AbortError):
        return status_of(context)
    if isinstance(error, asyncio.CancelledError):
        remaining: float | None = context.time_remaining()
        return grpc.StatusCode.DEADLINE_EXCEEDED if remaining is not None and remaining <= 0 else grpc.StatusCode.CANCELLED
    chosen = status_of(context)
    return grpc.StatusCode.UNKNOWN if chosen is grpc.StatusCode.OK else chosen
