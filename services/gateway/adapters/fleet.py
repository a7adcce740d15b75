"""The virtual fleet: the seed routes, whose documents are in camelCase, what it is made of, and its faults."""

from collections.abc import Callable
from typing import Final

from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from openmanager.server_gen.v1 import server_gen_pb2, server_gen_pb2_grpc
from services.common.errors import DeadlineExceededError, UnavailableError
from services.gateway.adapters.calls import call, duration, timestamp, timestamp_text
from services.gateway.adapters.fault_document import fault_document, fleet_document
from services.gateway.domain.ports import Document, FaultOrder, Page

TIMEOUT_SECONDS: Final = 10.0
TRUTH_TIMEOUT_SECONDS: Final = 30.0
"""The truth about a fault is found by simulating the fleet with it and without it."""
FORGET_TIMEOUT_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 5.0


class FleetClient:
    """Asks the server_gen service, and has the metrics service forget what is gone.

    Args:
        stub: the fleet.
        metrics: where its samples are stored.
        forget_figures: makes the live figures of servers that were removed vanish.
    """

    def __init__(
        self,
        stub: "server_gen_pb2_grpc.ServerGenServiceAsyncStub",
        metrics: "metrics_pb2_grpc.MetricsServiceAsyncStub",
        forget_figures: Callable[[], None],
    ) -> None:
        self._stub = stub
        self._metrics = metrics
        self._forget_figures = forget_figures

    async def generate(self, current_count: int | None, *, reset: bool) -> Document:
        """Add one server; `server` is None when the fleet was complete already."""
        request = server_gen_pb2.GenerateServerRequest(current_count=current_count, reset=reset)
        response = await call(self._stub.GenerateServer, request, TIMEOUT_SECONDS)
        if reset:
            fleet = await call(self._stub.GetFleet, server_gen_pb2.GetFleetRequest(), TIMEOUT_SECONDS)
            await self._forget_before(fleet.generation)
        server = _server(response.server) if response.HasField("server") else None
        return {"success": True, "server": server, **_progress(response.current_count, response.target_count)}

    async def status(self) -> Document:
        """How large the fleet is, and its servers."""
        response = await call(self._stub.GetFleetStatus, server_gen_pb2.GetFleetStatusRequest(), TIMEOUT_SECONDS)
        servers = [_server(server) for server in response.servers]
        return {"success": True, **_progress(response.current_count, response.target_count), "servers": servers}

    async def reset(self) -> Document:
        """Remove every server and forget what was stored of them."""
        response = await call(self._stub.ResetFleet, server_gen_pb2.ResetFleetRequest(), TIMEOUT_SECONDS)
        await self._forget_before(response.generation)
        return {"success": True, **_progress(0, response.target_count), "removed": response.removed}

    async def describe(self) -> Document:
        """Sites, servers with their specs and dependencies, and the kinds of faults."""
        return fleet_document(await call(self._stub.GetFleet, server_gen_pb2.GetFleetRequest(), TIMEOUT_SECONDS))

    async def inject(self, order: FaultOrder) -> Document:
        """Plan a fault; gives it with its truth."""
        request = server_gen_pb2.InjectFaultRequest(
            kind=order.kind,
            server=order.server,
            start=None if order.start_ms is None else timestamp(order.start_ms),
            duration=duration(order.duration_seconds),
            severity=order.severity,
        )
        return fault_document((await call(self._stub.InjectFault, request, TRUTH_TIMEOUT_SECONDS)).fault)

    async def list_faults(
        self, start_ms: int | None, end_ms: int | None, page_size: int, page_token: str, *, cancelled: bool
    ) -> Page:
        """Faults that are under way somewhere in the range, the latest start first."""
        request = server_gen_pb2.ListFaultsRequest(
            start=None if start_ms is None else timestamp(start_ms),
            end=None if end_ms is None else timestamp(end_ms),
            cancelled=cancelled,
            page_size=page_size,
            page_token=page_token,
        )
        response = await call(self._stub.ListFaults, request, TRUTH_TIMEOUT_SECONDS)
        return Page([fault_document(fault) for fault in response.faults], response.next_page_token)

    async def cancel(self, fault_id: str) -> None:
        """Withdraw a fault."""
        await call(self._stub.CancelFault, server_gen_pb2.CancelFaultRequest(id=fault_id), TRUTH_TIMEOUT_SECONDS)

    async def _forget_before(self, generation: int) -> None:
        """Have every sample of an earlier fleet forgotten.

        Raises:
            UnavailableError: it was not done yet (`SAMPLES_NOT_FORGOTTEN`).
        """
        request = metrics_pb2.ForgetFleetRequest(generation=generation)
        try:
            await call(self._metrics.ForgetFleet, request, FORGET_TIMEOUT_SECONDS)
        except (UnavailableError, DeadlineExceededError) as error:
            message = (
                "the fleet was emptied, but the metrics service is away or busy: it forgets the fleet's samples by itself once it is "
                "back, and until then they can still be read; /readyz tells when it is, and another reset waits for it"
            )
            raise UnavailableError(message, reason="SAMPLES_NOT_FORGOTTEN", retry_after_seconds=_RETRY_SECONDS) from error
        finally:
            self._forget_figures()  # now, and not earlier: samples that were on their way have arrived


def _progress(current: int, target: int) -> Document:
    percent = 100 * current // target if target else 100
    return {"currentCount": current, "targetCount": target, "isComplete": current >= target, "progress": min(percent, 100)}


def _server(server: server_gen_pb2.VirtualServer) -> Document:
    return {
        "id": server.id,
        "hostname": server.hostname,
        "role": server.role,
        "location": server.location,
        "metrics": dict(server.metrics),
        "time": timestamp_text(server.time) if server.HasField("time") else None,
    }
