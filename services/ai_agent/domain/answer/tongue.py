"""How things are called and numbers written in each language."""

from collections.abc import Mapping, Sequence
from typing import Final

from services.ai_agent.domain.interpretation import Aggregation, Language, TimeRange

_METRICS: Final[Mapping[str, tuple[str, str]]] = {
    "cpu": ("CPU 사용률", "CPU usage"),
    "memory": ("메모리 사용률", "memory usage"),
    "disk": ("디스크 사용률", "disk usage"),
    "network": ("네트워크 트래픽", "network traffic"),
    "network_in": ("수신 트래픽", "inbound traffic"),
    "network_out": ("송신 트래픽", "outbound traffic"),
    "disk_io": ("디스크 입출력", "disk I/O"),
    "load": ("부하", "load"),
    "latency": ("응답 시간", "latency"),
    "swap": ("스왑 사용률", "swap usage"),
    "temperature": ("온도", "temperature"),
    "uptime": ("가동 시간", "uptime"),
}
_SHORT: Final[Mapping[str, tuple[str, str]]] = {
    "cpu": ("CPU", "CPU"),
    "memory": ("메모리", "memory"),
    "disk": ("디스크", "disk"),
    "network": ("네트워크", "network"),
    "swap": ("스왑", "swap"),
}
_AGGREGATIONS: Final[Mapping[Aggregation, tuple[str, str]]] = {
    "avg": ("평균", "average"),
    "max": ("최대", "highest"),
    "min": ("최소", "lowest"),
    "sum": ("합계", "total"),
    "p95": ("p95", "p95"),
    "last": ("마지막", "last"),
}
_UNITS: Final[Mapping[str, tuple[str, str]]] = {
    "percent": (" %", " %"),
    "milliseconds": (" ms", " ms"),
    "celsius": (" °C", " °C"),
    "servers": ("대", ""),
    "processes": ("", ""),
    "seconds": ("초", " s"),
    "minutes": ("분", " minutes"),
    "hours": ("시간", " hours"),
    "days": ("일", " days"),
}
_BYTES: Final = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
_BYTE_UNITS: Final = frozenset(f"{symbol}{per}" for _, symbol in _BYTES for per in ("", "/s"))
_DECIMALS: Final[Mapping[str, int]] = {
    "percent": 1,
    "milliseconds": 1,
    "celsius": 1,
    "servers": 0,
    "hours": 1,
    "days": 1,
    "seconds": 0,
}
# Whether the Korean reading of a Latin letter or digit ends in a consonant, which decides the particle.
_CLOSED = frozenset("lmnr013678")


class Tongue:
    """One language's words."""

    def __init__(self, lang: Language) -> None:
        self.lang: Language = lang
        self._index = 0 if lang == "ko" else 1

    def say(self, ko: str, en: str) -> str:
        """The sentence of this language."""
        return ko if self.lang == "ko" else en

    def metric(self, name: str) -> str:
        """A metric by its full name."""
        return _METRICS[name][self._index] if name in _METRICS else name

    def short(self, name: str) -> str:
        """A metric by its short name, for lists."""
        return _SHORT[name][self._index] if name in _SHORT else self.metric(name)

    def aggregation(self, name: Aggregation) -> str:
        """average, highest and so on, to stand before a metric."""
        return _AGGREGATIONS[name][self._index]

    def number(self, value: float, unit: str) -> str:
        """A number with its unit, rounded for reading."""
        decimals = _DECIMALS.get(unit, 2)
        if decimals and abs(value) >= 1000:
            decimals = 0
        return f"{_fixed(value, decimals)}{self._unit(unit, value)}"

    def plain(self, value: float, unit: str) -> str:
        """A number with its unit as it was given: a bound is told in full, without zeros that nobody said."""
        return f"{f'{value:.6f}'.rstrip('0').rstrip('.')}{self._unit(unit, value)}"

    def period(self, time: TimeRange) -> str:
        """The time of the question in words; without digits, for they are no figures of the answer.

        The question's own words are the best where they are in the language of the answer.
        """
        if time.words and not any(char.isdigit() for char in time.words) and time.words.isascii() == (self.lang == "en"):
            return time.words
        if time.kind == "now":
            return self.say("지금", "now")
        if time.kind == "point":
            return self.say("그 시각에", "at that time")
        if time.assumed:
            return self.say("최근 한 시간 동안", "over the last hour")
        return self.say("그 기간에", "in that period")

    def names(self, names: Sequence[str], most: int = 8) -> str:
        """Names as a list; more than `most` are cut."""
        shown = ", ".join(names[:most])
        return shown if len(names) <= most else self.say(f"{shown} 등", f"{shown} and others")

    def with_particle(self, word: str, closed: str, open_: str) -> str:
        """The word with the Korean particle that its last sound asks for."""
        return word + (closed if _ends_closed(word) else open_)

    def _unit(self, unit: str, value: float) -> str:
        if unit in _BYTE_UNITS:
            return f" {unit}"
        if unit == "servers" and self.lang == "en":
            return " server" if value == 1 else " servers"
        return _UNITS[unit][self._index] if unit in _UNITS else ""


def readable_scale(value: float, unit: str) -> tuple[float, str]:
    """(divisor, unit) that bring a value of this size into a range that people read; bytes become kB, MB/s and so on."""
    if unit in ("bytes_per_second", "bytes"):
        divisor, symbol = next((each for each in _BYTES if abs(value) >= each[0]), _BYTES[-1])
        return divisor, f"{symbol}/s" if unit == "bytes_per_second" else symbol
    if unit == "seconds":
        if abs(value) >= 172_800:
            return 86_400.0, "days"
        if abs(value) >= 7_200:
            return 3_600.0, "hours"
        if abs(value) >= 600:
            return 60.0, "minutes"
    return 1.0, unit


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def _ends_closed(word: str) -> bool:
    last = word[-1:].lower()
    if "가" <= last <= "힣":
        return (ord(last) - 0xAC00) % 28 != 0
    return last in _CLOSED
