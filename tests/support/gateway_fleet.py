"""The virtual fleet as the gateway sees it: small, in memory, and told what to answer."""
# ruff: noqa: N802  the methods are named by their protos

from collections.abc import AsyncIterator
from typing import Any

from openmanager.server_gen.v1 import server_gen_pb2, server_gen_pb2_grpc
from services.common.errors import ConflictError, FieldError, InvalidArgumentError, NotFoundError, RefusedError
from tests.support.gateway_fake import NOW_MS, Failing

TARGET = 20
KINDS = ("memory_leak", "cpu_runaway", "backup_window")
LONGEST_SECONDS = 30 * 86_400


class FakeFleet(Failing, server_gen_pb2_grpc.ServerGenServiceServicer):
    """A fleet of twenty, one fault of whose scenario is over."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        super().__init__()
        self.now_ms = now_ms
        self.count = 0
        self.generation = now_ms
        self.servers: list[server_gen_pb2.VirtualServer] = []
        """What the fleet is said to be made of; `count` web servers when there are none."""
        planned = server_gen_pb2.Fault(
            id="sc-1", kind="backup_window", server="web-02", severity=0.5, state=server_gen_pb2.FAULT_STATE_ENDED, harmless=True,
            root_cause="the nightly backup", servers=["web-02"], source="calm",
        )  # fmt: skip
        planned.start.FromMilliseconds(now_ms - 7_200_000)
        planned.end.FromMilliseconds(now_ms - 3_600_000)
        self.faults = {planned.id: planned}

    async def GenerateServer(
        self, request: server_gen_pb2.GenerateServerRequest, context: Any
    ) -> server_gen_pb2.GenerateServerResponse:
        self.called("GenerateServer", request)
        if request.reset:
            self._empty()
        if request.HasField("current_count") and request.current_count != self.count:
            raise ConflictError(f"the fleet has {self.count} servers")
        response = server_gen_pb2.GenerateServerResponse(target_count=TARGET)
        if self.count < TARGET:
            self.count += 1
            response.server.CopyFrom(_server(self.count))
        response.current_count = self.count
        return response

    async def GetFleetStatus(
        self, request: server_gen_pb2.GetFleetStatusRequest, context: Any
    ) -> server_gen_pb2.GetFleetStatusResponse:
        self.called("GetFleetStatus", request)
        servers = [_server(number + 1) for number in range(self.count)]
        return server_gen_pb2.GetFleetStatusResponse(current_count=self.count, target_count=TARGET, servers=servers)

    async def ResetFleet(self, request: server_gen_pb2.ResetFleetRequest, context: Any) -> server_gen_pb2.ResetFleetResponse:
        self.called("ResetFleet", request)
        removed = self.count
        self._empty()
        return server_gen_pb2.ResetFleetResponse(removed=removed, target_count=TARGET, generation=self.generation)

    async def GetFleet(self, request: server_gen_pb2.GetFleetRequest, context: Any) -> server_gen_pb2.GetFleetResponse:
        self.called("GetFleet", request)
        response = server_gen_pb2.GetFleetResponse(
            generation=self.generation,
            seed=2**64 - 1,
            target_count=TARGET,
            scenario="calm",
            sites=[server_gen_pb2.Site(name="seoul-1", time_zone="Asia/Seoul", holidays="KR"), server_gen_pb2.Site(name="lab")],
            servers=self._described(),
            kinds=[
                server_gen_pb2.FaultKind(name=kind, description="what happens", harmless=kind == KINDS[-1], roles=["web"][: k % 2])
                for k, kind in enumerate(KINDS)
            ],
        )
        response.epoch.FromMilliseconds(self.now_ms - 86_400_000)
        return response

    async def WatchFleetSamples(self, request: server_gen_pb2.WatchFleetSamplesRequest, context: Any) -> AsyncIterator[Any]:
        nothing: tuple[server_gen_pb2.WatchFleetSamplesResponse, ...] = ()
        for message in nothing:
            yield message

    async def ReadFleetHistory(self, request: server_gen_pb2.ReadFleetHistoryRequest, context: Any) -> AsyncIterator[Any]:
        nothing: tuple[server_gen_pb2.ReadFleetHistoryResponse, ...] = ()
        for message in nothing:
            yield message

    async def InjectFault(self, request: server_gen_pb2.InjectFaultRequest, context: Any) -> server_gen_pb2.InjectFaultResponse:
        self.called("InjectFault", request)
        start_ms = request.start.ToMilliseconds() if request.HasField("start") else self.now_ms
        server = request.server or "web-01"
        if request.kind not in KINDS:
            raise InvalidArgumentError(f"there is no kind {request.kind!r}", reason="UNKNOWN_KIND")
        if not self.now_ms - 60_000 <= start_ms <= self.now_ms + LONGEST_SECONDS * 1000:
            raise InvalidArgumentError("start", reason="INVALID_FAULT", fields=[FieldError("start", "too far away")])
        if server not in {one.hostname for one in self._described()}:
            raise RefusedError(f"the fleet has no server {server!r}", reason="UNKNOWN_SERVER")
        if any(
            (one.kind, one.server, one.state) == (request.kind, server, server_gen_pb2.FAULT_STATE_ACTIVE)
            for one in self.faults.values()
        ):
            raise ConflictError("there is one already", reason="FAULT_OVERLAPS")
        fault = server_gen_pb2.Fault(
            id=f"fault-{len(self.faults)}", kind=request.kind, server=server, severity=request.severity,
            state=server_gen_pb2.FAULT_STATE_ACTIVE, root_cause="something grows", servers=[server, "db-01"], source="injected",
        )  # fmt: skip
        fault.start.FromMilliseconds(start_ms)
        fault.ramp.FromMilliseconds(1500)
        fault.end.FromMilliseconds(start_ms + request.duration.ToMilliseconds())
        for metric, direction in (("memory", 1), ("requests", -1), ("swap", 0)):
            fault.symptoms.add(server=server, metric=metric, direction=direction).onset.FromMilliseconds(start_ms + 60_000)
        self.faults[fault.id] = fault
        return server_gen_pb2.InjectFaultResponse(fault=fault)

    async def ListFaults(self, request: server_gen_pb2.ListFaultsRequest, context: Any) -> server_gen_pb2.ListFaultsResponse:
        self.called("ListFaults", request)
        withdrawn = server_gen_pb2.FAULT_STATE_CANCELLED
        end_ms = request.end.ToMilliseconds() if request.HasField("end") else self.now_ms + 86_400_000
        found = [
            one
            for _, one in sorted(
                enumerate(self.faults.values()), key=lambda pair: (pair[1].start.ToMilliseconds(), pair[0]), reverse=True
            )
            if (request.cancelled or one.state != withdrawn)
            and one.start.ToMilliseconds() < end_ms
            and one.end.ToMilliseconds() > request.start.ToMilliseconds()
        ]
        first = int(request.page_token or "0")
        page = found[first : first + request.page_size]
        rest = str(first + len(page)) if first + len(page) < len(found) else ""
        return server_gen_pb2.ListFaultsResponse(faults=page, next_page_token=rest)

    async def CancelFault(self, request: server_gen_pb2.CancelFaultRequest, context: Any) -> server_gen_pb2.CancelFaultResponse:
        self.called("CancelFault", request)
        fault = self.faults.get(request.id)
        if fault is None:
            raise NotFoundError(f"there is no fault {request.id!r}", reason="UNKNOWN_FAULT")
        if fault.source != "injected":
            raise RefusedError("it belongs to the scenario", reason="FAULT_OF_SCENARIO")
        fault.state = server_gen_pb2.FAULT_STATE_CANCELLED
        return server_gen_pb2.CancelFaultResponse(fault=fault)

    def _described(self) -> list[server_gen_pb2.VirtualServer]:
        return self.servers or [_server(number + 1, described=True) for number in range(self.count)]

    def _empty(self) -> None:
        self.count = 0
        self.generation += 1


def _server(number: int, *, described: bool = False) -> server_gen_pb2.VirtualServer:
    server = server_gen_pb2.VirtualServer(id=f"srv-{number}", hostname=f"web-{number:02}", role="web", location="seoul-1")
    if described:
        server.spec.cores, server.spec.memory_bytes, server.spec.disk_bytes = 4, 8 * 2**30, 10**11
        server.depends_on.extend(f"web-{other:02}" for other in range(1, number))
        return server
    server.metrics.update({"cpu": 40.5, "memory": 60, "disk": 55})
    server.time.FromMilliseconds(NOW_MS)
    return server
