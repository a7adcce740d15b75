"""The virtual fleet: what it is made of, its faults, and emptying it for good."""

from typing import Any

import pytest

from services.common.clock import ManualClock
from services.common.errors import DeadlineExceededError, UnavailableError
from services.gateway.domain.access import Authenticator, Principal, Proof, Role
from services.gateway.web.schemas.base import Problem
from services.gateway.web.schemas.fleet import Fault, FaultList, FleetDescription, FleetReset, Generated
from services.gateway.web.schemas.system import Caller
from tests.support.gateway import TOKEN, RunningGateway
from tests.support.gateway_fake import NOW_MS

FAULTS = "/api/v1/fleet/faults"
LEAK: dict[str, Any] = {"kind": "memory_leak", "server": "web-01", "duration_seconds": 90.5, "severity": 0.5}
FLEET_ROUTES = [
    ("GET", "/api/v1/fleet"),
    ("GET", FAULTS),
    ("POST", FAULTS),
    ("DELETE", f"{FAULTS}/fault-1"),
    ("POST", "/api/servers/reset"),
]


@pytest.fixture
async def fleet(gateway: RunningGateway) -> RunningGateway:
    for _ in range(3):
        await gateway("POST", "/api/servers/generate")
    gateway.peers.server_gen.calls.clear()
    return gateway


def _session_of(role: Role) -> dict[str, str]:
    value, _ = Authenticator(TOKEN, ManualClock(NOW_MS / 1000), 3600.0).open_session(Principal("p", role, Proof.SESSION))
    return {"Cookie": f"openmanager_session={value}", "Sec-Fetch-Site": "same-origin"}


async def test_what_the_fleet_is_made_of(fleet: RunningGateway) -> None:
    reply = await fleet("GET", "/api/v1/fleet")

    FleetDescription.model_validate(reply.json)
    about = reply.json
    assert (about["generation"], about["seed"], about["scenario"], about["target"]) == (NOW_MS, 2**64 - 1, "calm", 20)
    assert about["epoch"] == "2023-11-13T22:13:20.000Z"
    assert about["sites"] == [
        {"name": "seoul-1", "time_zone": "Asia/Seoul", "holidays": "KR"},
        {"name": "lab", "time_zone": "", "holidays": None},
    ]
    assert about["roles"] == ["web"]
    assert about["servers"][2] == {
        "id": "srv-3",
        "hostname": "web-03",
        "role": "web",
        "site": "seoul-1",
        "spec": {"cores": 4, "memory_bytes": 8 * 2**30, "disk_bytes": 10**11},
        "depends_on": ["web-01", "web-02"],
    }
    assert [(kind["name"], kind["harmless"]) for kind in about["kinds"]][-1] == ("backup_window", True)


async def test_a_fault_comes_back_with_its_truth_and_can_be_withdrawn(fleet: RunningGateway) -> None:
    reply = await fleet("POST", FAULTS, {**LEAK, "start": "2023-11-15T07:15:00+09:00"})
    Fault.model_validate(reply.json)
    listed = (await fleet("GET", FAULTS)).json
    deleted = await fleet("DELETE", f"{FAULTS}/{reply.json['id']}")
    left = (await fleet("GET", FAULTS)).json
    withdrawn = (await fleet("GET", f"{FAULTS}?cancelled=true")).json

    FaultList.model_validate(listed)
    assert reply.status == 201
    assert reply.json == {
        "id": "fault-1",
        "kind": "memory_leak",
        "server": "web-01",
        "severity": 0.5,
        "start": "2023-11-14T22:15:00.000Z",
        "ramp_seconds": 1.5,
        "end": "2023-11-14T22:16:30.500Z",
        "state": "active",
        "harmless": False,
        "root_cause": "something grows",
        "servers": ["web-01", "db-01"],
        "symptoms": [
            {"server": "web-01", "metric": "memory", "onset": "2023-11-14T22:16:00.000Z", "direction": "rises"},
            {"server": "web-01", "metric": "requests", "onset": "2023-11-14T22:16:00.000Z", "direction": "falls"},
            {"server": "web-01", "metric": "swap", "onset": "2023-11-14T22:16:00.000Z", "direction": "missing"},
        ],
        "source": "injected",
    }
    assert [one["id"] for one in listed["items"]] == ["fault-1", "sc-1"]
    assert (deleted.status, deleted.body) == (204, b"")
    assert [one["id"] for one in left["items"]] == ["sc-1"]
    assert [one["state"] for one in withdrawn["items"]] == ["cancelled", "ended"]


