"""The fields of one entry of a scenario file, taken one by one with everything that is wrong about them."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from services.common.errors import FieldError
from services.server_gen.domain.faults.scenario import Absolute, Entry, FromEpoch, OnDays, OnWeekday, Target, When

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MAX_DURATION_SECONDS: Final = 30 * 86_400.0
MAX_COUNT: Final = 100
_MAX_DAY: Final = 3660
_MAX_EVERY_SECONDS: Final = 366 * 86_400.0
_MAX_AFTER_SECONDS: Final = 366 * 86_400.0
_MIN_EVERY_SECONDS: Final = 3600.0
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])")
_FIELDS: Final = frozenset(
    (
        *("kind", "server", "role", "site", "nth", "count", "stagger"),
        *("start", "after", "day", "weekday", "at", "every", "duration", "severity"),
    )
)


@dataclass(frozen=True)
class Names:
    """What exists in the largest fleet: values are the names, for each field that names something."""

    server: Collection[str]
    role: Collection[str]
    site: Collection[str]


class EntryFields:
    """Reads one entry; `wrong` holds what was wrong with it.

    Args:
        number: of the entry, from 1.
        table: as parsed.
        kinds: names of the kinds.
        names: gives what exists; called only when a name has to be looked up.
    """

    def __init__(self, number: int, table: Mapping[str, object], kinds: Collection[str], names: Callable[[], Names]) -> None:
        self.wrong: list[FieldError] = []
        self._number = number
        self._table = table
        self._kinds = kinds
        self._names = names

    def entry(self) -> Entry | None:
        """The entry; None when anything was wrong."""
        for key in sorted(self._table.keys() - _FIELDS):
            self._refuse(key, f"is not a field of a fault; the fields are {', '.join(sorted(_FIELDS))}")
        kind = self._kind()
        target = self._target()
        when = self._when()
        duration = self._seconds("duration", 1.0, MAX_DURATION_SECONDS, required=True)
        stagger = self._seconds("stagger", 0.0, 86_400.0)
        severity = self._severity()
        if self.wrong or kind is None or target is None or when is None or duration is None or severity is None:
            return None
        return Entry(self._number, kind, target, when, duration, severity, stagger or 0.0)

    def _refuse(self, field: str, message: str) -> None:
        self.wrong.append(FieldError(f"fault[{self._number}].{field}", message))

    def _kind(self) -> str | None:
        kind = self._table.get("kind")
        if kind is None:
            self._refuse("kind", "is missing")
        elif not isinstance(kind, str) or kind not in self._kinds:
            self._refuse("kind", f"{_shown(kind)} is not known; the kinds are {', '.join(self._kinds)}")
        else:
            return kind
        return None

    def _target(self) -> Target | None:
        server, role, site = (self._name(field) for field in ("server", "role", "site"))
        if not self._table.keys() & {"server", "role", "site"}:
            self._refuse("server", "is missing; name a server, a role or a site")
        if "server" in self._table and self._table.keys() & {"role", "site", "nth", "count", "stagger"}:
            self._refuse("server", "is one server by itself; leave out role, site, nth, count and stagger, or name no server")
        nth, count = self._whole("nth", 1, 10_000, 1), self._whole("count", 1, MAX_COUNT, 1)
        return None if nth is None or count is None else Target(server, role, site, nth, count)

    def _name(self, field: str) -> str | None:
        value = self._table.get(field)
        if value is None:
            return None
        if not isinstance(value, str):
            self._refuse(field, f"must be a text, not {_shown(value)}")
            return None
        known: Collection[str] = getattr(self._names(), field)
        if value not in known:
            few = f"; known are {', '.join(sorted(known))}" if len(known) <= 40 else " in a fleet of any size"
            self._refuse(field, f"{_shown(value)} does not exist{few}")
            return None
        return value

    def _when(self) -> When | None:
        ways = [field for field in ("start", "after", "day", "weekday") if field in self._table]
        every = self._seconds("every", _MIN_EVERY_SECONDS, _MAX_EVERY_SECONDS)
        if not ways and every == _UNITS["d"]:
            # Every day has one occurrence, whichever day it is counted from.
            ways = ["day"]
        if len(ways) != 1:
            found = f"does not go together with {' and '.join(ways[1:])}" if ways else "is missing"
            choice = 'give start, or after, or day and at, or weekday and at, or every = "1d" and at'
            self._refuse(ways[0] if ways else "start", f"{found}: {choice}")
            return None
        if ways[0] in ("start", "after"):
            for field in sorted(self._table.keys() & {"at", "every"}):
                self._refuse(field, f"cannot go with {ways[0]}, which is one moment")
            if ways == ["start"]:
                return self._absolute()
            after = self._seconds("after", -_MAX_AFTER_SECONDS, _MAX_AFTER_SECONDS)
            return None if after is None else FromEpoch(after)
        at = self._at()
        if ways == ["weekday"]:
            if "every" in self._table:
                self._refuse("every", "cannot go with weekday, which comes every week")
            day = self._table["weekday"]
            if not isinstance(day, str) or day.lower() not in WEEKDAYS:
                self._refuse("weekday", f"must be one of {', '.join(WEEKDAYS)}, not {_shown(day)}")
                return None
            return None if at is None else OnWeekday(WEEKDAYS.index(day.lower()), at)
        number = self._whole("day", -_MAX_DAY, _MAX_DAY, 0)
        if at is None or number is None:
            return None
        return OnDays(number, at, None if every is None else timedelta(seconds=every))

    def _absolute(self) -> Absolute | None:
        value = self._table["start"]
        moment = value if isinstance(value, datetime) else None
        if isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                moment = None
        if moment is None or moment.tzinfo is None:
            self._refuse("start", f"must be a time with its zone, such as 2026-11-20T14:05:00+09:00, not {_shown(value)}")
            return None
        if not 2000 <= moment.year <= 2200:
            self._refuse("start", f"must be in the years 2000 to 2200, not {_shown(value)}")
            return None
        return Absolute(moment.astimezone(UTC).timestamp())

    def _at(self) -> time | None:
        value = self._table.get("at")
        if value is None:
            self._refuse("at", 'is missing: the local time of day, such as "14:05"')
            return None
        if isinstance(value, str) and re.fullmatch(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", value):
            try:
                return time.fromisoformat(value)
            except ValueError:
                pass
        elif isinstance(value, time):
            return value.replace(microsecond=0)
        self._refuse("at", f'must be a local time of day such as "14:05", not {_shown(value)}')
        return None

    def _severity(self) -> float | None:
        value = self._table.get("severity")
        if value is None:
            self._refuse("severity", "is missing")
        elif not isinstance(value, int | float) or isinstance(value, bool) or not 0.0 < value <= 1.0:
            self._refuse("severity", f"must be a number above 0 and at most 1, not {_shown(value)}")
        else:
            return float(value)
        return None

    def _whole(self, field: str, least: int, most: int, default: int) -> int | None:
        value = self._table.get(field, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self._refuse(field, f"must be a whole number from {least} to {most}, not {_shown(value)}")
        return None

    def _seconds(self, field: str, least: float, most: float, *, required: bool = False) -> float | None:
        value = self._table.get(field)
        if value is None:
            if required:
                self._refuse(field, 'is missing: seconds, or a text such as "45m"')
            return None
        seconds = math.nan
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = float(max(min(value, 1e12), -1e12))
        elif isinstance(value, str) and (match := _DURATION.fullmatch(value)):
            seconds = float(match[1]) * _UNITS[match[2]]
        if least <= seconds <= most:
            return seconds
        bounds = f"from {_duration_text(least)} to {_duration_text(most)}"
        self._refuse(field, f'must be seconds, or a text such as "45m", {bounds}, not {_shown(value)}')
        return None


def _shown(value: object) -> str:
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else text[:80] + "…"


def _duration_text(seconds: float) -> str:
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:g}{unit}"
    return f"{seconds:g}s"
