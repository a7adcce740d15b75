"""What every service tells about itself."""

import asyncio

import grpc.aio

from openmanager.common.v1 import telemetry_pb2, telemetry_pb2_grpc
from services.common.rpc.handlers import Context
from services.common.telemetry import Telemetry


class TelemetryServicer(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Serves the metrics of one service's registry."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    async def ExportMetrics(  # noqa: N802 - the name of the RPC
        self, request: telemetry_pb2.ExportMetricsRequest, context: Context
    ) -> telemetry_pb2.ExportMetricsResponse:
        """All metrics in the Prometheus text format, written in a thread because collectors may be many."""
        exposition = await asyncio.to_thread(self._telemetry.exposition)
        return telemetry_pb2.ExportMetricsResponse(exposition=exposition)


def add_telemetry(telemetry: Telemetry, server: grpc.aio.Server) -> None:
    """Serve the metrics on this server."""
    telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(TelemetryServicer(telemetry), server)
