"""Why a query was not answered; reasons follow the `errorType` of Prometheus' HTTP API."""

from typing import ClassVar

from services.common.errors import CancelledError, InvalidArgumentError, ResourceExhaustedError


class BadDataError(InvalidArgumentError):
    """The expression or a parameter is malformed, or it uses something that is not supported."""

    default_reason: ClassVar[str] = "BAD_DATA"


class ExecutionError(InvalidArgumentError):
    """The expression is well-formed, but these data have no answer to it, such as two series with the same labels."""

    default_reason: ClassVar[str] = "EXECUTION"


class QueryTooLargeError(ResourceExhaustedError):
    """The query would read or make more samples than one query may."""

    default_reason: ClassVar[str] = "QUERY_TOO_LARGE"


class QueryCancelledError(CancelledError):
    """Nobody waits for the answer any more."""

    default_reason: ClassVar[str] = "CANCELLED"
