"""When people of a country stay at home."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache


class Calendar:
    """The holidays of one country and of the house.

    Args:
        country: ISO 3166-1 code. The dates, substitute holidays and those of the moon included, come from the package `holidays`, which
            knows none for a year that is out of its range.
        extra: further dates, such as the day a company was founded.
    """

    def __init__(self, country: str, extra: Sequence[date] = ()) -> None:
        self._country = country
        self._extra = frozenset(extra)

    def is_holiday(self, day: date) -> bool:
        """Whether it is a public holiday or one of the house."""
        return day in self._extra or day in _public_holidays(self._country, day.year)


@lru_cache(maxsize=256)
def _public_holidays(country: str, year: int) -> frozenset[date]:
    # Deferred: the package takes longer to import than all of the domain.
    from holidays import country_holidays

    return frozenset(country_holidays(country, years=year))
