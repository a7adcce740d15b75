"""The smallest words of time: days, parts of a day, clock times, lengths. `times` joins them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

AtomKind = Literal["day", "part", "clock", "rolling", "ago", "calendar", "now", "earlier", "ahead", "lasting"]

UNIT_SECONDS: Mapping[str, float] = {
    "초": 1, "분": 60, "시간": 3600, "일": 86400, "주일": 604800, "주": 604800, "개월": 2592000, "달": 2592000,
    "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600, "d": 86400, "day": 86400,
    "w": 604800, "wk": 604800, "week": 604800, "month": 2592000,
}  # fmt: skip
PART_HOURS: Mapping[str, tuple[int, int]] = {
    "새벽": (0, 6), "아침": (6, 9), "오전": (0, 12), "점심시간": (11, 14), "점심": (11, 14), "낮": (9, 18), "오후": (12, 18),
    "저녁": (18, 22), "밤": (21, 30), "업무시간": (9, 18), "morning": (6, 12), "lunchtime": (11, 14), "afternoon": (12, 18),
    "evening": (18, 22), "night": (21, 30),
}  # fmt: skip
"""First and last hour of each part of a day; beyond 24 is the day after."""

WEEKDAYS_KO = "월화수목금토일"
WEEKDAYS_EN = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS_EN = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_EDGE = r"(?<![a-z0-9:.])"
_END = r"(?![a-z0-9])"
_NUMBER = r"(?P<n>\d{1,15}(?:\.\d{1,3})?)"
_UNIT_EN = rf"(?P<u>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|months?|s|m|h|d|w){_END}"
_UNIT_KO = r"(?P<u>초|분|시간|개월|주일|일|주|달)"
_WEEKDAY = r"(?P<enweekday>mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_MONTH = (
    r"(?P<enmonth>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
# 낮 and 밤 also begin other words (낮은, 밤새 is fine), so they count only where a word may end.
_PARTS = "|".join(part if len(part) > 1 else rf"{part}(?=$|[^가-힣]|에|의|시간|동안|중|사이)" for part in PART_HOURS)
_LENGTH_TAIL = r"(?:\s*(?:동안|간|사이|이내|내|안))?"

# The first pattern that matches at a place wins, so the longer phrases stand first.
_PATTERNS: tuple[tuple[AtomKind, str], ...] = (
    ("ahead", rf"(?:앞으로|향후|다음)\s*{_NUMBER}\s*{_UNIT_KO}(?:\s*(?:동안|간|후|뒤))?"),
    ("ahead", rf"{_NUMBER}\s*{_UNIT_KO}\s*(?:후|뒤)(?:에)?"),
    ("ahead", rf"(?:(?:in|over|for|within|during) )?(?:the )?next (?:{_NUMBER} ?)?{_UNIT_EN}"),
    ("ahead", rf"in {_NUMBER} ?{_UNIT_EN}|in an? (?P<u2>hour|day|week)"),
    ("ago", rf"{_NUMBER}\s*{_UNIT_KO}\s*전(?:에는?|의)?"),
    ("ago", rf"(?:{_NUMBER} ?{_UNIT_EN}|half an hour|an? (?P<u2>minute|hour|day|week|month)) (?:ago|earlier)"),
    ("ago", r"(?P<half>반\s*시간\s*전)"),
    ("rolling", rf"(?:지난|최근|과거|직전|이전|요)\s*(?:약\s*)?{_NUMBER}\s*{_UNIT_KO}{_LENGTH_TAIL}"),
    ("rolling", r"(?:지난|최근|과거)\s*(?P<oneday>하루)(?:\s*(?:동안|간))?|(?P<wholeday>하루\s*(?:동안|종일|치))"),
    ("rolling", r"(?:(?:지난|최근|과거)\s*)?(?P<halfday>반나절)(?:\s*동안)?"),
    ("rolling", r"(?:지난|최근|과거)\s*(?P<halfhour>반\s*시간)(?:\s*동안)?"),
    ("rolling", r"(?:지난|최근|과거)\s*(?P<oneweek>일주일|한주)(?:\s*(?:동안|간))?"),
    ("rolling", r"(?:지난|최근|과거)\s*(?P<onemonth>한달)(?:\s*(?:동안|간))?"),
    (
        "rolling",
        rf"(?:(?:over|in|for|during|within|from|of|across|throughout) )?(?:the )?(?:last|past|previous|preceding|latest|recent)[ -]"
        rf"(?:(?:{_NUMBER}[ -]?|couple of )(?:full )?{_UNIT_EN}|(?P<u2>second|minute|hour|day)(?!s){_END}|(?P<halfhour>half (?:an )?hour)|(?P<halfday>half day)"
        r"|(?P<fewhours>few hours)|(?P<fewminutes>few minutes)|(?P<fewdays>few days))",
    ),
    ("rolling", r"(?:(?:over|in|for|during|within) )(?:the )?past (?P<u2>week|month)|(?:the )?past (?P<u3>week|month)"),
    ("calendar", r"(?P<thisweek>이번\s*주(?!말)|금주|this week(?!end)|week to date)(?:\s*(?:동안|내내))?"),
    ("calendar", r"(?P<lastweek>(?:지난|저번)\s*주(?![말일])|last week(?!end)|(?:the )?previous week)(?:\s*(?:동안|내내))?"),
    (
        "calendar",
        r"(?P<weekend>(?:(?:지난|저번|이번)\s*)?주말|(?:over |on |during )?(?:last|the|this) weekend)(?:\s*(?:동안|내내))?",
    ),
    ("calendar", r"(?P<thismonth>이번\s*달|금월|this month)"),
    ("calendar", r"(?P<lastmonth>(?:지난|저번)\s*달|전월|last month|(?:the )?previous month)"),
    ("day", r"(?P<before>그저께|엊그저께|엊그제|그제|재작일|(?:the )?day before yesterday)"),
    ("day", r"(?P<yesterday>어제|어저께|작일|전일|yesterday|(?:어젯|간|지난\s?)(?=밤)|last (?=night))"),
    ("day", r"(?P<today>오늘|금일|today|this (?=morning|afternoon|evening)|to(?=night))"),
    ("day", r"(?:on )?(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<mday>\d{1,2})(?!\d)t?"),
    ("day", r"(?:(?P<year>\d{4})년\s*)?(?P<month>\d{1,2})월\s*(?P<mday>\d{1,2})일"),
    ("day", rf"(?:on )?{_MONTH}\.? (?P<mday>\d{{1,2}})(?:st|nd|rd|th)?(?![\d%])(?:,? (?P<year>\d{{4}}))?"),
    ("day", rf"(?:on )?(?:the )?(?P<mday>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?{_MONTH}{_END}(?:,? (?P<year>\d{{4}}))?"),
    ("day", rf"(?:(?:지난|저번|이번)\s*(?:주\s*)?)?(?P<weekday>[{WEEKDAYS_KO}])요일"),
    ("day", rf"(?:on |last |this past |this )?{_WEEKDAY}{_END}(?! flags)"),
    ("clock", rf"(?:(?P<part>{_PARTS})\s*)?(?P<hour>\d{{1,2}})시(?!간)\s*(?:(?P<minute>\d{{1,2}})분|(?P<thirty>반))?(?:쯤|경|께)?"),
    ("clock", rf"(?P<hour>\d{{1,2}})(?::(?P<minute>\d{{2}}))?\s?(?P<half>am|pm|a\.m\.?|p\.m\.?){_END}(?:\s?쯤)?"),
    ("clock", r"(?:(?P<part>오전|오후|새벽|저녁|밤)\s*)?(?P<hour24>\d{1,2}):(?P<minute>\d{2})(?::\d{2})?(?!\d)"),
    ("clock", r"(?P<hour>\d{1,2}) ?o'?clock"),
    ("clock", r"(?P<bare>\d{1,2})(?=\s?(?:to|and|-|~|until|till)\s?\d{1,2}(?::\d{2})?\s?(?:am|pm)(?![a-z]))"),
    ("clock", rf"(?P<noon>정오|noon{_END}|midday{_END})|(?P<midnight>자정|midnight{_END})"),
    ("part", rf"(?:in the |during the |오늘의 )?(?P<part>{_PARTS})(?:에는?|의)?(?!\s*(?:메뉴|식사|뭐))"),
    (
        "earlier",
        r"(?P<just>방금(?:\s*전)?|좀\s*전|조금\s*전|몇\s*분\s*전|just now|a (?:moment|while) ago|moments ago|a few minutes ago)(?:에는?|의)?",
    ),
    ("earlier", r"아까(?:\s*전)?|earlier(?: today)?|최근(?:에)?(?!\s*(?:값|\d))|요새|근래|recently|lately|of late"),
    (
        "now",
        r"(?:지금|현재|당장|이\s*순간)(?:의|은|는)?|right now|currently|at the moment|at present|(?<!just )now(?![a-z])|at this moment",
    ),
    ("lasting", rf"{_NUMBER}\s*{_UNIT_KO}\s*(?:동안|간|내내)"),
    ("lasting", rf"for (?:{_NUMBER} ?{_UNIT_EN}|an? (?P<u2>hour|day|week|minute))"),
)
_COMPILED = tuple((kind, re.compile(f"{_EDGE}(?:{pattern})")) for kind, pattern in _PATTERNS)


@dataclass(frozen=True)
class Atom:
    """One word of time with the pieces of its pattern."""

    kind: AtomKind
    start: int
    end: int
    pieces: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """The length that it names, for the kinds that are lengths."""
        for piece, length in _FIXED_LENGTHS.items():
            if piece in self.pieces:
                return length
        unit = next((self.pieces[name] for name in ("u", "u2", "u3") if name in self.pieces), None)
        if unit is None:
            return 1800.0  # "half an hour ago"
        return float(self.pieces.get("n", 1)) * (UNIT_SECONDS.get(unit) or UNIT_SECONDS[unit.rstrip("s")])


_FIXED_LENGTHS = {
    "oneday": 86400.0, "wholeday": 86400.0, "halfday": 43200.0, "halfhour": 1800.0, "half": 1800.0, "oneweek": 604800.0,
    "onemonth": 2592000.0, "fewhours": 10800.0, "fewminutes": 600.0, "fewdays": 259200.0,
}  # fmt: skip


def find_atoms(text: str) -> list[Atom]:
    """The words of time in order, none overlapping another."""
    taken = [False] * len(text)
    atoms: list[Atom] = []
    for kind, pattern in _COMPILED:
        for match in pattern.finditer(text):
            if match.end() > match.start() and not any(taken[match.start() : match.end()]):
                pieces = {name: piece for name, piece in match.groupdict().items() if piece is not None}
                atoms.append(Atom(kind, match.start(), match.end(), pieces))
                taken[match.start() : match.end()] = [True] * (match.end() - match.start())
    return sorted(atoms, key=lambda atom: atom.start)
