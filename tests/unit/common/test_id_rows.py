"""Rows of numeric ids."""

import numpy as np
import pytest

from services.common.id_rows import IdPlaces, IdRows, find


def _ids(*ids: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.array(ids, np.uint64)


def test_places_in_an_ascending_array() -> None:
    assert find(_ids(7, 1, 2**64 - 1, 3, 7), _ids(1, 3, 7)).tolist() == [2, 0, -1, 1, 2]
    assert find(_ids(7), _ids()).tolist() == [-1]
    assert find(_ids(), _ids(1)).tolist() == []


@pytest.mark.parametrize("held", [[], [5], [1, 3, 7], [10, 2**40], [2**63, 2**63 + 1], list(range(100, 5000, 3))])
def test_places_that_stay_are_the_same_close_together_or_far_apart(held: list[int]) -> None:
    asked = _ids(0, 1, 2, 3, 5, 7, 8, 103, 4999, 2**40, 2**63 + 1, 2**64 - 1)
    assert IdPlaces(_ids(*held)).find(asked).tolist() == find(asked, _ids(*held)).tolist()
    assert IdPlaces(_ids(*held)).find(_ids()).tolist() == []


def test_an_id_stands_for_the_row_it_was_given_last() -> None:
    rows = IdRows()
    assert rows.rows(_ids(5, 6)).tolist() == [-1, -1]

    rows.put(2**63 + 5, 0)
    rows.put(3, 1)
    assert rows.rows(_ids(3, 2**63 + 5, 4)).tolist() == [1, 0, -1]

    rows.put(3, 4)
    rows.put(4, 2)
    assert rows.rows(_ids(4, 3, 2**63 + 5)).tolist() == [2, 4, 0]


def test_an_id_that_is_dropped_stands_for_nothing_until_it_is_given_a_row_again() -> None:
    rows = IdRows()
    rows.drop(_ids(1))
    for number in range(10):
        rows.put(number, number)
    rows.drop(_ids(3, 4, 77))
    assert rows.rows(_ids(2, 3, 4, 5, 77)).tolist() == [2, -1, -1, 5, -1]
    rows.put(4, 9)
    assert rows.rows(_ids(3, 4)).tolist() == [-1, 9]
    rows.drop(_ids(*range(10)))
    assert rows.rows(_ids(*range(10))).tolist() == [-1] * 10
