"""What every `SampleStore` does with series and labels."""

import pytest

from services.common.errors import InvalidArgumentError
from services.metrics.domain.ports import Matcher, MatchOp, Reason, SampleStore
from tests.contract.store.conftest import Harness
from tests.support.samples import HOUR_MS, NOW_MS, columns, equal, series


async def filled(store: SampleStore) -> dict[str, int]:
    """Four series by a short name, each with a sample; `db` an hour earlier."""
    asked = {
        "web1": series("cpu", server="web-01", role="web"),
        "web2": series("cpu", server="web-02", role="web", site="seoul"),
        "db": series("cpu", server="db-01", role="db"),
        "bare": series("up"),
    }
    ids = (await store.register(list(asked.values()))).ids.tolist()
    names = dict(zip(asked, ids, strict=True))
    rows = [(series_id, NOW_MS - (HOUR_MS if name == "db" else 0), 1.0) for name, series_id in names.items()]
    await store.append(columns(rows), now_ms=NOW_MS)
    return names


async def test_the_same_labels_are_the_same_series(store: SampleStore, harness: Harness) -> None:
    first = await store.register(
        [series("cpu", server="a", role="web"), series("cpu", server="b"), series("cpu", server="a", role="web")]
    )
    assert first.errors == ()
    assert first.ids[0] == first.ids[2] != first.ids[1]
    store_id = store.store_id
    store = await harness.settle(store)
    assert store.store_id == store_id
    again = await store.register(
        [[("role", "web"), ("server", "a"), ("__name__", "cpu"), ("empty", "")], series("cpu", server="b")]
    )
    assert again.ids.tolist() == first.ids[:2].tolist()
    assert store.labels_of(first.ids[:1]) == [(("__name__", "cpu"), ("role", "web"), ("server", "a"))]
    assert store.labels_of(first.ids[:1] + 500) == [()]


@pytest.mark.parametrize(
    "labels",
    [
        [],
        [("server", "a")],
        [("__name__", "bad name")],
        [("__name__", "cpu"), ("", "x")],
        [("__name__", "cpu"), ("1st", "x")],
        [("__name__", "cpu"), ("a-b", "x")],
        [("__name__", "cpu"), ("a\n", "x")],
        [("__name__", "cpu"), ("a", "x"), ("a", "y")],
        [("__name__", "cpu"), ("a", "가" * 2000)],
        [("__name__", "cpu"), *[(f"l{i}", "x") for i in range(64)]],
    ],
)
async def test_labels_that_cannot_be_are_refused_and_the_others_are_not(store: SampleStore, labels: list[tuple[str, str]]) -> None:
    answer = await store.register([series("cpu", server="a"), labels, series("cpu", server="b")])
    assert answer.ids[1] == 0
    assert 0 not in {int(answer.ids[0]), int(answer.ids[2])}
    assert [(error.index, error.reason) for error in answer.errors] == [(1, Reason.INVALID_LABELS)]


