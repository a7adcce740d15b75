import numpy as np
import pytest

from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.health import Health, judge
from services.metrics.domain.inventory import Inventory, ServerState
from services.metrics.domain.ports import Columns, WriteMode
from services.metrics.domain.promql import Vector, evaluate_instant

NOW_MS = 1_700_000_000_000


async def write(store: MemoryStore, name: str, value: float, *, ago_seconds: int = 0, **labels: str) -> None:
    ids = (await store.register([(("__name__", name), *labels.items())])).ids
    times = np.array([NOW_MS - 1000 * ago_seconds])
    receipt = await store.append(Columns(ids, times, np.array([value])), mode=WriteMode.IMPORT, now_ms=NOW_MS)
    assert receipt.accepted == 1


async def listed(store: MemoryStore, name: str = "") -> dict[str, ServerState]:
    return {state.name: state for state in await Inventory(store).servers(NOW_MS, name)}


async def test_a_server_is_listed_with_its_figures_and_how_to_get_them_again() -> None:
    store = MemoryStore()
    await write(store, "cpu", 41.5, server="web-01", role="web", site="seoul-1")
    await write(store, "memory", 60.0, ago_seconds=20, server="web-01", role="web", site="seoul-1")
    for ago in range(0, 301, 60):
        received = 1e6 - 100.0 * ago
        await write(store, "network_receive_bytes_total", received, ago_seconds=ago, server="web-01", role="web", site="seoul-1")
        sent = 1e5 - 50.0 * ago
        await write(store, "network_transmit_bytes_total", sent, ago_seconds=ago, server="web-01", role="web", site="seoul-1")
    state = (await listed(store))["web-01"]
    assert (state.role, state.health, state.reasons, state.last_seen_ms) == ("web", Health.OK, (), NOW_MS)
    assert state.labels == (("role", "web"), ("site", "seoul-1"))
    assert state.metrics.keys() == state.expressions.keys() == {"cpu", "memory", "network"}
    assert state.expressions["cpu"] == 'cpu{server="web-01"}'
    assert state.metrics["network"] == pytest.approx(150.0)
    for name, expression in state.expressions.items():
        result = (await evaluate_instant(expression, store, NOW_MS)).value
        assert isinstance(result, Vector)
        assert result.values.tolist() == [state.metrics[name]]


async def test_the_highest_of_several_series_counts() -> None:
    store = MemoryStore()
    await write(store, "disk", 20.0, server="a", mount="/")
    await write(store, "disk", 96.0, server="a", mount="/data")
    state = (await listed(store))["a"]
    assert (state.metrics["disk"], state.expressions["disk"]) == (96.0, 'max by (server) (disk{server="a"})')
    assert state.health is Health.CRITICAL
    assert state.labels == ()


async def test_names_that_need_quoting_can_be_asked_for_again() -> None:
    store = MemoryStore()
    name = 'a"b\\c\nd\u200b서버'
    await write(store, "cpu", 7.0, server=name)
    for states in (await listed(store), await listed(store, name)):
        result = (await evaluate_instant(states[name].expressions["cpu"], store, NOW_MS)).value
        assert isinstance(result, Vector)
        assert result.values.tolist() == [7.0]


async def test_a_silent_server_is_unknown_and_has_no_figures() -> None:
    store = MemoryStore()
    await write(store, "cpu", 99.0, ago_seconds=301, server="gone", role="db")
    await write(store, "cpu", 50.0, ago_seconds=300, server="there")
    states = await listed(store)
    assert states["gone"].health is Health.UNKNOWN
    assert states["gone"].reasons == ("no samples for 5 min",)
    assert states["gone"].metrics == {}
    assert (states["gone"].role, states["gone"].labels) == ("db", (("role", "db"),))
    assert states["there"].health is Health.OK


async def test_old_figures_of_a_live_server_are_left_out() -> None:
    store = MemoryStore()
    await write(store, "cpu", 99.0, ago_seconds=400, server="a")
    await write(store, "memory", 50.0, server="a")
    state = (await listed(store))["a"]
    assert (state.health, state.metrics) == (Health.OK, {"memory": 50.0})


async def test_labels_are_those_that_all_current_series_share() -> None:
    store = MemoryStore()
    await write(store, "cpu", 1.0, server="a", role="web", site="x", core="0")
    await write(store, "memory", 1.0, server="a", role="web", site="x")
    await write(store, "disk", 1.0, ago_seconds=900, server="a", role="old")
    state = (await listed(store))["a"]
    assert state.labels == (("role", "web"), ("site", "x"))


async def test_series_without_a_server_make_no_server() -> None:
    store = MemoryStore()
    await write(store, "cpu", 1.0)
    assert await listed(store) == {}


async def test_one_server_can_be_asked_for() -> None:
    store = MemoryStore()
    await write(store, "cpu", 1.0, server="a")
    await write(store, "cpu", 2.0, server="b")
    assert {name: state.metrics["cpu"] for name, state in (await listed(store, "b")).items()} == {"b": 2.0}
    assert await listed(store, "c") == {}


async def test_the_list_follows_what_comes_and_goes() -> None:
    store = MemoryStore()
    inventory = Inventory(store)
    await write(store, "cpu", 1.0, ago_seconds=100, server="b")
    assert [state.name for state in await inventory.servers(NOW_MS)] == ["b"]
    await write(store, "cpu", 2.0, server="a", role="web")
    states = await inventory.servers(NOW_MS)
    assert [(state.name, state.role, state.metrics["cpu"]) for state in states] == [("a", "web", 2.0), ("b", "", 1.0)]
    states = await inventory.servers(NOW_MS + 250_000)
    assert [(state.name, state.health) for state in states] == [("a", Health.OK), ("b", Health.UNKNOWN)]


@pytest.mark.parametrize(
    ("figures", "health", "reasons"),
    [
        ({}, Health.OK, 0),
        ({"cpu": 79.9, "memory": 84.9, "disk": 84.9}, Health.OK, 0),
        ({"cpu": 80.0}, Health.WARNING, 1),
        ({"memory": 85.0, "disk": 85.0}, Health.WARNING, 2),
        ({"cpu": 95.0, "disk": 90.0}, Health.CRITICAL, 2),
        ({"cpu": 90.0, "disk": 95.0}, Health.CRITICAL, 2),
        ({"latency": 1e9}, Health.OK, 0),
    ],
)
def test_health(figures: dict[str, float], health: Health, reasons: int) -> None:
    judged = judge(figures, silent_seconds=0.0, silent_after_seconds=300.0)
    assert (judged[0], len(judged[1])) == (health, reasons)


def test_reasons_are_for_people() -> None:
    assert judge({"cpu": 97.04}, silent_seconds=0, silent_after_seconds=300)[1] == ("cpu 97.0 % is at its critical level of 95 %",)
    assert judge({"cpu": 97.0}, silent_seconds=90_000, silent_after_seconds=300) == (Health.UNKNOWN, ("no samples for 1 d",))
