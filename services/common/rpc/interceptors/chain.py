"""The order in which a call passes through the interceptors."""

from services.common.ids import IdSource
from services.common.rpc.interceptors.base import CallInterceptor
from services.common.rpc.interceptors.call_log import CallLogInterceptor
from services.common.rpc.interceptors.deadline import DeadlineInterceptor
from services.common.rpc.interceptors.drain import DrainInterceptor
from services.common.rpc.interceptors.errors import ErrorsInterceptor
from services.common.rpc.interceptors.identity import IdentityInterceptor
from services.common.rpc.interceptors.metrics import MetricsInterceptor
from services.common.rpc.interceptors.request_id import RequestIdInterceptor
from services.common.telemetry import Telemetry


def build_chain(
    telemetry: Telemetry, *, token: str | None, new_id: IdSource, drain: DrainInterceptor, cap_seconds: float
) -> tuple[CallInterceptor, ...]:
    """The interceptors, the outermost first: all within errors may raise, all around it sees the status that was sent."""
    return (
        RequestIdInterceptor(new_id),
        CallLogInterceptor(),
        MetricsInterceptor(telemetry),
        ErrorsInterceptor(),
        drain,
        IdentityInterceptor(token),
        DeadlineInterceptor(cap_seconds),
    )
