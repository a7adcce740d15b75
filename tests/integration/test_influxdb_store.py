"""The store on a real InfluxDB: what the contract of all stores does not ask."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import orjson
import pytest

from services.common.clock import SystemClock
from services.common.errors import RefusedError, UnavailableError
from services.common.telemetry import Telemetry
from services.metrics.adapters.influxdb.address import InfluxAddress
from services.metrics.adapters.influxdb.catalogue import FILE_NAME
from services.metrics.adapters.influxdb.options import InfluxOptions
from services.metrics.adapters.influxdb.store import InfluxStore
from services.metrics.domain.ports import Columns, Reason, StoreLimits
from tests.support.influxdb import InfluxServer, running_influxdb
from tests.support.samples import DAY_MS, HOUR_MS, NOW_MS, columns, equal, everything, register, series

QUICK = InfluxOptions(connect_seconds=2.0, write_seconds=1.0, query_seconds=5.0)


@pytest.fixture(scope="module")
def server() -> Iterator[InfluxServer]:
    with running_influxdb() as running:
        yield running


@pytest.fixture
def address(server: InfluxServer) -> InfluxAddress:
    return InfluxAddress.parse(f"{server.url}/test_{uuid4().hex}")


@asynccontextmanager
async def opened(folder: Path, address: InfluxAddress, options: InfluxOptions | None = None) -> AsyncIterator[InfluxStore]:
    store = await InfluxStore.open(folder, address, telemetry=Telemetry("metrics"), limits=StoreLimits(), options=options)
    try:
        yield store
    finally:
        await store.close()


async def test_others_find_samples_where_they_look_for_them(server: InfluxServer, address: InfluxAddress, tmp_path: Path) -> None:
    async with opened(tmp_path, address) as store:
        (cpu,) = (await store.register([series("cpu", server="web 1", role="web", time="noon")])).ids.tolist()
        await store.append(columns([(cpu, NOW_MS, 41.5), (cpu, NOW_MS + 1, float("nan"))]), now_ms=NOW_MS)
    answer = orjson.loads(server.query('SELECT * FROM "cpu"', address.database))
    (found,) = answer["results"][0]["series"]
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["values"]]
    assert rows[0] == {"time": NOW_MS, "bits": None, "label.time": "noon", "role": "web", "server": "web 1", "value": 41.5}
    assert rows[1]["value"] is None


async def test_awkward_labels_come_back_from_a_real_server(address: InfluxAddress, tmp_path: Path) -> None:
    values = [
        "a b",
        "a,b",
        "a=b",
        "a\\",
        "\\,",
        '"q"',
        "'q'",
        "a\nb",
        "한국",
        "%:",
        "#",
        " lead",
        "trail ",
        "\u3000",
        "\x00",
        "😀",
        "a\\ b",
        "$x",
    ]
    async with opened(tmp_path, address) as store:
        ids = (await store.register([series("m", server="s", odd=value) for value in values])).ids
        times = np.full(len(ids), NOW_MS)
        receipt = await store.append(Columns(ids, times, np.arange(len(ids), dtype=np.float64)), now_ms=NOW_MS)
        assert receipt.accepted == len(values)
    (tmp_path / FILE_NAME).unlink()
    async with opened(tmp_path, address) as store:
        data = await store.select([], NOW_MS, NOW_MS)
        assert {dict(labels)["odd"]: value for labels, value in zip(data.labels, data.values.tolist(), strict=True)} == {
            value: float(number) for number, value in enumerate(values)
        }
        for number, value in enumerate(values):
            (one,) = (await store.select([equal("odd", value)], NOW_MS, NOW_MS)).values.tolist()
            assert one == number
        assert await store.delete_series([equal("odd", "'q'")]) == 1
        assert len(await everything(store)) == len(values) - 1


async def test_a_lost_catalogue_costs_the_ids_alone(address: InfluxAddress, tmp_path: Path) -> None:
    async with opened(tmp_path, address) as store:
        first_id = store.store_id
        cpu, memory = (await register(store, "cpu", "memory")).tolist()
        await store.append(columns([(cpu, NOW_MS - 5, 1.0), (cpu, NOW_MS, 2.0), (memory, NOW_MS, float("inf"))]), now_ms=NOW_MS)
    (tmp_path / FILE_NAME).unlink()
    async with opened(tmp_path, address) as store:
        assert store.store_id != first_id
        names = {
            dict(store.labels_of(np.array([series_id], np.uint64))[0])["__name__"]: rows
            for series_id, rows in (await everything(store)).items()
        }
        assert names == {"cpu": [(NOW_MS - 5, 1.0), (NOW_MS, 2.0)], "memory": [(NOW_MS, float("inf"))]}
        (cpu,) = (await register(store, "cpu")).tolist()
        again = await store.append(columns([(cpu, NOW_MS, 9.0), (cpu, NOW_MS - 5, 9.0), (cpu, NOW_MS - 2, 3.0)]), now_ms=NOW_MS)
        assert (again.accepted, again.duplicate) == (1, 2)


async def test_an_acknowledged_sample_survives_the_server_being_killed(
    server: InfluxServer, address: InfluxAddress, tmp_path: Path
) -> None:
    acknowledged: list[int] = []
    failed: list[int] = []
    async with opened(tmp_path, address, QUICK) as store:
        ids = await register(store, *(f"m{number}" for number in range(50)))

        async def write(batch: int) -> None:
            rows = Columns(ids.copy(), np.full(len(ids), NOW_MS + batch), np.full(len(ids), float(batch)))
            try:
                receipt = await store.append(rows, now_ms=NOW_MS)
            except UnavailableError:
                failed.append(batch)
            else:
                assert receipt.accepted + receipt.duplicate == len(ids)
                acknowledged.append(batch)

        for batch in range(0, 40, 4):
            writes = [asyncio.create_task(write(batch + number)) for number in range(4)]
            if batch == 20:
                await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
                server.kill()
            await asyncio.gather(*writes)
            if batch == 28:
                with pytest.raises(UnavailableError) as away:
                    await store.select([], NOW_MS, NOW_MS + 100)
                assert away.value.reason == "STORE_UNAVAILABLE"
                await asyncio.to_thread(server.start)
        assert failed
        assert max(acknowledged) > max(failed), "the store goes on when the server is back"
        found = await everything(store)
        for series_id in ids.tolist():
            assert {time - NOW_MS for time, _ in found[series_id]} >= set(acknowledged)
        for batch in failed:
            await write(batch)
        found = await everything(store)
        for series_id in ids.tolist():
            assert found[series_id] == [(NOW_MS + batch, float(batch)) for batch in range(40)]


async def test_a_server_that_comes_later_is_found(server: InfluxServer, address: InfluxAddress, tmp_path: Path) -> None:
    async with opened(tmp_path, address) as store:
        (cpu,) = (await register(store, "cpu")).tolist()
        await store.append(columns([(cpu, NOW_MS, 1.0)]), now_ms=NOW_MS)
    server.stop()
    try:
        async with opened(tmp_path, address, QUICK) as store:
            assert (await register(store, "cpu")).tolist() == [cpu], "ids need no server"
            for call in (store.latest(), store.append(columns([(cpu, NOW_MS, 5.0)]), now_ms=NOW_MS), store.delete_before(0)):
                with pytest.raises(UnavailableError, match="InfluxDB at"):
                    await call
            await asyncio.to_thread(server.start)
            assert (await store.latest()).values.tolist() == [1.0]
            assert (await store.append(columns([(cpu, NOW_MS, 5.0)]), now_ms=NOW_MS)).duplicate == 1
    finally:
        server.stop()
        server.start()


async def test_a_server_that_stands_still_is_not_waited_for(server: InfluxServer, address: InfluxAddress, tmp_path: Path) -> None:
    async with opened(tmp_path, address, QUICK) as store:
        (cpu,) = (await register(store, "cpu")).tolist()
        server.pause()
        try:
            with pytest.raises(UnavailableError, match="no answer within 1 s"):
                await store.append(columns([(cpu, NOW_MS, 1.0)]), now_ms=NOW_MS)
        finally:
            server.resume()
        receipt = await store.append(columns([(cpu, NOW_MS, 1.0), (cpu, NOW_MS + 1, 2.0)]), now_ms=NOW_MS)
        assert receipt.accepted + receipt.duplicate == 2
        assert await everything(store) == {cpu: [(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]}


async def test_rows_that_the_server_refuses_are_named_and_the_others_stored(
    server: InfluxServer, address: InfluxAddress, tmp_path: Path
) -> None:
    async with opened(tmp_path, address) as store:
        server.write(f"taken,server=x value=1i {NOW_MS}", address.database)
        cpu, taken, memory = (await register(store, "cpu", "taken", "memory")).tolist()
        rows = [(cpu, NOW_MS, 1.0), (taken, NOW_MS, 2.0), (memory, NOW_MS, 3.0), (cpu, NOW_MS, 4.0)]
        receipt = await store.append(columns(rows), now_ms=NOW_MS)
        assert (receipt.accepted, receipt.duplicate, receipt.rejected) == (2, 1, 1)
        assert [(error.index, error.reason) for error in receipt.errors] == [(1, Reason.STORE_REFUSED)]
        assert await everything(store) == {cpu: [(NOW_MS, 1.0)], memory: [(NOW_MS, 3.0)]}
        receipt = await store.append(columns([(cpu, NOW_MS + 1, 1.0), (memory, NOW_MS + 1, 3.0)]), now_ms=NOW_MS)
        assert receipt.accepted == 2


async def test_points_older_than_the_servers_own_retention_are_named(
    server: InfluxServer, address: InfluxAddress, tmp_path: Path
) -> None:
    now_ms = round(SystemClock().now() * 1000)
    server.query(f"CREATE DATABASE {address.database} WITH DURATION 1h REPLICATION 1")
    async with opened(tmp_path, address) as store:
        (cpu,) = (await register(store, "cpu")).tolist()
        receipt = await store.append(columns([(cpu, now_ms - 5 * HOUR_MS, 1.0), (cpu, now_ms, 2.0)]), now_ms=now_ms)
        assert receipt.mask.tolist() == [False, True]
        assert [error.reason for error in receipt.errors] == [Reason.STORE_REFUSED]


async def test_deleted_samples_leave_the_server_a_day_at_a_time(
    server: InfluxServer, address: InfluxAddress, tmp_path: Path
) -> None:
    def stored() -> int:
        answer = orjson.loads(server.query('SELECT count("value") FROM "cpu"', address.database))
        return int(answer["results"][0]["series"][0]["values"][0][1])

    async with opened(tmp_path, address) as store:
        (cpu,) = (await register(store, "cpu")).tolist()
        await store.append(columns([(cpu, NOW_MS - day * DAY_MS, 1.0) for day in range(10)]), now_ms=NOW_MS)
        await store.delete_before(NOW_MS - 5 * DAY_MS)
        assert stored() == 6
        await store.delete_before(NOW_MS - 5 * DAY_MS + HOUR_MS)
        assert stored() == 6, "too little to be worth it"
        assert [time for time, _ in (await everything(store))[cpu]] == [NOW_MS - day * DAY_MS for day in (4, 3, 2, 1, 0)]
        await store.delete_before(NOW_MS - 4 * DAY_MS + HOUR_MS)
        assert stored() == 4


async def test_a_database_that_somebody_dropped_is_made_again(server: InfluxServer, address: InfluxAddress, tmp_path: Path) -> None:
    async with opened(tmp_path, address) as store:
        (cpu,) = (await register(store, "cpu")).tolist()
        await store.append(columns([(cpu, NOW_MS, 1.0)]), now_ms=NOW_MS)
        server.query(f"DROP DATABASE {address.database}")
        with pytest.raises(UnavailableError, match="database not found"):
            await store.append(columns([(cpu, NOW_MS + 1, 1.0)]), now_ms=NOW_MS)
        assert (await store.append(columns([(cpu, NOW_MS + 1, 1.0)]), now_ms=NOW_MS)).accepted == 1
        assert await everything(store) == {cpu: [(NOW_MS + 1, 1.0)]}


async def test_users_and_those_that_are_none(tmp_path: Path) -> None:
    with running_influxdb(users=True) as server:
        server.query("CREATE USER boss WITH PASSWORD 'a b' WITH ALL PRIVILEGES")
        address = InfluxAddress.parse(server.url.replace("//", "//boss:a%20b@") + "/theirs")
        async with opened(tmp_path / "good", address) as store:
            (cpu,) = (await register(store, "cpu")).tolist()
            assert (await store.append(columns([(cpu, NOW_MS, 1.0)]), now_ms=NOW_MS)).accepted == 1
        for user in ("boss:wrong@", ""):
            with pytest.raises(RefusedError) as refusal:
                await InfluxStore.open(
                    tmp_path / "bad",
                    InfluxAddress.parse(server.url.replace("//", f"//{user}") + "/theirs"),
                    telemetry=Telemetry("metrics"),
                )
            assert refusal.value.reason == "STORE_UNAUTHORIZED"
            assert "wrong" not in refusal.value.message
