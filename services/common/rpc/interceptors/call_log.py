"""One log line a call: debug for what callers may expect, warning for what an operator should see."""

import logging
import time
from typing import Any, Final

import grpc
import structlog

from services.common.rpc.handlers import Behavior, Context, Method
from services.common.rpc.interceptors.base import CallInterceptor
from services.common.rpc.interceptors.outcome import outcome_of
from services.common.rpc.metadata import CALLER_KEY, first_text

LOGGER: Final = "rpc.server"
log = structlog.get_logger(LOGGER)

_WARN: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.UNAUTHENTICATED,
    }
)


class CallLogInterceptor(CallInterceptor):
    """Logs each call with its method, status, seconds and caller."""

    def wrap(self, method: Method, proceed: Behavior) -> Behavior:
        """Run the method and log its end."""
        name = f"{method.service}/{method.name}"
        gate = logging.getLogger(LOGGER)  # asked first: building a line that nobody reads costs more than a small call

        def report(context: Context, error: BaseException | None, started: float) -> None:
            code = outcome_of(context, error)
            level = logging.WARNING if code in _WARN else logging.DEBUG
            if gate.isEnabledFor(level):
                caller = first_text(context.invocation_metadata(), CALLER_KEY)
                seconds = round(time.perf_counter() - started, 6)
                log.log(level, "rpc", method=name, code=code.name, seconds=seconds, caller=caller, details=_text(context))

        async def serve(request: Any, context: Context) -> Any:
            started = time.perf_counter()
            try:
                response = await proceed(request, context)
            except BaseException as error:
                report(context, error, started)
                raise
            report(context, None, started)
            return response

        return serve


def _text(context: Context) -> str:
    details: str | bytes | None = context.details()  # bytes over a socket when set by set_details
    return details.decode("utf-8", "replace") if isinstance(details, bytes) else details or ""
