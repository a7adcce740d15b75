"""Puts the virtual fleet together."""

import asyncio
from typing import Final

import grpc.aio

from openmanager.server_gen.v1 import server_gen_pb2_grpc
from services.common.clock import Clock
from services.common.ids import new_id
from services.common.lifecycle import Lifecycle
from services.common.pools.pool import PoolInstruments
from services.common.pools.threads import ThreadPool
from services.common.service import Connect, Service
from services.common.telemetry import Telemetry
from services.server_gen.adapters.database import Database
from services.server_gen.adapters.fleet_store import SqlFleetState
from services.server_gen.adapters.former_file import FormerFile
from services.server_gen.domain.faults.scenario_file import load_scenario
from services.server_gen.domain.fleet import Fleet
from services.server_gen.domain.snapshot import World
from services.server_gen.domain.truths import Truths
from services.server_gen.servicer import ServerGenServicer
from services.server_gen.settings import ServerGenSettings

_QUEUE_SIZE: Final = 256


def build(settings: ServerGenSettings, _connect: Connect, telemetry: Telemetry, clock: Clock) -> Service:
    """The service; it calls no other one.

    Raises:
        OpenManagerError: the scenario cannot be used.
    """
    folder = settings.data_dir / "server_gen"
    former = FormerFile(folder / "fleet.json")
    url = settings.database_url.get_secret_value() if settings.database_url else None
    database = Database(url, folder)
    world = World(settings.seed, load_scenario(settings.scenario), settings.holidays_extra)
    # Truths wait for each other, so that they hold up no sample.
    instruments = PoolInstruments(telemetry)
    pool = ThreadPool("server_gen", workers=2, queue_size=_QUEUE_SIZE, instruments=instruments)
    truth_pool = ThreadPool("server_gen_truth", workers=1, queue_size=_QUEUE_SIZE, instruments=instruments)
    fleet = Fleet(world, settings.target_count, SqlFleetState(database), pool, clock, new_id)
    truths = Truths(fleet, truth_pool, clock)
    servicer = ServerGenServicer(fleet, truths, pool, clock, settings.interval_seconds)
    size = telemetry.gauge("server_gen_servers", "Servers in the virtual fleet.")
    injected = telemetry.gauge("server_gen_injected_faults", "Faults that were injected into the virtual fleet since it began.")

    def register(server: grpc.aio.Server) -> None:
        server_gen_pb2_grpc.add_ServerGenServiceServicer_to_server(servicer, server)

    async def start(lifecycle: Lifecycle) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = await asyncio.to_thread(former.read)
        await database.open()
        lifecycle.on_stop("database", database.close)
        lifecycle.on_stop("pool", pool.stop)
        lifecycle.on_stop("truth pool", truth_pool.stop)
        first_size = settings.target_count if settings.demo else 0
        await fleet.open(first_size if before is None else before)
        lifecycle.on_stop("fleet", fleet.close)
        await asyncio.to_thread(former.remove)
        size.set_function(lambda: len(fleet.snapshot.servers))
        injected.set_function(lambda: len(fleet.snapshot.injected))
        lifecycle.spawn("truths", truths.prepare())

    return Service("server_gen", register, start)
