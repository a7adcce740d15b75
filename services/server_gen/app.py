"""Puts the virtual fleet together."""

import grpc.aio

from openmanager.server_gen.v1 import server_gen_pb2_grpc
from services.common.clock import Clock
from services.common.lifecycle import Lifecycle
from services.common.service import Connect, Service
from services.common.telemetry import Telemetry
from services.server_gen.adapters.state_file import StateFile
from services.server_gen.domain.fleet import Fleet
from services.server_gen.servicer import ServerGenServicer
from services.server_gen.settings import ServerGenSettings


def build(settings: ServerGenSettings, _connect: Connect, telemetry: Telemetry, clock: Clock) -> Service:
    """The service; it calls no other one."""
    state = StateFile(settings.data_dir / "server_gen" / "fleet.json")
    fleet = Fleet(settings.seed, settings.target_count, state, complete_at_first=settings.demo)
    servicer = ServerGenServicer(fleet, clock, settings.interval_seconds)
    size = telemetry.gauge("server_gen_servers", "Servers in the virtual fleet.")
    size.set_function(lambda: len(fleet.servers))

    def register(server: grpc.aio.Server) -> None:
        server_gen_pb2_grpc.add_ServerGenServiceServicer_to_server(servicer, server)

    async def start(_lifecycle: Lifecycle) -> None:
        await fleet.open()

    return Service("server_gen", register, start)