async def test_there_is_a_limit_for_each_server_and_for_all(store: SampleStore, harness: Harness) -> None:
    many = [series("m", server="one", i=str(i)) for i in range(60)]
    answer = await store.register(many)
    assert (answer.ids != 0).sum() == 50
    assert {error.reason for error in answer.errors} == {Reason.SERIES_LIMIT}
    store = await harness.settle(store)
    answer = await store.register([series("m", server=f"s{i}") for i in range(160)])
    assert (answer.ids != 0).sum() == 150
    assert len(answer.errors) == 10
    assert ((await store.register(many)).ids != 0).sum() == 50, "known series are still found"


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ([], {"web1", "web2", "db", "bare"}),
        ([equal("__name__", "cpu")], {"web1", "web2", "db"}),
        ([equal("role", "web")], {"web1", "web2"}),
        ([equal("role", "")], {"bare"}),
        ([equal("site", ""), equal("__name__", "cpu")], {"web1", "db"}),
        ([Matcher("role", MatchOp.NOT_EQUAL, "web")], {"db", "bare"}),
        ([Matcher("role", MatchOp.NOT_EQUAL, "")], {"web1", "web2", "db"}),
        ([Matcher("server", MatchOp.REGEX, "web-.*")], {"web1", "web2"}),
        ([Matcher("server", MatchOp.REGEX, "web")], set()),
        ([Matcher("server", MatchOp.REGEX, "web-01|db-01")], {"web1", "db"}),
        ([Matcher("site", MatchOp.REGEX, ".*")], {"web1", "web2", "db", "bare"}),
        ([Matcher("site", MatchOp.REGEX, ".+")], {"web2"}),
        ([Matcher("server", MatchOp.NOT_REGEX, "web-.*")], {"db", "bare"}),
        ([Matcher("server", MatchOp.NOT_REGEX, "")], {"web1", "web2", "db"}),
        ([equal("role", "web"), Matcher("server", MatchOp.NOT_EQUAL, "web-01")], {"web2"}),
        ([Matcher("role", MatchOp.REGEX, "(?i)WEB")], {"web1", "web2"}),
        ([Matcher("role", MatchOp.REGEX, "((w|e|b)+)+")], {"web1", "web2"}),
        ([Matcher("server", MatchOp.REGEX, "[[:alpha:]]+-01")], {"web1", "db"}),
    ],
)
async def test_matchers(store: SampleStore, harness: Harness, matchers: list[Matcher], expected: set[str]) -> None:
    names = await filled(store)
    store = await harness.settle(store)
    wanted = sorted(names[name] for name in expected)
    assert store.matching(matchers).tolist() == wanted
    assert [series_id for series_id, _ in await store.select_series(matchers)] == wanted
    assert (await store.select(matchers, NOW_MS - HOUR_MS, NOW_MS)).ids.tolist() == wanted


@pytest.mark.parametrize(
    "pattern", ["(", "(?=x)", r"(a)\1", "x." * 20_000, "[", "(?P<n>a)(?P=n)", "(a{500}b){500}", "(a{100}){100}"]
)
async def test_patterns_that_cannot_be_used_are_refused(store: SampleStore, pattern: str) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        await store.select([Matcher("server", MatchOp.REGEX, pattern)], 0, NOW_MS)
    assert refusal.value.reason == "INVALID_REGEX"


async def test_a_selection_sees_series_that_came_after_it_was_first_made(store: SampleStore) -> None:
    matcher = [Matcher("server", MatchOp.REGEX, "web-.*")]
    await filled(store)
    before = set(store.matching(matcher).tolist())
    (new,) = (await store.register([series("cpu", server="web-09")])).ids.tolist()
    assert set(store.matching(matcher).tolist()) == before | {new}


async def test_names_and_values_of_labels_in_a_range(store: SampleStore, harness: Harness) -> None:
    await filled(store)
    store = await harness.settle(store)
    assert await store.label_names() == ["__name__", "role", "server", "site"]
    assert await store.label_names([equal("role", "db")]) == ["__name__", "role", "server"]
    assert await store.label_values("server") == ["db-01", "web-01", "web-02"]
    assert await store.label_values("server", [equal("role", "web")]) == ["web-01", "web-02"]
    assert await store.label_values("absent") == []
    recent = (NOW_MS - 1000, NOW_MS)
    assert await store.label_values("role", [], *recent) == ["web"]
    assert await store.label_names([equal("__name__", "up")], *recent) == ["__name__"]
    assert [dict(labels).get("server") for _, labels in await store.select_series([], *recent)] == ["web-01", "web-02", None]


async def test_labels_go_with_the_last_series_that_has_them(store: SampleStore, harness: Harness) -> None:
    await filled(store)
    store = await harness.settle(store)
    assert await store.delete_series([equal("site", "seoul")]) == 1
    store = await harness.settle(store)
    assert await store.label_values("site") == []
    assert "site" not in await store.label_names()
    assert await store.label_values("role", [equal("__name__", "cpu")]) == ["db", "web"]