async def test_what_is_left_out_is_left_to_the_fleet(fleet: RunningGateway) -> None:
    reply = await fleet("POST", FAULTS, {"kind": "memory_leak", "server": None, "duration_seconds": 60, "severity": 1})

    request = fleet.peers.server_gen.requests[-1]
    assert reply.status == 201
    assert (request.server, request.HasField("start"), request.duration.seconds, request.severity) == ("", False, 60, 1.0)


async def test_the_truth_in_pages_and_of_a_range(fleet: RunningGateway) -> None:
    for kind in ("memory_leak", "cpu_runaway"):
        await fleet("POST", FAULTS, {**LEAK, "kind": kind})
    first = (await fleet("GET", f"{FAULTS}?page_size=2&start=2023-11-14T00:00:00Z&end=2023-11-15T00:00:00%2B01:00")).json
    request = fleet.peers.server_gen.requests[-1]
    second = (await fleet("GET", f"{FAULTS}?page_size=2&page_token={first['next_page_token']}")).json

    assert [one["kind"] for one in first["items"]] == ["cpu_runaway", "memory_leak"]
    assert ([one["id"] for one in second["items"]], second["next_page_token"]) == (["sc-1"], None)
    assert request.start.ToJsonString() == "2023-11-14T00:00:00Z"
    assert request.end.ToJsonString() == "2023-11-14T23:00:00Z"
    assert request.cancelled is False


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"kind": "nonsense"}, 400, "UNKNOWN_KIND"),
        ({"start": "2023-11-01T00:00:00Z"}, 400, "INVALID_FAULT"),
        ({"server": "nobody"}, 422, "UNKNOWN_SERVER"),
        ({"server": '"} or vector(1) #'}, 422, "UNKNOWN_SERVER"),
        ({"server": "서버 1\x00"}, 422, "UNKNOWN_SERVER"),
        ({}, 409, "FAULT_OVERLAPS"),
    ],
)
async def test_what_the_fleet_refuses(fleet: RunningGateway, changed: dict[str, Any], status: int, reason: str) -> None:
    await fleet("POST", FAULTS, LEAK)

    reply = await fleet("POST", FAULTS, {**LEAK, **changed})

    assert (reply.status, reply.json["reason"]) == (status, reason)
    assert reply.headers["content-type"] == "application/problem+json"
    Problem.model_validate(reply.json)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"kind": ""}, "kind"),
        ({"kind": 5}, "kind"),
        ({"kind": "x" * 101}, "kind"),
        ({"server": 5}, "server"),
        ({"server": "x" * 254}, "server"),
        ({"duration_seconds": -1}, "duration_seconds"),
        ({"duration_seconds": 0}, "duration_seconds"),
        ({"duration_seconds": "60"}, "duration_seconds"),
        ({"duration_seconds": True}, "duration_seconds"),
        ({"duration_seconds": 1e300}, "duration_seconds"),
        ({"duration_seconds": None}, "duration_seconds"),
        ({"severity": 1.01}, "severity"),
        ({"severity": -0.01}, "severity"),
        ({"severity": 0}, "severity"),
        ({"severity": [0.5]}, "severity"),
        ({"start": "tomorrow"}, "start"),
        ({"start": "2023-11-14T22:13:20"}, "start"),
        ({"start": 1_700_000_000}, "start"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "start"),
        ({"start": "9999-12-31T23:59:59-14:00"}, "start"),
        ({"sevrity": 0.5}, "sevrity"),
    ],
)
async def test_a_body_that_cannot_be_meant_names_the_field(fleet: RunningGateway, changed: dict[str, Any], field: str) -> None:
    reply = await fleet("POST", FAULTS, {**LEAK, **changed})

    assert (reply.status, reply.json["reason"]) == (400, "INVALID_ARGUMENT")
    assert [error["field"] for error in reply.json["errors"]] == [field]
    assert fleet.peers.server_gen.calls == []


async def test_every_wrong_field_is_named_at_once(fleet: RunningGateway) -> None:
    reply = await fleet("POST", FAULTS, {"kind": "", "duration_seconds": -1, "severity": 9})
    not_numbers = [
        await fleet("POST", FAULTS, body=b'{"kind": "memory_leak", "duration_seconds": %s, "severity": 0.5}' % number)
        for number in (b"NaN", b"Infinity", b"1e999")
    ]

    assert [error["field"] for error in reply.json["errors"]] == ["kind", "duration_seconds", "severity"]
    assert {one.status for one in not_numbers} == {400}


