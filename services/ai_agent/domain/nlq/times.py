"""The time that a question is about: from "지난 1시간" or "yesterday at 3pm" to absolute instants in the asker's zone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo

from services.ai_agent.domain.interpretation import TimeRange
from services.ai_agent.domain.nlq.segment import TAKEN, Token
from services.ai_agent.domain.nlq.time_atoms import MONTHS_EN, PART_HOURS, WEEKDAYS_EN, WEEKDAYS_KO, Atom, find_atoms

LOOKBACK_SECONDS = 300.0
"""How far an instant evaluation looks back for a sample: PromQL's default."""

_LONGEST_SECONDS = 3660 * 86400.0
_JOIN = re.compile(r"\s*(?:,|의|에|at|around|about|on|in the|of|in|from|between)?\s*")
_SINCE_BEFORE = re.compile(r"(?<![a-z])(?:since|from|after|between|starting)\s+(?:at\s+|around\s+)?$")
_SINCE_AFTER = re.compile(r"\s*(?:부터|이후로?|이래로?|onwards?|and later)")
_TO = re.compile(r"\s*(?:부터|에서|-|~|to|and|until|till)\s*")
_TO_END = re.compile(r"\s*(?:까지|사이)(?:에는?|의)?")
_TAIL = re.compile(r"\s*(?:(?:하루\s*)?(?:동안|내내|종일|all day|so far|당시|무렵))?(?:에는?|의)?(?![가-힣]*(?:러|게))")
_PARTICLE = re.compile(r"(?<=[가-힣])(?:에는|에|의|은|는)$")
_MORNINGS = ("아침", "morning")
_MOMENT_KINDS = ("day", "part", "clock")


@dataclass(frozen=True)
class FoundTime:
    """The time found, the text with its place taken, and lengths that mean something else."""

    text: str
    time: TimeRange
    tokens: tuple[Token, ...] = ()
    horizon_seconds: float | None = None
    duration_seconds: float | None = None
    unread: tuple[str, ...] = ()
    """Words of time that name none there can be samples of: February 31, 25:61, a year to come."""


@dataclass(frozen=True)
class _Moment:
    """A day, a part of it and a clock time, each of which may be missing."""

    start: int
    end: int
    day: Atom | None = None
    part: Atom | None = None
    clock: Atom | None = None


