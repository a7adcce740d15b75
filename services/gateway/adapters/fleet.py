"""The virtual fleet behind the seed routes, whose documents are in camelCase."""

from typing import Final

from openmanager.server_gen.v1 import server_gen_pb2, server_gen_pb2_grpc
from services.gateway.adapters.calls import call, timestamp_text
from services.gateway.domain.ports import Document

TIMEOUT_SECONDS: Final = 10.0


class FleetClient:
    """Grows and empties the fleet of the server_gen service."""

    def __init__(self, stub: "server_gen_pb2_grpc.ServerGenServiceAsyncStub") -> None:
        self._stub = stub

    async def generate(self, current_count: int | None, *, reset: bool) -> Document:
        """Add one server; `server` is None when the fleet was complete already."""
        request = server_gen_pb2.GenerateServerRequest(current_count=current_count, reset=reset)
        response = await call(self._stub.GenerateServer, request, TIMEOUT_SECONDS)
        server = _server(response.server) if response.HasField("server") else None
        return {"success": True, "server": server, **_progress(response.current_count, response.target_count)}

    async def status(self) -> Document:
        """How large the fleet is, and its servers."""
        response = await call(self._stub.GetFleetStatus, server_gen_pb2.GetFleetStatusRequest(), TIMEOUT_SECONDS)
        servers = [_server(server) for server in response.servers]
        return {"success": True, **_progress(response.current_count, response.target_count), "servers": servers}

    async def reset(self) -> Document:
        """Remove every server."""
        response = await call(self._stub.ResetFleet, server_gen_pb2.ResetFleetRequest(), TIMEOUT_SECONDS)
        return {"success": True, **_progress(0, response.target_count), "removed": response.removed}


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
