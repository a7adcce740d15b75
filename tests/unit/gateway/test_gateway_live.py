"""Newest figures by server."""

import numpy as np

from services.gateway.domain.live import LiveFigures

NOW_MS = 1_700_000_000_000


def _labels(name: str, server: str, **more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"__name__": name, "server": server, **more}.items()))


def _update(figures: LiveFigures, *rows: tuple[int, int, float]) -> None:
    ids, times, values = zip(*rows, strict=True)
    figures.update(np.array(ids, "<u8"), np.array(times, "<i8"), np.array(values, "<f8"))


def test_only_what_changed_is_taken() -> None:
    figures = LiveFigures()
    figures.define(1, _labels("cpu", "a"))
    figures.define(2, _labels("memory", "a"))
    figures.define(3, _labels("cpu", "b"))
    _update(figures, (1, NOW_MS, 1.0), (2, NOW_MS - 5, 2.0), (3, NOW_MS, 3.0))
    first = figures.take_changed(NOW_MS)
    _update(figures, (1, NOW_MS + 500, 4.0))

    assert set(first) == {"a", "b"}
    assert figures.take_changed(NOW_MS) == {"a": {"cpu": 4.0, "memory": 2.0, "time": "2023-11-14T22:13:20.500Z"}}
    assert figures.take_changed(NOW_MS) == {}


def test_older_samples_and_unknown_ids_change_nothing() -> None:
    figures = LiveFigures()
    figures.define(1, _labels("cpu", "a"))
    figures.define(2, _labels("http_requests_total", "a"))
    figures.define(3, (("__name__", "cpu"),))
    _update(figures, (1, NOW_MS, 1.0), (1, NOW_MS - 1, 9.0), (2, NOW_MS, 9.0), (3, NOW_MS, 9.0), (4, NOW_MS, 9.0))

    assert figures.all(NOW_MS)["a"]["cpu"] == 1.0
    assert set(figures.all(NOW_MS)) == {"a"}


def test_figures_older_than_five_minutes_are_unknown() -> None:
    figures = LiveFigures()
    figures.define(1, _labels("cpu", "a"))
    figures.define(2, _labels("disk", "a"))
    _update(figures, (1, NOW_MS, 1.0), (2, NOW_MS - 300_001, 2.0))

    assert "disk" not in figures.all(NOW_MS)["a"]
    assert figures.all(NOW_MS + 300_001) == {}


def test_of_several_series_the_highest_counts() -> None:
    figures = LiveFigures()
    figures.define(1, _labels("disk", "a", mount="/"))
    figures.define(2, _labels("disk", "a", mount="/var"))
    _update(figures, (1, NOW_MS, 70.0), (2, NOW_MS, 30.0))
    before = figures.all(NOW_MS)["a"]["disk"]
    _update(figures, (1, NOW_MS + 1, 10.0))

    assert before == 70.0
    assert figures.all(NOW_MS)["a"]["disk"] == 30.0


def test_a_new_upstream_stream_may_give_other_ids() -> None:
    figures = LiveFigures()
    figures.define(1, _labels("cpu", "a"))
    _update(figures, (1, NOW_MS, 1.0))
    figures.restart()
    _update(figures, (1, NOW_MS + 1, 9.0))
    figures.define(7, _labels("cpu", "a"))
    _update(figures, (7, NOW_MS + 2, 2.0))

    assert figures.all(NOW_MS)["a"]["cpu"] == 2.0


def test_of_samples_in_one_batch_the_newest_stays_and_of_one_time_the_last() -> None:
    figures = LiveFigures()
    figures.define(1, _labels("cpu", "a"))
    figures.define(2, _labels("memory", "a"))
    _update(figures, (1, NOW_MS, 5.0), (2, NOW_MS, 6.0), (1, NOW_MS - 1, 4.0), (2, NOW_MS, 7.0))

    assert figures.all(NOW_MS) == {"a": {"cpu": 5.0, "memory": 7.0, "time": "2023-11-14T22:13:20.000Z"}}


def test_many_series_are_kept_apart() -> None:
    figures = LiveFigures()
    for k in range(300):
        figures.define(1000 - k, _labels("cpu", f"web-{k:03}"))
        _update(figures, (1000 - k, NOW_MS, float(k)))

    assert [(server, found["cpu"]) for server, found in figures.all(NOW_MS).items()] == [
        (f"web-{k:03}", float(k)) for k in range(300)
    ]


def test_forgotten_figures_come_back_with_their_next_sample_alone() -> None:
    figures = LiveFigures()
    figures.define(1, _labels("cpu", "a", fleet="demo"))
    figures.define(2, _labels("cpu", "b"))
    _update(figures, (1, NOW_MS, 1.0), (2, NOW_MS, 2.0))
    figures.forget(("fleet", "demo"))
    forgotten = figures.all(NOW_MS), figures.take_changed(NOW_MS)
    _update(figures, (1, NOW_MS - 1000, 3.0))

    assert [set(found) for found in forgotten] == [{"b"}, {"b"}]
    assert set(figures.all(NOW_MS)) == {"a", "b"}
