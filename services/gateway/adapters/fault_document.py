"""The virtual fleet and its faults as the HTTP contract has them."""

from typing import Any

from openmanager.server_gen.v1 import server_gen_pb2
from services.gateway.adapters.calls import seconds, timestamp_text
from services.gateway.domain.ports import Document


def fleet_document(fleet: server_gen_pb2.GetFleetResponse) -> Document:
    """What the fleet is made of, without figures."""
    return {
        "generation": fleet.generation,
        "seed": fleet.seed,
        "scenario": fleet.scenario,
        "epoch": _time(fleet, "epoch"),
        "target": fleet.target_count,
        "sites": [{"name": site.name, "time_zone": site.time_zone, "holidays": site.holidays or None} for site in fleet.sites],
        "roles": list(dict.fromkeys(server.role for server in fleet.servers)),
        "servers": [
            {
                "id": server.id,
                "hostname": server.hostname,
                "role": server.role,
                "site": server.location,
                "spec": {
                    "cores": server.spec.cores,
                    "memory_bytes": server.spec.memory_bytes,
                    "disk_bytes": server.spec.disk_bytes,
                },
                "depends_on": list(server.depends_on),
            }
            for server in fleet.servers
        ],
        "kinds": [
            {"name": kind.name, "description": kind.description, "harmless": kind.harmless, "roles": list(kind.roles)}
            for kind in fleet.kinds
        ],
    }


def fault_document(fault: server_gen_pb2.Fault) -> Document:
    """One fault with its truth."""
    return {
        "id": fault.id,
        "kind": fault.kind,
        "server": fault.server,
        "severity": fault.severity,
        "start": _time(fault, "start"),
        "ramp_seconds": seconds(fault.ramp),
        "end": _time(fault, "end"),
        "state": server_gen_pb2.FaultState.Name(fault.state).removeprefix("FAULT_STATE_").lower(),
        "harmless": fault.harmless,
        "root_cause": fault.root_cause,
        "servers": list(fault.servers),
        "symptoms": [
            {
                "server": symptom.server,
                "metric": symptom.metric,
                "onset": _time(symptom, "onset"),
                "direction": _direction(symptom.direction),
            }
            for symptom in fault.symptoms
        ],
        "source": fault.source,
    }


def _direction(sign: int) -> str:
    return "missing" if sign == 0 else "rises" if sign > 0 else "falls"


def _time(message: Any, field: str) -> str | None:
    return timestamp_text(getattr(message, field)) if message.HasField(field) else None
