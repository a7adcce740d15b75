"""The virtual fleet through its RPCs: growing, describing, starting again."""

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from openmanager.server_gen.v1 import server_gen_pb2 as pb
from services.common.clock import ManualClock
from services.common.errors import ConflictError, InvalidArgumentError, OpenManagerError, RefusedError
from services.server_gen.domain.catalogue import CATALOGUE
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.settings import ServerGenSettings
from tests.support.fleet_rpc import FleetService, columns, names, refused
from tests.support.services import in_process

NOW = 1_795_000_004.0
STEP = 1_795_000_000.0


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[FleetService]:
    async with in_process() as services:
        yield FleetService(services, ManualClock(NOW), tmp_path)


async def test_servers_are_added_until_the_fleet_is_complete(fleet: FleetService) -> None:
    await fleet.start()
    count = 0
    found = []
    for expected in range(1, 21):
        response = await fleet.generate(count)
        count = response.current_count
        assert (count, response.target_count) == (expected, 20)
        found.append(response.server.hostname)
        assert {"cpu", "memory", "disk"} <= set(response.server.metrics)
    assert len(set(found)) == 20
    after = await fleet.generate(count)
    assert not after.HasField("server")
    status = await fleet.status()
    assert [server.hostname for server in status.servers] == found
    assert (status.current_count, status.target_count) == (20, 20)


async def test_a_caller_that_is_behind_is_refused_unless_it_resets(fleet: FleetService) -> None:
    await fleet.start()
    await fleet.generate()
    error = await refused(fleet.generate(5))
    assert isinstance(error, ConflictError)
    assert error.reason == "FLEET_CHANGED"
    assert (await fleet.generate(5, reset=True)).current_count == 1


