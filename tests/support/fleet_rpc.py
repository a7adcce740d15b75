"""The virtual fleet's service in the test's own process, and its streams as tables."""

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from openmanager.common.v1 import label_pb2
from openmanager.server_gen.v1 import server_gen_pb2 as pb
from openmanager.server_gen.v1.server_gen_pb2_grpc import ServerGenServiceStub
from services.common.clock import ManualClock
from services.common.errors import OpenManagerError, from_rpc_error
from services.server_gen.app import build
from services.server_gen.settings import ServerGenSettings
from tests.support.services import InProcess

Names = dict[int, tuple[tuple[str, str], ...]]


def at(seconds: float) -> Timestamp:
    """A Unix time as a message."""
    message = Timestamp()
    message.FromNanoseconds(round(seconds * 1000) * 1_000_000)
    return message


def lasting(seconds: float) -> Duration:
    """A length of time as a message."""
    message = Duration()
    message.FromNanoseconds(round(seconds * 1000) * 1_000_000)
    return message


class FleetService:
    """Starts, stops and asks the service."""

    def __init__(self, services: InProcess, clock: ManualClock, folder: Path) -> None:
        self.services = services
        self.clock = clock
        self.folder = folder
        self.stub = ServerGenServiceStub(services.channel("server_gen"))

    async def start(self, *, demo: bool = False, **settings: Any) -> None:
        """Run the service over the same folder as before, by default without a fault of any scenario."""
        calm = self.folder / "calm.toml"
        calm.write_text('title = "Nothing happens"\n')
        chosen = ServerGenSettings.model_validate({"data_dir": self.folder, "demo": demo, "scenario": str(calm), **settings})
        await self.services.start("server_gen", lambda connect, telemetry: build(chosen, connect, telemetry, self.clock))

    async def restart(self, **settings: Any) -> None:
        """Stop and start again."""
        await self.services.stop("server_gen")
        await self.start(**settings)

    async def generate(self, current_count: int | None = None, *, reset: bool = False) -> pb.GenerateServerResponse:
        """Add a server."""
        return await self.stub.GenerateServer(pb.GenerateServerRequest(current_count=current_count, reset=reset))

    async def status(self) -> pb.GetFleetStatusResponse:
        """Ask for the present figures."""
        return await self.stub.GetFleetStatus(pb.GetFleetStatusRequest())

    async def fleet(self) -> pb.GetFleetResponse:
        """Ask for the description."""
        return await self.stub.GetFleet(pb.GetFleetRequest())

    async def reset(self) -> pb.ResetFleetResponse:
        """Empty the fleet."""
        return await self.stub.ResetFleet(pb.ResetFleetRequest())

    async def inject(self, kind: str = "disk_slow", server: str = "", seconds: float = 600.0, **fields: Any) -> pb.Fault:
        """Plan a fault."""
        request = pb.InjectFaultRequest(kind=kind, server=server, duration=lasting(seconds), **{"severity": 0.7, **fields})
        return (await self.stub.InjectFault(request)).fault

    async def faults(self, **fields: Any) -> list[pb.Fault]:
        """The first page of the truth."""
        return list((await self.stub.ListFaults(pb.ListFaultsRequest(**fields))).faults)

    async def cancel(self, fault_id: str) -> pb.Fault:
        """Withdraw a fault."""
        return (await self.stub.CancelFault(pb.CancelFaultRequest(id=fault_id))).fault

    async def history(self, **fields: Any) -> list[pb.ReadFleetHistoryResponse]:
        """All parts of a range of the past."""
        return [part async for part in self.stub.ReadFleetHistory(pb.ReadFleetHistoryRequest(**fields))]


def columns(samples: label_pb2.SampleColumns) -> tuple[Any, Any, Any]:
    """Ids, times and values as arrays."""
    return (
        np.frombuffer(samples.series_ids, "<u8"),
        np.frombuffer(samples.timestamps_ms, "<i8"),
        np.frombuffer(samples.values, "<f8"),
    )


def names(*messages: pb.WatchFleetSamplesResponse | pb.ReadFleetHistoryResponse) -> Names:
    """The labels of every series that the messages define."""
    return {one.id: tuple((label.name, label.value) for label in one.labels) for message in messages for one in message.series}


async def refused(call: Any) -> OpenManagerError:
    """The error that a call must end with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
