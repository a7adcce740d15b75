"""Scenario files: what ships, what a file may say, and what is told about a wrong one."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.common.errors import InvalidArgumentError, RefusedError
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.plan import Plan
from services.server_gen.domain.faults.scenario_file import load_scenario, parse_scenario, shipped_scenarios
from services.server_gen.domain.roster import roster

DAY = 86_400.0
SERVERS = roster(20)
EPOCH = datetime(2026, 11, 20, 3, 17, tzinfo=UTC).timestamp()
HOSTNAMES = {server.hostname for server in SERVERS}


def entry(**fields: object) -> str:
    usual: dict[str, object] = {
        "kind": "memory_leak",
        "server": "app-01",
        "day": 3,
        "at": "10:00",
        "duration": "1h",
        "severity": 0.5,
    }
    kept = {name: value for name, value in (usual | fields).items() if value is not None}
    return "[[fault]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in kept.items())


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def wrong(text: str) -> dict[str, str]:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_scenario(text, "mine")
    assert caught.value.reason == "INVALID_SCENARIO"
    return {error.field: error.message for error in caught.value.fields}


def test_what_ships() -> None:
    assert set(shipped_scenarios()) == {"quiet", "demo", "incident_week", "cascade", "look_alikes", "every_kind"}


@pytest.mark.parametrize("name", shipped_scenarios())
@pytest.mark.parametrize("size", [1, 20, 300])
def test_shipped_scenarios_fit_fleets_of_every_size(name: str, size: int) -> None:
    servers = roster(size)
    scenario = load_scenario(name)
    assert scenario.title
    faults = scenario.faults(EPOCH, servers, EPOCH - 14 * DAY, EPOCH + 28 * DAY)
    assert {fault.server for fault in faults} <= {server.hostname for server in servers}
    assert len({fault.id for fault in faults}) == len(faults)
    assert {fault.source for fault in faults} <= {name}
    Plan(7, servers, faults)


def test_the_quiet_scenario_is_harmless() -> None:
    faults = load_scenario("quiet").faults(EPOCH, SERVERS, EPOCH - 14 * DAY, EPOCH + 28 * DAY)
    assert {fault.kind for fault in faults} == {"backup_window", "deploy_ok"}


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_a_fresh_demo_looks_healthy_for_a_day_and_has_an_incident_or_two_every_week(hour: int) -> None:
    epoch = datetime(2026, 11, 20, hour, tzinfo=UTC).timestamp()
    faults = load_scenario("demo").faults(epoch, SERVERS, epoch - 14 * DAY, epoch + 70 * DAY)
    incidents = [fault for fault in faults if not KINDS[fault.kind].harmless]
    assert all(fault.end < epoch - DAY or fault.start > epoch + DAY for fault in incidents)
    assert 4 <= sum(fault.end < epoch for fault in incidents) <= 10
    assert all(fault.start > epoch - 14 * DAY for fault in incidents)
    for week in range(10):
        begin = epoch + 7 * DAY * week
        assert 1 <= sum(begin <= fault.start < begin + 7 * DAY for fault in incidents) <= 2


def test_every_kind_has_each_once_and_nothing_at_the_same_time() -> None:
    faults = load_scenario("every_kind").faults(EPOCH, SERVERS, EPOCH - 30 * DAY, EPOCH + 30 * DAY)
    assert sorted(fault.kind for fault in faults) == sorted(KINDS)
    for one, other in pairwise(faults):
        assert other.start >= one.end + 1800.0


def test_ids_are_the_same_in_every_range_and_in_a_larger_fleet() -> None:
    scenario = load_scenario("incident_week")
    whole = {fault.id: fault for fault in scenario.faults(EPOCH, SERVERS, EPOCH - 14 * DAY, EPOCH + 14 * DAY)}
    for day in range(-14, 14):
        start = EPOCH + day * DAY
        for fault in scenario.faults(EPOCH, roster(60), start, start + DAY):
            if fault.id in whole:
                assert whole[fault.id] == fault
            else:
                assert fault.server not in HOSTNAMES or fault.start < EPOCH - 14 * DAY


def test_a_range_has_the_faults_that_are_under_way_in_it() -> None:
    scenario = parse_scenario(entry(day=0, at="12:00", duration="6h"), "mine")
    (fault,) = scenario.faults(EPOCH, SERVERS, EPOCH - DAY, EPOCH + DAY)
    assert datetime.fromtimestamp(fault.start, ZoneInfo("Asia/Seoul")).isoformat() == "2026-11-20T12:00:00+09:00"
    assert scenario.faults(EPOCH, SERVERS, fault.end - 1.0, fault.end) == [fault]
    assert scenario.faults(EPOCH, SERVERS, fault.start - 10.0, fault.start) == []
    assert scenario.faults(EPOCH, SERVERS, fault.end + DAY, fault.end + 2 * DAY) == []


@pytest.mark.parametrize(
    ("when", "first"),
    [
        ({"start": "2026-11-20T14:05:00+09:00"}, datetime(2026, 11, 20, 5, 5, tzinfo=UTC)),
        ({"day": -3, "at": "14:05"}, datetime(2026, 11, 17, 5, 5, tzinfo=UTC)),
        ({"day": 0, "at": "14:05:30"}, datetime(2026, 11, 20, 5, 5, 30, tzinfo=UTC)),
        ({"after": "-90m"}, datetime(2026, 11, 20, 1, 47, tzinfo=UTC)),
        ({"after": 600}, datetime(2026, 11, 20, 3, 27, tzinfo=UTC)),
    ],
)
def test_once(when: dict[str, object], first: datetime) -> None:
    text = entry(**({"day": None, "at": None} | when))
    faults = parse_scenario(text, "mine").faults(EPOCH, SERVERS, EPOCH - 300 * DAY, EPOCH + 300 * DAY)
    assert [fault.start for fault in faults] == [first.timestamp()]


@pytest.mark.parametrize(
    ("when", "distance"),
    [({"day": None, "weekday": "Tuesday"}, 7 * DAY), ({"day": None, "every": "1d"}, DAY), ({"day": 2, "every": "36h"}, 1.5 * DAY)],
)
def test_again_and_again_in_the_past_and_in_the_future(when: dict[str, object], distance: float) -> None:
    scenario = parse_scenario(entry(**when), "mine")
    starts = [fault.start for fault in scenario.faults(EPOCH, SERVERS, EPOCH - 30 * DAY, EPOCH + 30 * DAY)]
    assert len(starts) == pytest.approx(60 * DAY / distance, abs=1)
    assert {later - earlier for earlier, later in pairwise(starts)} == {distance}
    if "weekday" in when:
        assert {datetime.fromtimestamp(start, ZoneInfo("Asia/Seoul")).strftime("%A %H:%M") for start in starts} == {"Tuesday 10:00"}


def test_targets() -> None:
    def where(size: int = 20, **fields: object) -> list[str]:
        scenario = parse_scenario(entry(**({"server": None} | fields)), "mine")
        return [fault.server for fault in scenario.faults(EPOCH, roster(size), EPOCH, EPOCH + 7 * DAY)]

    assert where(role="web") == ["web-01"]
    assert where(role="web", nth=2) == ["web-02"]
    assert where(role="web", site="tokyo-1") == ["web-04"]
    assert where(role="web", count=3, stagger="5m") == ["web-01", "web-02", "web-03"]
    assert where(site="seoul-1", kind="slow_query") == ["db-primary-seoul-1"]
    assert where(server="web-01") == ["web-01"]


def test_an_entry_waits_until_its_server_has_joined() -> None:
    scenario = parse_scenario(entry(server="web-05"), "mine")
    assert scenario.faults(EPOCH, SERVERS, EPOCH, EPOCH + 7 * DAY) == []
    assert [fault.server for fault in scenario.faults(EPOCH, roster(40), EPOCH, EPOCH + 7 * DAY)] == ["web-05"]


def test_a_staggered_deployment_goes_from_server_to_server() -> None:
    scenario = parse_scenario(entry(kind="deploy_ok", server=None, role="web", count=3, stagger="5m", duration="4m"), "mine")
    starts = [fault.start for fault in scenario.faults(EPOCH, SERVERS, EPOCH, EPOCH + 7 * DAY)]
    assert [start - starts[0] for start in starts] == [0.0, 300.0, 600.0]


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"kind": "meteor"}, "kind", "'meteor' is not known"),
        ({"kind": None}, "kind", "is missing"),
        ({"kind": 7}, "kind", "7 is not known"),
        ({"server": "web-99999"}, "server", "does not exist"),
        ({"server": 1}, "server", "must be a text"),
        ({"server": None}, "server", "is missing"),
        ({"server": None, "role": "wizard"}, "role", "does not exist; known are"),
        ({"server": None, "site": "atlantis-1"}, "site", "does not exist; known are"),
        ({"role": "app"}, "server", "leave out role"),
        ({"server": None, "role": "app", "nth": 0}, "nth", "whole number from 1"),
        ({"server": None, "role": "app", "count": 1.5}, "count", "whole number"),
        ({"server": None, "role": "app", "count": True}, "count", "whole number"),
        ({"duration": "-5m"}, "duration", "from 1s to 30d, not '-5m'"),
        ({"duration": -5}, "duration", "not -5"),
        ({"duration": 0}, "duration", "from 1s to 30d"),
        ({"duration": "31d"}, "duration", "from 1s to 30d"),
        ({"duration": "soon"}, "duration", "not 'soon'"),
        ({"duration": None}, "duration", "is missing"),
        ({"duration": True}, "duration", "must be seconds"),
        ({"duration": float("nan")}, "duration", "must be seconds"),
        ({"duration": float("inf")}, "duration", "from 1s to 30d"),
        ({"duration": 10**4000}, "duration", "from 1s to 30d"),
        ({"duration": "٣h"}, "duration", "must be seconds"),
        ({"severity": float("nan")}, "severity", "at most 1"),
        ({"stagger": "-1m", "server": None, "role": "web"}, "stagger", "from 0s to 1d"),
        ({"severity": 1.5}, "severity", "at most 1, not 1.5"),
        ({"severity": 0}, "severity", "above 0"),
        ({"severity": "high"}, "severity", "must be a number"),
        ({"severity": None}, "severity", "is missing"),
        ({"at": "25:00"}, "at", "not '25:00'"),
        ({"at": "noon"}, "at", "not 'noon'"),
        ({"at": 7}, "at", "not 7"),
        ({"at": None}, "at", "is missing"),
        ({"day": "3"}, "day", "whole number"),
        ({"day": 10**9}, "day", "whole number"),
        ({"day": None, "at": None, "start": "2026-11-20T14:05:00"}, "start", "with its zone"),
        ({"day": None, "at": None, "start": "2026-13-20T14:05:00Z"}, "start", "with its zone"),
        ({"day": None, "at": None, "start": "0001-01-01T00:00:00+23:00"}, "start", "years 2000 to 2200"),
        ({"day": None, "start": "2026-11-20T14:05:00Z"}, "at", "cannot go with start"),
        ({"start": "2026-11-20T14:05:00Z"}, "start", "does not go together with day"),
        ({"day": None}, "start", "is missing"),
        ({"weekday": "monday"}, "day", "does not go together with weekday"),
        ({"day": None, "weekday": "someday"}, "weekday", "must be one of monday"),
        ({"day": None, "weekday": "monday", "every": "7d"}, "every", "comes every week"),
        ({"every": "1m"}, "every", "from 1h to 366d"),
        ({"day": None, "every": "7d"}, "start", "is missing"),
        ({"start_time": "10:00"}, "start_time", "is not a field"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told_by_number_and_field(fields: dict[str, object], field: str, said: str) -> None:
    found = wrong(entry() + entry(**fields))
    assert said in found[f"fault[2].{field}"]


def test_a_number_that_python_would_not_write_is_told_as_well() -> None:
    assert "thousands of digits" in wrong(entry(duration=None) + "duration = 0x" + "f" * 10_000)["fault[1].duration"]


def test_everything_wrong_is_told_at_once() -> None:
    found = wrong('colour = "red"\ntitle = 3\n' + entry(kind="meteor", severity=7) + entry(duration="-1s"))
    assert set(found) == {"colour", "title", "fault[1].kind", "fault[1].severity", "fault[2].duration"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[fault]", "no TOML"),
        ("a = " + "[" * 5000, "no TOML"),
        ("a = " + "9" * 5000, "no TOML"),
        ("fault = 3", "list of tables"),
        ("[fault]\nkind = 1", "list of tables"),
        ("fault = [1, 2]", "list of tables"),
        (entry(kind="clock_skew") * 501, "at most 500"),
    ],
)
def test_what_is_no_scenario_at_all(text: str, said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said):
        parse_scenario(text, "mine")


def test_overlaps_of_a_kind_on_a_server_are_told() -> None:
    assert "overlaps fault[1]" in wrong(entry() + entry(at="10:30"))["fault[2].duration"]
    assert "overlaps itself" in wrong(entry(every="1d", duration="25h"))["fault[1].duration"]
    assert "overlaps fault[1]" in wrong(entry() + entry(server=None, role="app", at="10:59"))["fault[2].duration"]
    twice = {"day": None, "at": None, "start": "2031-01-01T00:00:00Z"}
    assert "overlaps fault[1]" in wrong(entry(**twice) + entry(**twice))["fault[2].duration"]
    assert len(parse_scenario(entry() + entry(kind="cpu_runaway") + entry(at="11:00"), "mine").entries) == 3


def test_an_overlap_that_only_one_epoch_has_leaves_the_later_out() -> None:
    dated = entry(day=None, at=None, start="2026-11-23T10:30:00+09:00")
    scenario = parse_scenario(entry() + dated, "mine")
    assert [fault.id.split(".")[1] for fault in scenario.faults(EPOCH, SERVERS, EPOCH, EPOCH + 7 * DAY)] == ["1"]
    assert len(scenario.faults(EPOCH + DAY, SERVERS, EPOCH, EPOCH + 7 * DAY)) == 2


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "우리 것"\n' + entry(), "utf-8")
    assert load_scenario(str(path)).name == "mine"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidArgumentError, match="not UTF-8"):
        load_scenario(str(path))
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(InvalidArgumentError, match="larger than"):
        load_scenario(str(path))


@pytest.mark.parametrize("name", ["nothing", "", "../demo", "/nowhere/at/all.toml", "demo.toml\0.toml"])
def test_a_scenario_that_is_not_there(name: str) -> None:
    with pytest.raises(RefusedError) as caught:
        load_scenario(name)
    assert caught.value.reason == "UNKNOWN_SCENARIO"
