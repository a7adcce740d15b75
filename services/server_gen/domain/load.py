"""How many requests the people of a site send: by the hour, the day of the week, the holidays, the season and by chance.

The level stands on a lattice of one minute and runs straight between its points. Points are whole multiples of 2^-20, so sums of them
are exact, and the work between two times is the same number however it is asked.
"""

from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from services.server_gen.domain.holidays import Calendar
from services.server_gen.domain.noise import Floats, Octaves, Seeds, derive, hashed, unit
from services.server_gen.domain.roles import DAY, HOUR
from services.server_gen.domain.sites import Site

MAX_LEVEL: Final = 2.5
"""The level never exceeds it; the average of a year is about 1."""
MIN_LEVEL: Final = 0.15

_MINUTE: Final = 60.0
_KNOTS: Final = 1440
_UNIT: Final = 2.0**-20
_KEPT_DAYS: Final = 256
"""Servers run for up to 90 days, whose work is asked for again and again."""

_WORKDAY: Final = (
    0.42, 0.31, 0.25, 0.22, 0.21, 0.24, 0.37, 0.62, 1.00, 1.40, 1.60, 1.60, 1.36, 1.50, 1.66, 1.70, 1.62, 1.45, 1.20, 1.08,
    1.10, 1.06, 0.88, 0.63,
)  # fmt: skip
_SATURDAY: Final = (
    0.50, 0.39, 0.31, 0.26, 0.23, 0.23, 0.27, 0.36, 0.50, 0.68, 0.82, 0.90, 0.92, 0.93, 0.94, 0.94, 0.92, 0.90, 0.90, 0.94,
    0.98, 0.96, 0.84, 0.65,
)  # fmt: skip
_HOLIDAY: Final = (
    0.52, 0.40, 0.32, 0.26, 0.23, 0.22, 0.25, 0.32, 0.44, 0.58, 0.70, 0.78, 0.80, 0.81, 0.82, 0.83, 0.84, 0.85, 0.90, 0.99,
    1.06, 1.02, 0.84, 0.60,
)  # fmt: skip
_TABLE: Final = np.array([_WORKDAY, _SATURDAY, _HOLIDAY])
_WEEK_MEAN: Final = float((5 * _TABLE[0].mean() + _TABLE[1].mean() + _TABLE[2].mean()) / 7)
_WEEKDAY_FACTORS: Final = (1.04, 1.02, 1.0, 1.0, 0.96, 1.0, 1.0)
_CHANCE: Final = ((3 * HOUR, 0.035), (2400.0, 0.03), (420.0, 0.02))
_DAY_CHANCE: Final = 0.035
_TREND_SECONDS: Final = 2 * 365.25 * DAY
_TREND: Final = 0.06
"""Business grows for a year, and sheds what it grew in the next: a trend without an end would outgrow the servers."""

_BURST_CELL: Final = 2 * HOUR
_BURST_CHANCE: Final = 0.12
_BURST_HEIGHT: Final = (0.05, 0.24)
_BURST_RISE: Final = 100.0
_BURST_DECAY: Final = (240.0, 1200.0)

# Keys of independent noise.
_NOISE, _DAYS, _TREND_PHASE, _BURST, _BURST_START, _BURST_SIZE, _BURST_LENGTH = range(201, 208)


