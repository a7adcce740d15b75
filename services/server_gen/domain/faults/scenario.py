"""Schedules of faults: what befalls the fleet, when, and where."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.roster import VirtualServer

DAY: Final = timedelta(days=1)
_AFTERMATH_SECONDS: Final = 3600.0
"""No fault takes longer to pass."""


@dataclass(frozen=True)
class Target:
    """Which servers an entry is about.

    Attributes:
        server: host name, or None.
        role: name of a role, or None; when neither is given, the role that fits the kind best.
        site: name of a site, or None for all.
        nth: which of those that fit, from 1 in the order of the roster.
        count: how many from there on.
    """

    server: str | None = None
    role: str | None = None
    site: str | None = None
    nth: int = 1
    count: int = 1

    def among(self, servers: Sequence[VirtualServer], kind: str) -> list[VirtualServer]:
        """Those of these servers; none as long as the fleet has none that fits."""
        if self.server is not None:
            return [server for server in servers if server.hostname == self.server]
        fitting = [server for server in servers if self.site in (None, server.site.name)]
        if self.role is not None:
            fitting = [server for server in fitting if server.role.name == self.role]
        else:
            fitting.sort(key=lambda server: _fitness(server, kind))
        return fitting[self.nth - 1 : self.nth - 1 + self.count]


@dataclass(frozen=True)
class Absolute:
    """Once, at a Unix time."""

    time: float

    def starts(self, epoch: float, zone: str, start: float, end: float) -> Iterator[float]:
        """The start, if it is in [start, end)."""
        if start <= self.time < end:
            yield self.time


@dataclass(frozen=True)
class FromEpoch:
    """Once, some seconds after the fleet's epoch; before it when negative."""

    seconds: float

    def starts(self, epoch: float, zone: str, start: float, end: float) -> Iterator[float]:
        """The start, if it is in [start, end)."""
        if start <= epoch + self.seconds < end:
            yield epoch + self.seconds


@dataclass(frozen=True)
class OnDays:
    """At a local time of days that count from the fleet's first, which is day 0 at its epoch; once or again and again.

    Attributes:
        day: which day; negative before the first.
        at: local time of the server's site.
        every: distance to the next time and to the one before, without end on both sides; None for once.
    """

    day: int
    at: time
    every: timedelta | None = None

    def starts(self, epoch: float, zone: str, start: float, end: float) -> Iterator[float]:
        """Those in [start, end)."""
        first_day = datetime.fromtimestamp(epoch, ZoneInfo(zone)).date()
        yield from _recurring(first_day + self.day * DAY, self.at, self.every, zone, start, end)


@dataclass(frozen=True)
class OnWeekday:
    """At a local time of one day of every week.

    Attributes:
        weekday: 0 for Monday.
        at: local time of the server's site.
    """

    weekday: int
    at: time

    def starts(self, epoch: float, zone: str, start: float, end: float) -> Iterator[float]:
        """Those in [start, end)."""
        monday = date(1970, 1, 5)
        yield from _recurring(monday + self.weekday * DAY, self.at, 7 * DAY, zone, start, end)


When = Absolute | FromEpoch | OnDays | OnWeekday


@dataclass(frozen=True)
class Entry:
    """One line of a schedule.

    Attributes:
        number: from 1, in the order of the file.
        kind: name in `KINDS`.
        target: on which servers.
        when: at which times.
        duration_seconds: how long each time.
        severity: 0..1.
        stagger_seconds: how much later each further server of the target begins.
    """

    number: int
    kind: str
    target: Target
    when: When
    duration_seconds: float
    severity: float
    stagger_seconds: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """A schedule of faults.

    Attributes:
        name: by which it is chosen; the source of its faults.
        title: for people.
        entries: its lines.
    """

    name: str
    title: str = ""
    entries: tuple[Entry, ...] = field(default=())

    def faults(self, epoch: float, servers: Sequence[VirtualServer], start: float, end: float) -> list[Fault]:
        """The faults that are under way, or pass, somewhere in a range of time; sorted by start.

        The same fault has the same id whatever the range, and however many servers have joined the fleet. Of two that would be of the
        same kind on the same server at the same time, the one that begins later is left out.

        Args:
            epoch: Unix time at which the fleet began.
            servers: the fleet.
            start: Unix time, inclusive.
            end: Unix time, exclusive.
        """
        # What overlaps an earlier one is left out even when the earlier one is before the range.
        reach = 2.0 * max((entry.duration_seconds for entry in self.entries), default=0.0) + _AFTERMATH_SECONDS
        faults = _without_overlaps(fault for _, fault in self.planned(epoch, servers, start - reach, end))
        return [fault for fault in faults if fault.end + _AFTERMATH_SECONDS > start]

    def planned(self, epoch: float, servers: Sequence[VirtualServer], start: float, end: float) -> list[tuple[int, Fault]]:
        """The number of its entry and the fault for all that begin in a range of time, those that overlap included; sorted by start."""
        planned: list[tuple[int, Fault]] = []
        for entry in self.entries:
            for place, server in enumerate(entry.target.among(servers, entry.kind)):
                shift = place * entry.stagger_seconds
                moments = entry.when.starts(epoch, server.site.zone, start - shift, end - shift)
                planned += [(entry.number, self._fault(entry, server.hostname, moment + shift)) for moment in moments]
        return sorted(planned, key=lambda item: (item[1].start, item[1].id))

    def _fault(self, entry: Entry, server: str, start: float) -> Fault:
        moment = datetime.fromtimestamp(start, UTC).strftime("%Y%m%dT%H%M%SZ")
        return Fault(
            id=f"{self.name}.{entry.number}.{moment}.{server}",
            kind=entry.kind,
            server=server,
            severity=entry.severity,
            start=start,
            end=start + entry.duration_seconds,
            source=self.name,
        )


def _fitness(server: VirtualServer, kind: str) -> int:
    roles = KINDS[kind].roles
    return roles.index(server.role.name) if server.role.name in roles else len(roles)


def _recurring(day: date, at: time, every: timedelta | None, zone: str, start: float, end: float) -> Iterator[float]:
    """Steps in local time, so that ten o'clock stays ten o'clock when the clocks change."""
    first = datetime.combine(day, at)
    if every is None:
        moment = _unix(first, zone)
        if start <= moment < end:
            yield moment
        return
    # A day to spare on both sides for what zones differ from UTC.
    margin = DAY.total_seconds()
    number = int((start - margin - _unix(first, "UTC")) // every.total_seconds())
    last = int((end + margin - _unix(first, "UTC")) // every.total_seconds())
    for step in range(number, last + 1):
        moment = _unix(first + step * every, zone)
        if start <= moment < end:
            yield moment


def _unix(local: datetime, zone: str) -> float:
    return local.replace(tzinfo=ZoneInfo(zone)).timestamp()


def _without_overlaps(faults: Iterable[Fault]) -> Iterator[Fault]:
    until: dict[tuple[str, str], float] = {}
    for fault in faults:
        key = (fault.kind, fault.server)
        if fault.start >= until.get(key, float("-inf")):
            until[key] = fault.end
            yield fault