async def test_a_demo_starts_complete_and_stays_as_it_was_left(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    before = await fleet.fleet()
    assert (await fleet.status()).current_count == 20
    await fleet.clock.advance(5)
    emptied = await fleet.reset()
    assert emptied.removed == 20
    assert emptied.generation > before.generation
    await fleet.generate()
    await fleet.inject("cpu_runaway", "lb-01")
    await fleet.restart(demo=True)
    after = await fleet.fleet()
    assert [server.hostname for server in after.servers] == ["lb-01"]
    assert after.generation == emptied.generation
    assert after.epoch.seconds == NOW + 5
    assert [fault.kind for fault in await fleet.faults()] == ["cpu_runaway"]


async def test_figures_are_those_of_the_stream(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    await fleet.inject("slow_query")
    await fleet.clock.advance(300)
    stream = fleet.stub.WatchFleetSamples(pb.WatchFleetSamplesRequest())
    step = await anext(aiter(stream))
    stream.cancel()
    ids, times, values = columns(step.samples)
    assert set(times.tolist()) == {round((STEP + 300) * 1000)}
    labels = {series: dict(pairs) for series, pairs in names(step).items()}
    told = {(labels[i]["server"], labels[i]["__name__"]): value for i, value in zip(ids.tolist(), values.tolist(), strict=True)}
    for server in (await fleet.status()).servers:
        assert server.time.seconds == STEP + 300
        assert {"cpu", "memory", "disk", "swap"} <= set(server.metrics)
        for name, value in server.metrics.items():
            assert told[server.hostname, name] == value
    await fleet.reset()
    one = (await fleet.generate()).server
    assert (one.hostname, one.metrics["cpu"]) == ("lb-01", (await fleet.status()).servers[0].metrics["cpu"])


async def test_the_fleet_describes_itself(fleet: FleetService) -> None:
    await fleet.start(demo=True, seed=77, scenario="demo")
    found = await fleet.fleet()
    assert (found.generation, found.seed, found.target_count, found.scenario) == (round(NOW * 1000), 77, 20, "demo")
    assert found.epoch.seconds == NOW
    assert {(site.name, site.time_zone, site.holidays) for site in found.sites} == {
        ("seoul-1", "Asia/Seoul", "KR"),
        ("busan-1", "Asia/Seoul", "KR"),
        ("tokyo-1", "Asia/Tokyo", "JP"),
    }
    assert [kind.name for kind in found.kinds] == list(KINDS)
    assert [kind.name for kind in found.kinds if kind.harmless] == ["backup_window", "holiday_peak", "deploy_ok"]
    by_name = {server.hostname: server for server in found.servers}
    assert len(by_name) == 20
    assert all(callee in by_name for server in found.servers for callee in server.depends_on)
    assert "db-primary-seoul-1" in by_name["api-01"].depends_on
    assert all(
        server.spec.cores > 0 and server.spec.memory_bytes >= 2**30 and server.spec.disk_bytes > 2**30 for server in found.servers
    )
    assert not any(server.metrics for server in found.servers)


async def test_an_empty_fleet_is_described_too(fleet: FleetService) -> None:
    await fleet.start()
    found = await fleet.fleet()
    assert (len(found.servers), len(found.sites), len(found.kinds)) == (0, 0, len(KINDS))
    assert (await fleet.status()).current_count == 0
    assert await fleet.faults() == []


async def test_the_size_that_the_release_before_kept_is_taken_over_once(fleet: FleetService) -> None:
    former = fleet.folder / "server_gen" / "fleet.json"
    former.parent.mkdir(mode=0o700)
    former.write_text(json.dumps({"size": 7}))
    await fleet.start(demo=True)
    assert (await fleet.status()).current_count == 7
    assert not former.exists()
    await fleet.generate()
    await fleet.restart(demo=True)
    assert (await fleet.status()).current_count == 8


@pytest.mark.parametrize("text", ["", "garbage", "[" * 100_000, "[]", '{"size": 1e999}', '{"size": -1}', '{"size": true}', "{}"])
async def test_a_damaged_size_is_refused_with_what_to_do(fleet: FleetService, text: str) -> None:
    former = fleet.folder / "server_gen" / "fleet.json"
    former.parent.mkdir(mode=0o700)
    former.write_text(text)
    with pytest.raises(RefusedError, match="remove it") as caught:
        await fleet.start(demo=True)
    assert caught.value.reason == "FLEET_STATE_UNREADABLE"
    assert former.exists()


async def test_another_seed_is_another_fleet_with_the_same_servers(fleet: FleetService) -> None:
    await fleet.start(demo=True)
    before, figures = await fleet.fleet(), await fleet.status()
    await fleet.restart(demo=True, seed=21)
    after, others = await fleet.fleet(), await fleet.status()
    assert after.generation > before.generation
    assert [server.hostname for server in after.servers] == [server.hostname for server in before.servers]
    assert [server.metrics["cpu"] for server in others.servers] != [server.metrics["cpu"] for server in figures.servers]


async def test_a_scenario_of_ones_own_and_one_that_is_wrong(fleet: FleetService, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[fault]]\nkind = "clock_skew"\nserver = "app-01"\nday = 0\nat = "12:00"\nduration = "1h"\nseverity = 0.5\n')
    await fleet.start(demo=True, scenario=str(own))
    assert [(fault.kind, fault.source) for fault in await fleet.faults()] == [("clock_skew", "own")]
    own.write_text('[[fault]]\nkind = "nonsense"\nserver = "app-01"\nday = 0\nat = "25:00"\nduration = "-1h"\nseverity = 7\n')
    with pytest.raises(OpenManagerError) as caught:
        await fleet.restart(demo=True, scenario=str(own))
    for word in ("kind", "at", "duration", "severity"):
        assert word in caught.value.message
    with pytest.raises(OpenManagerError, match="demo"):
        await fleet.start(demo=True, scenario="no-such-scenario")


def test_holidays_are_given_as_text_or_as_dates() -> None:
    wanted = [date(2027, 5, 4), date(2027, 7, 16)]
    for given in ("2027-05-04, 2027-07-16", ["2027-05-04", "2027-07-16"], wanted):
        assert ServerGenSettings.model_validate({"holidays_extra": given}).holidays_extra == wanted
    for wrong in ("yesterday", "2027-13-01", 5):
        with pytest.raises(ValueError, match="holidays_extra"):
            ServerGenSettings.model_validate({"holidays_extra": wrong})


@pytest.mark.parametrize("seconds", [0, -5, 7200, 0.999])
async def test_an_impossible_interval_is_refused(fleet: FleetService, seconds: float) -> None:
    await fleet.start()
    request = pb.WatchFleetSamplesRequest()
    request.interval.FromNanoseconds(round(seconds * 1e9))
    error = await refused(fleet.stub.WatchFleetSamples(request).read())
    assert isinstance(error, InvalidArgumentError)
    assert error.reason == "INVALID_INTERVAL"


async def test_a_thousand_servers_are_one_message(fleet: FleetService) -> None:
    await fleet.start(demo=True, target_count=1000)
    stream = fleet.stub.WatchFleetSamples(pb.WatchFleetSamplesRequest())
    steps = aiter(stream)
    first = await anext(steps)
    await fleet.clock.advance(10)
    second = await anext(steps)
    stream.cancel()
    ids, _, values = columns(second.samples)
    assert len(first.series) == len(ids) == len(set(ids.tolist()))
    assert 1000 * (len(CATALOGUE) - 5) < len(ids) <= 1000 * len(CATALOGUE)
    assert len(second.series) == 0
    assert (values == values).all()
