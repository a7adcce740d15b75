import numpy as np
import pytest

from services.metrics.domain.history import missing_ranges, windows_back

MINUTE = 60_000


def missing(times: list[int], start: int, end: int) -> list[tuple[int, int]]:
    """The ranges in minutes."""
    ranges = missing_ranges(np.array(times, np.int64) * 1000, start * MINUTE, end * MINUTE, MINUTE)
    return [(first // MINUTE, last // MINUTE) for first, last in ranges]


def test_a_store_without_samples_lacks_everything() -> None:
    assert missing([], 3, 500) == [(3, 500)]


def test_a_store_with_every_step_lacks_nothing() -> None:
    assert missing(list(range(0, 6000, 60)), 0, 100) == []
    assert missing([-1, 7, 6001], 0, 0) == []


def test_live_samples_are_dense_enough() -> None:
    assert missing(list(range(10, 6000, 10)), 1, 100) == []
    assert missing([*range(10, 55, 10), *range(70, 6000, 10)], 1, 100) == [(1, 2)]


def test_what_is_missing_is_named_and_little_of_what_is_there() -> None:
    there = [*range(100, 200), *range(400, 500)]
    assert missing([60 * step for step in there], 0, 600) == [(0, 100), (200, 400), (500, 600)]
    assert missing([60 * step for step in range(0, 600, 2)], 0, 600) == [(1, 600)], "many small gaps are asked for at once"


def test_steps_stand_at_whole_multiples() -> None:
    assert missing_ranges(np.empty(0, np.int64), 90_000, 200_000, MINUTE) == [(120_000, 200_000)]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (5, 5, []),
        (5, 9, [(5, 9)]),
        (5, 28, [(18, 28), (8, 18), (5, 8)]),
        (10, 20, [(10, 20)]),
    ],
)
def test_windows_go_back_in_time(start: int, end: int, expected: list[tuple[int, int]]) -> None:
    assert list(windows_back(start, end, 10)) == expected
