"""Counts and times of calls, per method."""

import time
from typing import Any

import grpc

from services.common.rpc.handlers import Behavior, Context, Method
from services.common.rpc.interceptors.base import CallInterceptor
from services.common.rpc.interceptors.outcome import outcome_of
from services.common.telemetry import Telemetry


class MetricsInterceptor(CallInterceptor):
    """Keeps `openmanager_rpc_requests_total`, `openmanager_rpc_duration_seconds` and `openmanager_rpc_in_flight`.

    The duration of a stream of responses is how long it was open.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__()
        labels = ("service", "method")
        self._requests = telemetry.counter("rpc_requests", "RPCs served, by status code.", (*labels, "code"))
        self._seconds = telemetry.histogram("rpc_duration_seconds", "Seconds from the start of an RPC to its end.", labels)
        self._in_flight = telemetry.gauge("rpc_in_flight", "RPCs being served.", labels)

    def wrap(self, method: Method, proceed: Behavior) -> Behavior:
        """Run the method and count it."""
        labels = (method.service, method.name)
        seconds, in_flight = self._seconds.labels(*labels), self._in_flight.labels(*labels)
        ok = self._requests.labels(*labels, grpc.StatusCode.OK.name)

        def count(context: Context, error: BaseException | None, started: float) -> None:
            in_flight.dec()
            seconds.observe(time.perf_counter() - started)
            code = outcome_of(context, error)
            (ok if code is grpc.StatusCode.OK else self._requests.labels(*labels, code.name)).inc()

        async def serve(request: Any, context: Context) -> Any:
            started = time.perf_counter()
            in_flight.inc()
            try:
                response = await proceed(request, context)
            except BaseException as error:
                count(context, error, started)
                raise
            count(context, None, started)
            return response

        return serve
