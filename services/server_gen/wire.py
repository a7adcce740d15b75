"""Between the fleet's messages and its domain values; decides nothing."""

import math
from collections.abc import Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from openmanager.server_gen.v1 import server_gen_pb2 as pb
from services.server_gen.domain.catalogue import CATALOGUE
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.truth import Truth
from services.server_gen.domain.injection import FaultWish
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import VirtualServer
from services.server_gen.domain.sites import Site
from services.server_gen.domain.snapshot import Snapshot, World

_PLAIN: Final = tuple(
    (row, metric.name)
    for row, metric in enumerate(CATALOGUE)
    if not metric.counter and not metric.labels and not metric.name.startswith(("node_", "process_"))
)
"""Rows and names of the figures that are understood without knowing the exporter that they are named after."""


def seconds_of(message: Timestamp | Duration) -> float:
    """Seconds, for a timestamp since 1970; those that are out of the range of its type are for the domain to refuse."""
    return message.seconds + message.nanos / 1e9


def timestamp(seconds: float) -> Timestamp:
    """A Unix time, to the millisecond."""
    message = Timestamp()
    message.FromMilliseconds(round(seconds * 1000))
    return message


def duration(seconds: float) -> Duration:
    """A length of time, to the millisecond."""
    message = Duration()
    message.FromMilliseconds(round(seconds * 1000))
    return message


def server_messages(servers: Sequence[VirtualServer], figures: Floats, time_seconds: float) -> list[pb.VirtualServer]:
    """Servers with their figures.

    Args:
        servers: n of them.
        figures: float64[len(CATALOGUE), n], NaN where there is none.
        time_seconds: the Unix time that the figures are of.
    """
    columns = figures.T.tolist()
    time = timestamp(time_seconds)
    messages = []
    for server, values in zip(servers, columns, strict=True):
        metrics = {name: values[row] for row, name in _PLAIN if not math.isnan(values[row])}
        messages.append(
            pb.VirtualServer(
                id=server.id,
                hostname=server.hostname,
                role=server.role.name,
                location=server.site.name,
                metrics=metrics,
                time=time,
            )
        )
    return messages


def fleet_message(snapshot: Snapshot, world: World, target_size: int) -> pb.GetFleetResponse:
    """The fleet without figures."""
    servers = snapshot.servers
    return pb.GetFleetResponse(
        generation=snapshot.generation,
        seed=world.seed,
        target_count=target_size,
        scenario=world.scenario.name,
        epoch=timestamp(snapshot.record.epoch),
        sites=[_site_message(site) for site in dict.fromkeys(server.site for server in servers)],
        servers=[
            _described(server, [servers[place].hostname for place in callees])
            for server, callees in zip(servers, snapshot.graph.callees, strict=True)
        ],
        kinds=[
            pb.FaultKind(name=kind.name, description=kind.description, harmless=kind.harmless, roles=kind.roles)
            for kind in KINDS.values()
        ],
    )


def fault_wish(request: pb.InjectFaultRequest) -> FaultWish:
    """What somebody asks for."""
    return FaultWish(
        kind=request.kind,
        server=request.server,
        start=seconds_of(request.start) if request.HasField("start") else None,
        duration_seconds=seconds_of(request.duration),
        severity=request.severity,
    )


def fault_message(fault: Fault, truth: Truth, now: float) -> pb.Fault:
    """A fault with its truth, in the state that it has at this Unix time."""
    return pb.Fault(
        id=fault.id,
        kind=fault.kind,
        server=fault.server,
        severity=fault.severity,
        start=timestamp(fault.start),
        ramp=duration(truth.ramp_seconds),
        end=timestamp(fault.stop),
        state=_state(fault, now),
        harmless=KINDS[fault.kind].harmless,
        root_cause=truth.root_cause,
        servers=truth.servers,
        symptoms=[
            pb.Symptom(server=symptom.server, metric=symptom.metric, onset=timestamp(symptom.onset), direction=symptom.direction)
            for symptom in truth.symptoms
        ],
        source=fault.source,
    )


def _state(fault: Fault, now: float) -> "pb.FaultState.ValueType":
    if fault.cancelled_at is not None:
        return pb.FAULT_STATE_CANCELLED
    if now < fault.start:
        return pb.FAULT_STATE_SCHEDULED
    return pb.FAULT_STATE_ACTIVE if now < fault.end else pb.FAULT_STATE_ENDED


def _described(server: VirtualServer, callees: Sequence[str]) -> pb.VirtualServer:
    spec = server.spec
    return pb.VirtualServer(
        id=server.id,
        hostname=server.hostname,
        role=server.role.name,
        location=server.site.name,
        spec=pb.ServerSpec(cores=spec.cores, memory_bytes=spec.memory_bytes, disk_bytes=spec.disk_bytes),
        depends_on=callees,
    )


def _site_message(site: Site) -> pb.Site:
    return pb.Site(name=site.name, time_zone=site.zone, holidays=site.country)
