from datetime import date

import pytest

from services.server_gen.domain.holidays import Calendar


@pytest.mark.parametrize(
    ("country", "day"),
    [
        ("KR", date(2026, 2, 17)),  # New Year by the moon
        ("KR", date(2026, 9, 25)),  # Chuseok
        ("KR", date(2026, 3, 2)),  # in place of 1 March, a Sunday
        ("JP", date(2026, 5, 5)),
        ("JP", date(2026, 11, 23)),
    ],
)
def test_public_holidays_are_known(country: str, day: date) -> None:
    assert Calendar(country).is_holiday(day)


def test_a_plain_day_is_no_holiday() -> None:
    assert not Calendar("KR").is_holiday(date(2026, 11, 24))
    assert not Calendar("KR").is_holiday(date(2026, 11, 23))  # one in Japan


def test_the_house_adds_its_own() -> None:
    calendar = Calendar("KR", [date(2026, 11, 24)])
    assert calendar.is_holiday(date(2026, 11, 24))
    assert calendar.is_holiday(date(2026, 9, 25))


def test_years_that_nobody_knows_have_none() -> None:
    assert not Calendar("KR").is_holiday(date(2400, 1, 1))