@pytest.mark.parametrize(
    "query",
    ["page_size=0", "page_size=9999", "start=yesterday", "end=2023-11-14T22:13:20", "cancelled=perhaps", "state=active"],
)
async def test_parameters_that_cannot_be_meant(fleet: RunningGateway, query: str) -> None:
    reply = await fleet("GET", f"{FAULTS}?{query}")

    assert reply.status == 400
    assert reply.json["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [("nobody", 404, "UNKNOWN_FAULT"), ("%2e%2e", 404, None), ("a%00b", 404, None), ("sc-1", 422, "FAULT_OF_SCENARIO")],
)
async def test_a_fault_that_cannot_be_withdrawn(fleet: RunningGateway, name: str, status: int, reason: str | None) -> None:
    reply = await fleet("DELETE", f"{FAULTS}/{name}")

    assert reply.status == status
    assert reason is None or reply.json["reason"] == reason


@pytest.mark.parametrize(("method", "path"), FLEET_ROUTES)
async def test_who_may(fleet: RunningGateway, method: str, path: str) -> None:
    body = LEAK if path == FAULTS and method == "POST" else None
    nobody = await fleet(method, path, body, token="wrong")
    viewer = await fleet(method, path, body, token=None, headers=_session_of(Role.VIEWER))
    operator = await fleet(method, path, body, token=None, headers=_session_of(Role.OPERATOR))

    assert nobody.status == 401
    assert (viewer.status, viewer.json.get("reason")) == ((200, None) if method == "GET" else (403, "ROLE_TOO_LOW"))
    assert operator.status not in (401, 403)


async def test_a_page_can_ask_what_its_reader_may(fleet: RunningGateway) -> None:
    bearer = await fleet("GET", "/api/v1/caller")
    viewer = await fleet("GET", "/api/v1/caller", token=None, headers=_session_of(Role.VIEWER))
    nobody = await fleet("GET", "/api/v1/caller", token=None)

    Caller.model_validate(bearer.json)
    assert bearer.json == {"role": "admin", "proof": "bearer"}
    assert viewer.json == {"role": "viewer", "proof": "session"}
    assert nobody.status == 401


async def test_emptying_the_fleet_forgets_its_samples(fleet: RunningGateway) -> None:
    reply = await fleet("POST", "/api/servers/reset")

    FleetReset.model_validate(reply.json)
    request = fleet.peers.metrics.requests[-1]
    assert (reply.status, reply.json["removed"]) == (200, 3)
    assert (fleet.peers.metrics.calls[-1], request.generation) == ("ForgetFleet", NOW_MS + 1)


async def test_starting_over_with_one_server_forgets_them_too(fleet: RunningGateway) -> None:
    reply = await fleet("POST", "/api/servers/generate", {"reset": True})

    Generated.model_validate(reply.json)
    assert reply.json["currentCount"] == 1
    assert fleet.peers.metrics.requests[-1].generation == NOW_MS + 1


@pytest.mark.parametrize("path", ["/api/servers/reset", "/api/servers/generate"])
@pytest.mark.parametrize("error", [UnavailableError("stopping"), DeadlineExceededError("slow")])
async def test_samples_that_cannot_be_forgotten_yet_are_told(fleet: RunningGateway, path: str, error: Exception) -> None:
    fleet.peers.metrics.error = error

    reply = await fleet("POST", path, {"reset": True} if path.endswith("generate") else {})

    assert (reply.status, reply.json["reason"]) == (503, "SAMPLES_NOT_FORGOTTEN")
    assert "the fleet was emptied" in reply.json["detail"]
    assert reply.headers["retry-after"] == "5"
    assert fleet.peers.server_gen.count == (1 if path.endswith("generate") else 0)


async def test_a_fleet_that_is_away_is_503_and_nothing_is_forgotten(fleet: RunningGateway) -> None:
    await fleet.servers["server_gen"].stop(0.0)

    replies = [await fleet(method, path, LEAK if (method, path) == ("POST", FAULTS) else None) for method, path in FLEET_ROUTES]

    assert {reply.status for reply in replies} == {503}
    assert "ForgetFleet" not in fleet.peers.metrics.calls
