"""Figures over windows, from every kind of formula, evaluated by the metrics service's own PromQL over samples of each source."""

import pytest

from services.ai_agent.domain.concepts import Concepts, FormulaKind
from services.ai_agent.domain.interpretation import Aggregation
from services.ai_agent.domain.measures import Scope, Window, by_server, compared, duration_text, of_server, samples_of, series_of
from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.concepts import CONCEPTS
from services.metrics.domain.promql import Vector, evaluate_instant, parse
from tests.support.answers_world import concepts_of
from tests.support.source_samples import courses, send

NOW_MS = 1_700_000_000_000
AGGREGATIONS: tuple[Aggregation, ...] = ("avg", "max", "min", "p95", "last")
SOURCES = ("openmanager", "node_exporter", "otel", "otel_utilization", "telegraf")


def known() -> Concepts:
    """The concepts of a store that holds series of all these sources."""
    return concepts_of(frozenset(dict(course.labels)["__name__"] for source in SOURCES for course in courses(source, source)))


async def filled() -> MemoryStore:
    """An hour of each source, on a server of the same name."""
    store = MemoryStore()
    for source in SOURCES:
        await send(store, source, source, now_ms=NOW_MS, seconds=3_600)
    return store


async def value(store: MemoryStore, expr: str) -> dict[str, float]:
    """Values by server."""
    result = (await evaluate_instant(expr, store, NOW_MS)).value
    assert isinstance(result, Vector)
    return {dict(labels).get("server", ""): each for labels, each in zip(result.labels, result.values.tolist(), strict=True)}


async def test_a_steady_figure_is_the_same_at_an_instant_and_over_every_window() -> None:
    store = await filled()
    for concept in CONCEPTS:
        if concept.name == "uptime":
            continue  # it grows
        measure = known().measure(concept.name)
        now = await value(store, by_server(measure.formulas, Scope(), None))
        assert now
        for length_ms in (600_000, 1_800_000):
            for aggregation in AGGREGATIONS:
                window = Window(length_ms, aggregation)
                over = await value(store, by_server(measure.formulas, Scope(), window))
                if concept.name == "disk" and aggregation == "min":
                    over["openmanager"] = now["openmanager"]  # of several disks the emptiest decides on the minimum
                if concept.name == "temperature" and aggregation == "min":
                    over["node_exporter"] = now["node_exporter"]
                assert over == pytest.approx(now), (concept.name, window)


async def test_one_server_has_the_figure_that_it_has_among_all() -> None:
    store = await filled()
    for window in (None, Window(600_000, "max"), Window(600_000, "avg")):
        for concept in CONCEPTS:
            measure = known().measure(concept.name)
            for formula in measure.formulas:
                for server, figure in (await value(store, by_server([formula], Scope(), window))).items():
                    alone = await value(store, of_server(formula, server, window, series=2))
                    assert alone == {server: figure}, formula


async def test_the_samples_behind_a_figure_are_those_of_its_series() -> None:
    store = await filled()
    window = Window(600_000, "avg")
    expected = {("cpu", "node_exporter"): 8 * 41, ("memory", "node_exporter"): 2 * 41, ("network", "telegraf"): 2 * 41}
    expected |= {("disk", "openmanager"): 2 * 41, ("disk", "telegraf"): 41, ("load", "otel"): 41, ("memory", "otel"): 5 * 41}
    for (concept, server), samples in expected.items():
        formulas = known().measure(concept).formulas
        told = [formula for formula in formulas if await value(store, of_server(formula, server, window))]
        assert list((await value(store, samples_of(told[0], server, window))).values()) == [float(samples)], (concept, server)


async def test_a_sum_of_rates_is_what_the_counters_grew_by() -> None:
    store = await filled()
    network = known().measure("network")
    grown = await value(store, by_server(network.formulas, Scope(), Window(600_000, "sum")))
    assert grown == pytest.approx({"openmanager": 90_000, "node_exporter": 900_000, "otel": 180_000, "telegraf": 18_000})


async def test_traffic_of_one_direction() -> None:
    store = await filled()
    for direction, expected in (("in", {"node_exporter": 1000.0, "otel": 100.0}), ("out", {"node_exporter": 500.0, "otel": 200.0})):
        measure = known().measure("network", "in" if direction == "in" else "out")
        assert measure.name == f"network_{direction}"
        found = await value(store, by_server(measure.formulas, Scope(("node_exporter", "otel")), None))
        assert found == pytest.approx(expected)


async def test_a_comparison_holds_for_the_whole_of_several_sources() -> None:
    store = await filled()
    vector = by_server(known().measure("cpu").formulas, Scope(), None)
    assert set(await value(store, compared(vector, ">", 40.0))) == {"openmanager", "otel_utilization", "telegraf"}


@pytest.mark.parametrize("length_ms", [60_000, 3_600_000, 86_400_000, 30 * 86_400_000, 86_400_001])
def test_windows_of_every_length_can_be_evaluated(length_ms: int) -> None:
    for concept in CONCEPTS:
        for formula in known().measure(concept.name).formulas:
            for aggregation in (*AGGREGATIONS, "sum"):
                text = of_server(formula, "a", Window(length_ms, aggregation), series=2)
                parse(text)
                assert "$" not in text
                assert duration_text(length_ms) in text or aggregation == "last"


def test_a_series_is_a_measure_by_its_name() -> None:
    concepts = known()
    assert [formula.kind for formula in concepts.measure("queue_depth").formulas] == [FormulaKind.GAUGE]
    assert [formula.kind for formula in concepts.measure("requests_total").formulas] == [FormulaKind.COUNTERS]
    assert concepts.unit("node_memory_Cached_bytes") == "bytes"
    assert concepts.unit("sent_bytes_total") == "bytes_per_second"
    assert concepts.unit("queue_depth") == ""
    gauge = concepts.measure("queue_depth").formulas[0]
    assert series_of(gauge, Scope(("a",)), Window(60_000, "max")) == 'max_over_time(queue_depth{server="a"}[1m])'
