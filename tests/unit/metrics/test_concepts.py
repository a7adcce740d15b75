"""Every concept from every source, checked against figures worked out by hand from the samples in tests/support/source_data."""

import numpy as np
import pytest

from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.concepts import CONCEPTS, Concept, Formula
from services.metrics.domain.health import Health
from services.metrics.domain.inventory import Inventory, ServerState
from services.metrics.domain.ports import Columns, WriteMode
from services.metrics.domain.promql import LOOKBACK_MS, Vector, evaluate_instant
from tests.support.source_samples import send

NOW_MS = 1_700_000_000_000
FORMULAS = [(concept, formula) for concept in CONCEPTS for formula in concept.formulas]

EXPECTED = {
    "openmanager": {
        "cpu": 41.5,
        "memory": 60.0,
        "disk": 96.0,  # /data, the fuller one
        "network": 150.0,
        "disk_io": 7.0,
        "load": 0.5,
        "latency": 12.5,
        "swap": 1.0,
        "temperature": 45.0,
        "uptime": 7200.0,
    },
    "node_exporter": {
        "cpu": 30.0,  # busy 0.1 and 0.5 of a second a second, waiting for disks left out
        "memory": 75.0,  # 4 of 16 GB are available
        "disk": 90.0,  # of /data 180 GB are used and 20 to be had; /run and the snap, both full, are no disks
        "network": 1500.0,  # eth0 alone
        "disk_io": 3010.0,  # sda and nvme0n1; dm-0 repeats sda
        "load": 1.25,
        "swap": 25.0,
        "temperature": 55.0,
        "uptime": 3600.0,
    },
    "otel": {
        "cpu": 30.0,  # busy 0.4 and 0.2
        "memory": 60.0,  # 6 of 10 GB; slab is part of the cache
        "disk": 80.0,  # /var; of / are 30 used and 60 free
        "network": 300.0,
        "disk_io": 12.0,  # sda1 is a part of sda
        "load": 0.75,
        "latency": 50.0,  # half a second for ten requests
        "swap": 25.0,
        "temperature": 61.5,
        "uptime": 86400.0,
    },
    "otel_utilization": {"cpu": 70.0, "memory": 40.0, "disk": 70.0, "latency": 25.0, "swap": 10.0},
    "otel_without_units": {
        "cpu": 10.0,
        "memory": 25.0,
        "disk": 25.0,
        "network": 3.0,
        "disk_io": 120.0,
        "swap": 80.0,
        "uptime": 60.0,
    },
    "telegraf": {
        "cpu": 87.5,  # in total 10 % idle and 2.5 % waiting for disks
        "memory": 44.0,
        "disk": 71.5,
        "network": 30.0,
        "disk_io": 150.0,
        "load": 2.0,
        "swap": 3.0,
        "temperature": 48.0,  # the other sensors are limits
        "uptime": 1000.0,
    },
    "otel_shares_without_units": {"memory": 55.0, "disk": 65.0, "swap": 5.0},
    "http": {"latency": 80.0},
    "micrometer": {"latency": 200.0},  # half a second for two and a half requests
    "small_board": {"disk": 90.0, "load": 0.1, "temperature": 52.5},
}


async def states(store: MemoryStore, now_ms: int = NOW_MS) -> dict[str, ServerState]:
    return {state.name: state for state in await Inventory(store).servers(now_ms)}


async def check_expressions(store: MemoryStore, state: ServerState, now_ms: int = NOW_MS) -> None:
    """Every expression gives its figure again, as one element."""
    assert state.expressions.keys() == state.metrics.keys()
    for name, expression in state.expressions.items():
        result = (await evaluate_instant(expression, store, now_ms)).value
        assert isinstance(result, Vector)
        assert result.values.tolist() == [state.metrics[name]], expression


@pytest.mark.parametrize("source", EXPECTED)
async def test_figures_of_a_source(source: str) -> None:
    store = MemoryStore()
    await send(store, source, "host-1", now_ms=NOW_MS)
    state = (await states(store))["host-1"]
    assert state.metrics == pytest.approx(EXPECTED[source])
    await check_expressions(store, state)


@pytest.mark.parametrize("source", EXPECTED)
async def test_two_exporters_on_one_machine_disturb_nothing(source: str) -> None:
    """Gauges and shares stay; the bytes of the same interface told twice count twice, as docs/concepts.md says."""
    store = MemoryStore()
    for job in ("a", "b"):
        await send(store, source, "host-1", now_ms=NOW_MS, extra={"job": job, "instance": f"host-1:{job}"})
    metrics = (await states(store))["host-1"].metrics
    expected = {name: value * (2 if name in ("network", "disk_io") else 1) for name, value in EXPECTED[source].items()}
    assert metrics == pytest.approx(expected)


async def test_all_sources_side_by_side() -> None:
    store = MemoryStore()
    for source in EXPECTED:
        await send(store, source, source, now_ms=NOW_MS)
    found = await states(store)
    assert found.keys() == EXPECTED.keys()
    for source, state in found.items():
        assert state.metrics == pytest.approx(EXPECTED[source]), source
        await check_expressions(store, state)
    assert (found["telegraf"].health, found["node_exporter"].health) == (Health.WARNING, Health.WARNING)
    assert found["openmanager"].health is Health.CRITICAL


