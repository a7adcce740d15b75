"""The one place where exceptions become statuses."""

from typing import Any, Final, Never

import grpc
import grpc.aio
import structlog

from services.common.errors import (
    STATUS_DETAILS_KEY,
    DeadlineExceededError,
    InternalError,
    OpenManagerError,
    ResourceExhaustedError,
    UnavailableError,
    UnimplementedError,
    from_rpc_error,
    to_status,
)
from services.common.logs import request_id_var
from services.common.rpc.handlers import Behavior, Context, Method
from services.common.rpc.interceptors.base import CallInterceptor
from services.common.rpc.interceptors.outcome import status_of
from services.common.rpc.metadata import to_pairs

log = structlog.get_logger("rpc.server")

MAX_MESSAGE_CHARACTERS: Final = 1_000
MAX_DETAILS_BYTES: Final = 8_192
"""A status travels in HTTP/2 headers, which every peer bounds; a longer one would arrive as an error of the transport."""

_PASSED_ON: Final = (UnavailableError, DeadlineExceededError, ResourceExhaustedError)


class ErrorsInterceptor(CallInterceptor):
    """Sends an `OpenManagerError` as `google.rpc.Status`, and any other exception as INTERNAL with the request id to look for."""

    def wrap(self, method: Method, proceed: Behavior) -> Behavior:
        """Run the method and turn its exception into a status."""
        name = f"{method.service}/{method.name}"

        async def serve(request: Any, context: Context) -> Any:
            try:
                return await proceed(request, context)
            except grpc.aio.AbortError:
                raise  # the servicer has chosen the status itself
            except OpenManagerError as error:
                expected = error
            except Exception as error:  # noqa: BLE001 - the boundary: whatever a servicer raises ends here, as a status
                expected = _translate(name, context, error)
            return await _abort(context, expected)

        return serve


def _translate(name: str, context: Context, error: Exception) -> OpenManagerError:
    if isinstance(error, NotImplementedError) and status_of(context) is grpc.StatusCode.UNIMPLEMENTED:
        return UnimplementedError(f"{name} is not implemented")  # what a generated servicer does for methods nobody wrote
    if isinstance(error, grpc.aio.AioRpcError):
        behind = from_rpc_error(error)
        if isinstance(behind, _PASSED_ON):
            return behind
    log.error("rpc_crashed", method=name, error=repr(error), exc_info=error)
    return InternalError(f"internal error; see the log line with request id {request_id_var.get()}")


async def _abort(context: Context, error: OpenManagerError) -> Never:
    status = to_status(error)
    status.message = status.message[:MAX_MESSAGE_CHARACTERS]
    if status.ByteSize() > MAX_DETAILS_BYTES:
        del status.details[1:]  # the reason stays; a list of wrong fields this long helps nobody
    details = (STATUS_DETAILS_KEY, status.SerializeToString())
    await context.abort(error.code, status.message, (*to_pairs(context.trailing_metadata()), details))