class SiteLoad:
    """The requests of one site relative to their average; safe to use from several threads.

    Args:
        seed: uint64[1], of the fleet.
        number: tells the sites of a fleet apart.
        site: whose people.
        calendar: their holidays.
    """

    def __init__(self, seed: Seeds, number: int, site: Site, calendar: Calendar) -> None:
        self._zone = ZoneInfo(site.zone)
        self._calendar = calendar
        self._seed = derive(seed, 1000 + number)
        self._noise = Octaves(derive(self._seed, _NOISE), _CHANCE)
        self._trend_phase = float(unit(derive(self._seed, _TREND_PHASE))[0])
        self._days: OrderedDict[int, tuple[Floats, Floats]] = OrderedDict()
        self._totals: dict[int, float] = {}
        self._lock = Lock()

    def level(self, times: Floats) -> Floats:
        """The level at Unix times of any shape, from `MIN_LEVEL` to `MAX_LEVEL`."""
        return self.level_and_work(times, 0, work=False)[0]

    def level_and_work(self, times: Floats, since_day: int, *, work: bool = True) -> tuple[Floats, Floats]:
        """The level, and its integral in seconds from the begin of a day (days of Unix time, UTC) that is not after any time."""
        day = np.floor(times / DAY)
        position = (times - day * DAY) / _MINUTE
        knot = np.floor(position).astype(np.intp)
        x = (position - knot) * _MINUTE
        left, right, before = np.empty(times.shape), np.empty(times.shape), np.empty(times.shape)
        for number in _distinct(day):
            knots, sums = self._day(number)
            here = day == number
            at = knot[here]
            left[here], right[here] = knots[at], knots[at + 1]
            if work:
                before[here] = sums[at] + self._total(since_day, number)
        rise = (right - left) / _MINUTE
        amount = (before + np.rint(x * (left + 0.5 * rise * x))) * _UNIT if work else before
        return (left + rise * x) * _UNIT, amount

    def _total(self, first_day: int, last_day: int) -> float:
        """The work of whole days, `last_day` exclusive, in units; exact."""
        for day in range(first_day, last_day):
            if day not in self._totals:
                self._totals[day] = float(self._day(day)[1][-1])
        return sum(self._totals[day] for day in range(first_day, last_day))

    def _day(self, day: int) -> tuple[Floats, Floats]:
        """The 1,441 points of a day, both midnights included, and the sum of the work before each; in units."""
        with self._lock:
            kept = self._days.get(day)
            if kept is None:
                knots = np.rint(np.clip(self._shape(day), MIN_LEVEL, MAX_LEVEL) / _UNIT)
                sums = np.concatenate(([0.0], np.cumsum((knots[:-1] + knots[1:]) * (_MINUTE / 2))))
                kept = self._days[day] = (knots, sums)
            self._days.move_to_end(day)
            if len(self._days) > _KEPT_DAYS:
                self._days.popitem(last=False)
            return kept

    def _shape(self, day: int) -> Floats:
        times = day * DAY + _MINUTE * np.arange(_KNOTS + 1.0)
        level = self._people(times) * (1.0 + self._noise.value(times)[0]) * (1.0 + self._bursts(times))
        trend = 1.0 + _TREND * _swing(times / _TREND_SECONDS + self._trend_phase)
        return np.asarray(level * trend / _WEEK_MEAN)

    def _people(self, times: Floats) -> Floats:
        """The usual level by local time: hourly figures, joined by a cubic (E. Catmull, R. Rom, 1974)."""
        hours = np.floor(times / HOUR)
        first = int(hours[0])
        offsets = np.array([self._offset(first + k) for k in range(int(hours[-1]) - first + 1)])
        local = (times + offsets[(hours - first).astype(np.intp)]) / HOUR
        hour = np.floor(local)
        x = local - hour
        start = int(hour.min()) - 1
        figures = self._hourly(np.arange(start, int(hour.max()) + 3))
        at = (hour - start).astype(np.intp)
        a, b, c, d = figures[at - 1], figures[at], figures[at + 1], figures[at + 2]
        return np.asarray(b + 0.5 * x * (c - a + x * (2.0 * a - 5.0 * b + 4.0 * c - d + x * (3.0 * (b - c) + d - a))))

    def _offset(self, hour: int) -> float:
        offset = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(self._zone).utcoffset()
        return offset.total_seconds() if offset else 0.0

    def _hourly(self, hours: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
        """The figure of each local hour, counted from the start of Unix time."""
        days = hours // 24
        kinds, factors = {}, {}
        for day in sorted(set(days.tolist())):
            local = date(1970, 1, 1) + timedelta(days=day)
            weekday = local.weekday()
            rest = weekday == 6 or self._calendar.is_holiday(local)
            kinds[day] = 2 if rest else int(weekday == 5)
            chance = float(hashed(derive(self._seed, _DAYS)[:, None], np.array([[float(day)]]))[0, 0])
            factors[day] = (1.0 if rest else _WEEKDAY_FACTORS[weekday]) * (1.0 + _DAY_CHANCE * (2.0 * chance - 1.0))
        kind = np.array([kinds[day] for day in days.tolist()])
        return np.asarray(_TABLE[kind, hours % 24] * np.array([factors[day] for day in days.tolist()]))

    def _bursts(self, times: Floats) -> Floats:
        """Surges that rise within two minutes and fade away: a mail to all customers, a link that makes the rounds."""
        total = np.zeros(len(times))
        last = np.floor(times / _BURST_CELL)
        for cell in (last - 1.0, last):
            at = cell[None, :]
            happens, start, size, length = (
                hashed(derive(self._seed, key)[:, None], at)[0] for key in (_BURST, _BURST_START, _BURST_SIZE, _BURST_LENGTH)
            )
            height = np.where(happens < _BURST_CHANCE, _between(_BURST_HEIGHT, size * size), 0.0)
            x = times - _BURST_CELL * (cell + start)
            fade = 1.0 + np.maximum(x - _BURST_RISE, 0.0) / _between(_BURST_DECAY, length)
            # Gone by the time that no cell remembers it.
            left = np.clip(1.0 - x / _BURST_CELL, 0.0, 1.0)
            total += height * np.clip(x / _BURST_RISE, 0.0, 1.0) * left / (fade * fade)
        return total


def _between(limits: tuple[float, float], x: Floats) -> Floats:
    return limits[0] + (limits[1] - limits[0]) * x


def _swing(turns: Floats) -> Floats:
    """A smooth wave between -1 and 1, once a turn; its arithmetic is exact to the bit on every machine, unlike a sine's."""
    x = np.abs(2.0 * (turns - np.floor(turns)) - 1.0)
    return 2.0 * x * x * (3.0 - 2.0 * x) - 1.0


def _distinct(days: Floats) -> list[int]:
    low, high = int(days.min()), int(days.max())
    if low == high:
        return [low]
    return sorted({int(day) for day in np.unique(days)})