async def test_of_two_sources_of_one_server_the_first_counts_for_each_concept() -> None:
    store = MemoryStore()
    await send(store, "http", "host-1", now_ms=NOW_MS)
    await send(store, "telegraf", "host-1", now_ms=NOW_MS)
    await send(store, "node_exporter", "host-1", now_ms=NOW_MS)
    state = (await states(store))["host-1"]
    assert state.metrics == pytest.approx({**EXPECTED["node_exporter"], "latency": 80.0})
    assert state.expressions["load"] == 'node_load1{server="host-1"}'
    await check_expressions(store, state)


async def test_a_source_that_fell_silent_gives_way_to_the_next() -> None:
    store = MemoryStore()
    await send(store, "openmanager", "host-1", now_ms=NOW_MS, until_ms=NOW_MS - LOOKBACK_MS - 1)
    await send(store, "telegraf", "host-1", now_ms=NOW_MS)
    state = (await states(store))["host-1"]
    assert state.metrics == pytest.approx(EXPECTED["telegraf"])
    await check_expressions(store, state)


async def put(store: MemoryStore, name: str, value: float, *ago_ms: int) -> None:
    """The same value of one series of the server `a` at each of these times."""
    ids = (await store.register([[("__name__", name), ("server", "a")]])).ids
    times = np.array([NOW_MS - ago for ago in ago_ms], np.int64)
    rows = Columns(np.repeat(ids, len(times)), times, np.full(len(times), value))
    await store.append(rows, mode=WriteMode.IMPORT, now_ms=NOW_MS)


async def test_telegraf_without_the_tag_cpu() -> None:
    store = MemoryStore()
    await put(store, "cpu_usage_idle", 12.5, 0)
    state = (await states(store))["a"]
    assert state.metrics == {"cpu": 87.5}
    assert state.expressions["cpu"] == '100 - avg by (server) (cpu_usage_idle{cpu=~"cpu-total|",server="a"})'


@pytest.mark.parametrize("source", ["node_exporter", "otel"])
async def test_a_server_that_has_just_begun_to_report_is_not_called_busy(source: str) -> None:
    """A rate over five minutes of one minute of samples is too low by far; a share of two such rates is right."""
    store = MemoryStore()
    await send(store, source, "new", now_ms=NOW_MS, seconds=60)
    assert (await states(store))["new"].metrics["cpu"] == pytest.approx(30.0)


async def test_modes_that_were_dropped_on_the_way_change_nothing() -> None:
    store = MemoryStore()
    ids = (await store.register([[("__name__", "node_cpu_seconds_total"), ("cpu", "0"), ("mode", "idle"), ("server", "a")]])).ids
    times = np.arange(NOW_MS - 300_000, NOW_MS + 1, 15_000)
    rows = Columns(np.repeat(ids, len(times)), times, (times - times[0]) / 1000.0 * 0.25)
    await store.append(rows, mode=WriteMode.IMPORT, now_ms=NOW_MS)
    assert (await states(store))["a"].metrics == pytest.approx({"cpu": 75.0})


async def test_what_does_not_exist_or_does_nothing_has_no_figure() -> None:
    """No swap space is not 0 % of it, and no request has no latency."""
    store = MemoryStore()
    names = ("node_memory_SwapTotal_bytes", "node_memory_SwapFree_bytes")
    for name in (*names, "http_request_duration_seconds_sum", "http_request_duration_seconds_count"):
        await put(store, name, 0.0, 240_000, 120_000, 0)
    assert (await states(store))["a"].metrics == {}


@pytest.mark.parametrize(("concept", "formula"), FORMULAS, ids=lambda each: getattr(each, "name", None))
def test_every_formula_names_its_series_and_can_be_filled(concept: Concept, formula: Formula) -> None:
    assert concept.unit in {"percent", "milliseconds", "bytes_per_second", "celsius", "processes", "seconds"}
    assert formula.names
    assert "$" not in formula.of_all() + formula.of_server("a") + formula.of_server("a", series=2)
    assert formula.of_server("$range", series=2).count('server="$range"') == formula.template.count("$servers"), (
        "names stay as they are"
    )


def test_precedence_is_the_same_for_every_concept() -> None:
    order = ["openmanager", "node_exporter", "otel", "telegraf", "http"]
    for concept in CONCEPTS:
        places = [order.index(formula.source) for formula in concept.formulas]
        assert places == sorted(places), concept.name


async def test_every_formula_has_a_sample_that_it_is_tested_with() -> None:
    store = MemoryStore()
    for source in EXPECTED:
        await send(store, source, source, now_ms=NOW_MS)
    inventory = Inventory(store)
    untested = [(concept.name, sorted(formula.names)) for concept, formula in FORMULAS if not inventory.holds(formula)]
    assert untested == []
