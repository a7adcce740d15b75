"""The suite's errors, and their way through gRPC as `google.rpc.Status`.

Each error has a gRPC code, an UPPER_SNAKE reason that programs may rely on, and a message that tells a person what to do.
The same three travel through every transport: `to_status` writes them as `google.rpc.Status` with one `ErrorInfo` (and a
`BadRequest` for bad fields), `from_rpc_error` reads them back on the other side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

DOMAIN: Final = "openmanager"
STATUS_DETAILS_KEY: Final = "grpc-status-details-bin"


@dataclass(frozen=True)
class FieldError:
    """One field of a request that was wrong."""

    field: str
    message: str


class OpenManagerError(Exception):
    """An expected failure: known code, known reason, a message for a person and no stack trace."""

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    default_reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        fields: Sequence[FieldError] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.fields = tuple(fields)
        self.retry_after_seconds = retry_after_seconds


class InternalError(OpenManagerError):
    """A bug; its details stay in the log."""


class InvalidArgumentError(OpenManagerError):
    """The request is malformed and will never succeed."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    default_reason = "INVALID_ARGUMENT"


class RefusedError(OpenManagerError):
    """The request is well-formed, but the present state does not allow it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    default_reason = "REFUSED"


class NotFoundError(OpenManagerError):
    """What the request names does not exist."""

    code = grpc.StatusCode.NOT_FOUND
    default_reason = "NOT_FOUND"


class AlreadyExistsError(OpenManagerError):
    """What the request would make exists already."""

    code = grpc.StatusCode.ALREADY_EXISTS
    default_reason = "ALREADY_EXISTS"


class ConflictError(OpenManagerError):
    """Somebody else changed the same thing; read it again and retry."""

    code = grpc.StatusCode.ABORTED
    default_reason = "CONFLICT"


class UnauthenticatedError(OpenManagerError):
    """The caller did not say who it is."""

    code = grpc.StatusCode.UNAUTHENTICATED
    default_reason = "UNAUTHENTICATED"


class PermissionDeniedError(OpenManagerError):
    """The caller may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    default_reason = "PERMISSION_DENIED"


class ResourceExhaustedError(OpenManagerError):
    """Too much at once; try again later."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    default_reason = "RESOURCE_EXHAUSTED"


class UnavailableError(OpenManagerError):
    """A dependency is away; the same request may succeed later."""

    code = grpc.StatusCode.UNAVAILABLE
    default_reason = "UNAVAILABLE"


class DeadlineExceededError(OpenManagerError):
    """There was not enough time."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    default_reason = "DEADLINE_EXCEEDED"


class CancelledError(OpenManagerError):
    """The caller gave up."""

    code = grpc.StatusCode.CANCELLED
    default_reason = "CANCELLED"


class UnimplementedError(OpenManagerError):
    """This build cannot do it."""

    code = grpc.StatusCode.UNIMPLEMENTED
    default_reason = "UNIMPLEMENTED"


_ERRORS: Final[tuple[type[OpenManagerError], ...]] = (
    InternalError,
    InvalidArgumentError,
    RefusedError,
    NotFoundError,
    AlreadyExistsError,
    ConflictError,
    UnauthenticatedError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnavailableError,
    DeadlineExceededError,
    CancelledError,
    UnimplementedError,
)
_BY_CODE: Final = {error.code: error for error in _ERRORS} | {grpc.StatusCode.OUT_OF_RANGE: InvalidArgumentError}
_CODE_NUMBERS: Final = {code: code.value[0] for code in grpc.StatusCode}


def to_status(error: OpenManagerError) -> status_pb2.Status:
    """The error as `google.rpc.Status` (google/rpc/status.proto)."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    if error.retry_after_seconds is not None:
        info.metadata["retry_after_seconds"] = repr(error.retry_after_seconds)
    details = [_pack(info)]
    if error.fields:
        violations = [error_details_pb2.BadRequest.FieldViolation(field=f.field, description=f.message) for f in error.fields]
        details.append(_pack(error_details_pb2.BadRequest(field_violations=violations)))
    number = _CODE_NUMBERS.get(error.code, code_pb2.UNKNOWN)
    return status_pb2.Status(code=number, message=error.message, details=details)


def from_status(code: grpc.StatusCode, message: str, status: status_pb2.Status | None = None) -> OpenManagerError:
    """The error that a peer sent; a status without our details keeps its code and message."""
    reason: str | None = None
    retry_after: float | None = None
    fields: list[FieldError] = []
    for detail in status.details if status is not None else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
            if "retry_after_seconds" in info.metadata:
                retry_after = float(info.metadata["retry_after_seconds"])
        elif detail.Unpack(bad):
            fields = [FieldError(v.field, v.description) for v in bad.field_violations]
    kind = _BY_CODE.get(code, InternalError)
    return kind(message, reason=reason, fields=fields, retry_after_seconds=retry_after)


def from_rpc_error(error: grpc.aio.AioRpcError) -> OpenManagerError:
    """The error behind a failed call."""
    status: status_pb2.Status | None = None
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS_KEY and isinstance(value, bytes):
            status = status_pb2.Status.FromString(value)
    return from_status(error.code(), error.details() or error.code().name, status)


def _pack(message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