class TimeGrammar:
    """Reads times against one "now" in one zone."""

    def __init__(self, now_ms: int, zone: tzinfo) -> None:
        self.now_ms = now_ms
        self._zone = zone
        self._now = datetime.fromtimestamp(now_ms / 1000, zone)

    def find(self, text: str) -> FoundTime:
        """The time that the normalised text names; the present when it names none."""
        atoms = find_atoms(text)
        tokens: list[Token] = []
        masked = text

        def take(start: int, end: int) -> None:
            nonlocal masked
            tokens.append(Token("time", "", start, end, text[start:end].strip()))
            masked = masked[:start] + TAKEN * (end - start) + masked[end:]

        unread = []
        for start, end in self._unreadable(text, atoms):
            take(start, end)
            tokens[-1] = replace(tokens[-1], kind="unread_time", surface=tokens[-1].surface.removeprefix("on "))
            unread.append(tokens[-1].surface)
        atoms = [atom for atom in atoms if masked[atom.start] != TAKEN]
        horizon = next((atom for atom in atoms if atom.kind == "ahead"), None)
        if horizon is not None:
            take(horizon.start, horizon.end)
        found: TimeRange | None = None
        for read in (self._moments, self._lengths, self._present):
            outcome = read(text, atoms)
            if outcome is not None:
                found, start, end = outcome
                take(start, end)
                found = replace(found, words=_PARTICLE.sub("", tokens[-1].surface))
                break
        lasting = next((atom for atom in atoms if atom.kind == "lasting"), None)
        if lasting is not None and masked[lasting.start] != TAKEN:
            take(lasting.start, lasting.end)
        for atom in atoms:  # "now" beside another time says nothing more
            if atom.kind == "now" and masked[atom.start] != TAKEN:
                take(atom.start, atom.end)
        return FoundTime(
            masked,
            found or self._instant(assumed=True),
            tuple(tokens),
            horizon.seconds if horizon else None,
            lasting.seconds if lasting else None,
            tuple(unread),
        )

    def _unreadable(self, text: str, atoms: Sequence[Atom]) -> list[tuple[int, int]]:
        """Where the text names a time that cannot be; a day and its clock time stand and fall together."""
        bad = [atom for atom in atoms if not self._possible(atom)]
        if not bad:
            return []
        moments = _join(text, [atom for atom in atoms if atom.kind in _MOMENT_KINDS])
        places = [(each.start, each.end) for each in moments if any(each.start <= atom.start < each.end for atom in bad)]
        return places + [(atom.start, atom.end) for atom in bad if atom.kind not in _MOMENT_KINDS]

    def _possible(self, atom: Atom) -> bool:
        if atom.kind == "day":
            return self._day(atom) is not None
        if atom.kind == "clock":
            return self._at_clock(atom, self._midnight(), None) is not None
        if atom.kind == "rolling":
            return atom.seconds > 0
        return atom.kind != "ago" or atom.seconds <= _LONGEST_SECONDS

    def _instant(self, assumed: bool) -> TimeRange:
        return TimeRange(self.now_ms - int(LOOKBACK_SECONDS * 1000), self.now_ms, "now", assumed)

    def rolling(self, seconds: float, assumed: bool = False) -> TimeRange:
        """The last so many seconds."""
        return TimeRange(self.now_ms - int(min(seconds, _LONGEST_SECONDS) * 1000), self.now_ms, "range", assumed)

    # -- days and clock times

    def _moments(self, text: str, atoms: Sequence[Atom]) -> tuple[TimeRange, int, int] | None:
        moments = _join(text, [atom for atom in atoms if atom.kind in _MOMENT_KINDS or (atom.kind == "ago" and _whole_days(atom))])
        for index, moment in enumerate(moments):
            following = moments[index + 1] if index + 1 < len(moments) else None
            if following and (link := _TO.fullmatch(text, moment.end, following.start)) and link.end() > moment.end:
                span = self._between(moment, following)
                if span is not None:
                    before = _SINCE_BEFORE.search(text, 0, moment.start)
                    after = _TO_END.match(text, following.end)
                    return span, before.start() if before else moment.start, after.end() if after else following.end
            before, after = _SINCE_BEFORE.search(text, 0, moment.start), _SINCE_AFTER.match(text, moment.end)
            if before or after:
                start = self._start_of(moment)
                if start is not None and start < self._now:
                    return (
                        TimeRange(_ms(start), self.now_ms, "range", False),
                        before.start() if before else moment.start,
                        after.end() if after else moment.end,
                    )
            found = self._single(moment)
            if found is not None:
                tail = _TAIL.match(text, moment.end)
                return found, moment.start, tail.end() if tail else moment.end
        return None

    def _single(self, moment: _Moment) -> TimeRange | None:
        if moment.clock is not None and "bare" in moment.clock.pieces:
            return None
        start = self._start_of(moment)
        if start is None or start > self._now:
            return None
        if moment.clock is not None:
            return TimeRange(_ms(start), _ms(start), "point", False)
        end = min(self._end_of(moment, start), self._now)
        return TimeRange(_ms(start), _ms(end), "range", False) if start < end else None

    def _between(self, first: _Moment, last: _Moment) -> TimeRange | None:
        half = None
        if last.clock is not None and first.clock is not None and not _half(first):
            half = _half(last)
        if first.day is None and last.day is not None and last.clock is not None and last.day.start > last.clock.start:
            first = replace(first, day=last.day)  # "from 9 to 11 yesterday": the day stands for both
        start = self._start_of(first, half)
        if start is None:
            return None
        day = self._day(last.day) if last.day else _midnight(start)
        if day is None:
            return None
        if last.clock is not None:
            inherited = _half(last) or _half(first) or ("pm" if start.hour >= 12 else "am")
            end = self._at_clock(last.clock, day, inherited)
            if end is not None and end <= start and not _half(last):
                end = self._at_clock(last.clock, day, "pm")
        else:
            end = self._end_of(last, self._start_of(last) or day)
        if end is None:
            return None
        if end <= start:
            end = _local(end + timedelta(days=1), self._zone)
        end = min(end, self._now)
        return TimeRange(_ms(start), _ms(end), "range", False) if start < end else None

    def _start_of(self, moment: _Moment, half: str | None = None) -> datetime | None:
        day = self._day(moment.day) if moment.day else None
        if moment.day is not None and day is None:
            return None
        if moment.clock is not None:
            half = half or _half(moment)
            return self._at_clock(moment.clock, day, half) if day else self._latest(moment.clock, half)
        if moment.part is not None:
            hour = PART_HOURS[moment.part.pieces["part"]][0]
            if day is None:
                day = self._midnight(0 if self._midnight() + timedelta(hours=hour) < self._now else 1)
            start = _local(day + timedelta(hours=hour), self._zone)
            # At five in the morning "this morning" is the night so far.
            return day if start > self._now > day and moment.part.pieces["part"] in _MORNINGS else start
        return day

    def _end_of(self, moment: _Moment, start: datetime) -> datetime:
        if moment.part is not None:
            last = PART_HOURS[moment.part.pieces["part"]][1]
            return _local(_midnight(start) + timedelta(hours=last), self._zone)
        return _local(_midnight(start) + timedelta(days=1), self._zone)

    def _day(self, atom: Atom) -> datetime | None:
        pieces = atom.pieces
        if atom.kind == "ago":
            return self._midnight(int(atom.seconds // 86400)) if atom.seconds <= _LONGEST_SECONDS else None
        for name, days_ago in (("today", 0), ("yesterday", 1), ("before", 2)):
            if name in pieces:
                return self._midnight(days_ago)
        if "weekday" in pieces or "enweekday" in pieces:
            index = WEEKDAYS_KO.index(pieces["weekday"]) if "weekday" in pieces else WEEKDAYS_EN.index(pieces["enweekday"][:3])
            return self._midnight((self._now.weekday() - index) % 7 or 7)
        month = MONTHS_EN.index(pieces["enmonth"][:3]) + 1 if "enmonth" in pieces else int(pieces["month"])
        try:
            day = datetime(int(pieces.get("year", self._now.year)), month, int(pieces["mday"]), tzinfo=self._zone)
            if "year" not in pieces and day > self._now:
                day = day.replace(year=day.year - 1)
        except ValueError:
            return None
        return day if day.year >= 1970 and day <= self._now else None

    def _at_clock(self, atom: Atom, day: datetime, half: str | None) -> datetime | None:
        pieces = atom.pieces
        hour = int(pieces.get("hour") or pieces.get("hour24") or pieces.get("bare") or (12 if "noon" in pieces else 0))
        minute = 30 if "thirty" in pieces else int(pieces.get("minute", 0))
        if hour > 24 or minute > 59:
            return None
        if "noon" not in pieces and "midnight" not in pieces:
            if half == "pm" and hour < 12:
                hour += 12
            elif half == "am" and hour == 12:
                hour = 0
            elif half == "night" and hour < 12:
                hour += 12 if hour >= 6 else 24
            elif half == "night" and hour == 12:
                hour = 24
        return _local(day + timedelta(hours=hour, minutes=minute), self._zone)

    def _latest(self, atom: Atom, half: str | None) -> datetime | None:
        """The latest past time when the clock showed this; both halves of the day count when neither is named."""
        halves = [half] if half or "hour24" in atom.pieces else ["am", "pm"]
        past = [
            moment
            for back in (0, 1, 2)
            for each in halves
            if (moment := self._at_clock(atom, self._midnight(back), each)) is not None and moment <= self._now
        ]
        return max(past) if past else None

    def _midnight(self, days_ago: int = 0) -> datetime:
        return datetime.combine(self._now.date() - timedelta(days=days_ago), time(), self._zone)

    # -- lengths

    def _lengths(self, text: str, atoms: Sequence[Atom]) -> tuple[TimeRange, int, int] | None:
        for atom in atoms:
            if atom.kind == "rolling" and atom.seconds > 0:
                tail = _TAIL.match(text, atom.end)
                return self.rolling(atom.seconds), atom.start, tail.end() if tail else atom.end
            if atom.kind == "ago" and atom.seconds <= _LONGEST_SECONDS:
                before, after = _SINCE_BEFORE.search(text, 0, atom.start), _SINCE_AFTER.match(text, atom.end)
                if before or after:
                    return self.rolling(atom.seconds), before.start() if before else atom.start, after.end() if after else atom.end
                moment = self.now_ms - int(atom.seconds * 1000)
                return TimeRange(moment, moment, "point", False), atom.start, atom.end
            if atom.kind == "calendar":
                span = self._calendar(atom)
                if span is not None:
                    return span, atom.start, atom.end
            if atom.kind == "lasting" and text[atom.end - 1] in "안내간":
                return self.rolling(atom.seconds), atom.start, atom.end
        return None

    def _calendar(self, atom: Atom) -> TimeRange | None:
        midnight = self._midnight()
        week = self._midnight(midnight.weekday())
        month = midnight.replace(day=1)
        spans = {
            "thisweek": (week, self._now),
            "lastweek": (_local(week - timedelta(days=7), self._zone), week),
            "weekend": (_local(week - timedelta(days=2), self._zone), week),
            "thismonth": (month, self._now),
            "lastmonth": (_midnight(month - timedelta(days=1)).replace(day=1), month),
        }
        start, end = next(span for name, span in spans.items() if name in atom.pieces)
        return TimeRange(_ms(start), _ms(end), "range", False) if start < end else None

    def _present(self, _text: str, atoms: Sequence[Atom]) -> tuple[TimeRange, int, int] | None:
        for atom in atoms:
            if atom.kind == "earlier":
                return self.rolling(600.0 if "just" in atom.pieces else 3600.0), atom.start, atom.end
            if atom.kind == "now":
                return self._instant(assumed=False), atom.start, atom.end
        return None


def _join(text: str, atoms: Sequence[Atom]) -> list[_Moment]:
    """Neighbouring day, part and clock time as one moment, in whatever order they stand."""
    moments: list[_Moment] = []
    for atom in atoms:
        role = "day" if atom.kind == "ago" else atom.kind
        if moments:
            last = moments[-1]
            if getattr(last, role) is None and _JOIN.fullmatch(text, last.end, atom.start):
                parts = {"day": last.day, "part": last.part, "clock": last.clock, role: atom}
                moments[-1] = _Moment(last.start, atom.end, **parts)
                continue
        moments.append(_Moment(atom.start, atom.end, **{role: atom}))
    return moments


def _half(moment: _Moment) -> str | None:
    """am, pm or night, as far as the words say."""
    clock = moment.clock
    pieces = clock.pieces if clock is not None else {}
    if "half" in pieces:
        return "am" if pieces["half"].startswith("a") else "pm"
    word = pieces.get("part") or (moment.part.pieces["part"] if moment.part is not None else "")
    if word in ("밤", "night"):
        return "night"
    if word in ("새벽", "아침", "오전", "morning"):
        return "am"
    return "pm" if word else None


def _whole_days(atom: Atom) -> bool:
    unit = atom.pieces.get("u") or atom.pieces.get("u2") or ""
    return unit in ("일", "d", "day", "days")


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), time(), moment.tzinfo)


def _local(moment: datetime, zone: tzinfo) -> datetime:
    """The wall-clock time of `moment` in the zone, whatever daylight saving did on the way."""
    return datetime.combine(moment.date(), moment.time(), zone)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
