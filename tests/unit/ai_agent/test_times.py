"""Times in questions become absolute instants in the asker's zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.ai_agent.domain.nlq.text import normalise
from services.ai_agent.domain.nlq.times import FoundTime, TimeGrammar

SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2026, 11, 18, 14, 30, tzinfo=SEOUL)  # a Wednesday


def find(text: str, now: datetime = NOW) -> FoundTime:
    return TimeGrammar(round(now.timestamp() * 1000), now.tzinfo or SEOUL).find(normalise(text))


def span(text: str) -> tuple[str, str, str]:
    time = find(text).time
    start, end = (datetime.fromtimestamp(ms / 1000, SEOUL).strftime("%m-%d %H:%M") for ms in (time.start_ms, time.end_ms))
    return time.kind, start, end


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu", ("now", "11-18 14:25", "11-18 14:30")),
        ("지금 상태", ("now", "11-18 14:25", "11-18 14:30")),
        ("지난 1시간", ("range", "11-18 13:30", "11-18 14:30")),
        ("지난 한 시간 동안", ("range", "11-18 13:30", "11-18 14:30")),
        ("최근 30분", ("range", "11-18 14:00", "11-18 14:30")),
        ("over the last two hours", ("range", "11-18 12:30", "11-18 14:30")),
        ("past half hour", ("range", "11-18 14:00", "11-18 14:30")),
        ("last 24h", ("range", "11-17 14:30", "11-18 14:30")),
        ("지난 하루", ("range", "11-17 14:30", "11-18 14:30")),
        ("past week", ("range", "11-11 14:30", "11-18 14:30")),
        ("지난 일주일", ("range", "11-11 14:30", "11-18 14:30")),
        ("아까", ("range", "11-18 13:30", "11-18 14:30")),
        ("오늘", ("range", "11-18 00:00", "11-18 14:30")),
        ("today", ("range", "11-18 00:00", "11-18 14:30")),
        ("어제", ("range", "11-17 00:00", "11-18 00:00")),
        ("yesterday", ("range", "11-17 00:00", "11-18 00:00")),
        ("그저께 저녁", ("range", "11-16 18:00", "11-16 22:00")),
        ("어젯밤", ("range", "11-17 21:00", "11-18 06:00")),
        ("last night", ("range", "11-17 21:00", "11-18 06:00")),
        ("this morning", ("range", "11-18 06:00", "11-18 12:00")),
        ("이번 주", ("range", "11-16 00:00", "11-18 14:30")),
        ("지난주", ("range", "11-09 00:00", "11-16 00:00")),
        ("last week", ("range", "11-09 00:00", "11-16 00:00")),
        ("주말", ("range", "11-14 00:00", "11-16 00:00")),
        ("지난달", ("range", "10-01 00:00", "11-01 00:00")),
        ("월요일", ("range", "11-16 00:00", "11-17 00:00")),
        ("last friday", ("range", "11-13 00:00", "11-14 00:00")),
        ("11월 17일", ("range", "11-17 00:00", "11-18 00:00")),
        ("nov 17", ("range", "11-17 00:00", "11-18 00:00")),
        ("2026-11-17 08:30", ("point", "11-17 08:30", "11-17 08:30")),
        ("어제 오후 3시", ("point", "11-17 15:00", "11-17 15:00")),
        ("어제 오후 3시 반", ("point", "11-17 15:30", "11-17 15:30")),
        ("어제 밤 11시", ("point", "11-17 23:00", "11-17 23:00")),
        ("yesterday at 3pm", ("point", "11-17 15:00", "11-17 15:00")),
        ("at 15:00 yesterday", ("point", "11-17 15:00", "11-17 15:00")),
        ("at noon", ("point", "11-18 12:00", "11-18 12:00")),
        ("15:00", ("point", "11-17 15:00", "11-17 15:00")),
        ("3시", ("point", "11-18 03:00", "11-18 03:00")),
        ("두 시간 전", ("point", "11-18 12:30", "11-18 12:30")),
        ("2 hours ago", ("point", "11-18 12:30", "11-18 12:30")),
        ("2일 전", ("range", "11-16 00:00", "11-17 00:00")),
        ("since 9am", ("range", "11-18 09:00", "11-18 14:30")),
        ("어제부터", ("range", "11-17 00:00", "11-18 14:30")),
        ("30분 전부터", ("range", "11-18 14:00", "11-18 14:30")),
        ("오늘 9시부터 11시까지", ("range", "11-18 09:00", "11-18 11:00")),
        ("from 9 to 11am yesterday", ("range", "11-17 09:00", "11-17 11:00")),
        ("between 1pm and 2pm", ("range", "11-18 13:00", "11-18 14:00")),
    ],
)
def test_times(text: str, expected: tuple[str, str, str]) -> None:
    assert span(text) == expected


@pytest.mark.parametrize("text", ["CPU 사용률 낮은 서버", "2026-13-45", "25시", "99일", "on the 31st of november", "하루"])
def test_what_is_no_time_leaves_now(text: str) -> None:
    assert find(text).time.kind == "now"


def test_only_a_question_without_a_time_assumes_one() -> None:
    assert find("cpu").time.assumed
    assert not find("지금 cpu").time.assumed


def test_the_zone_decides_where_a_day_begins() -> None:
    utc = ZoneInfo("UTC")
    early = datetime(2026, 11, 18, 0, 30, tzinfo=SEOUL)
    in_seoul, in_utc = find("today", early), find("today", early.astimezone(utc))
    assert in_seoul.time.start_ms - in_utc.time.start_ms == 15 * 3600 * 1000


def test_a_day_with_a_clock_change_is_as_long_as_it_was() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    time = find("yesterday", datetime(2026, 3, 30, 12, tzinfo=berlin)).time
    assert time.end_ms - time.start_ms == 23 * 3600 * 1000


def test_lengths_ahead_and_of_a_silence() -> None:
    assert find("앞으로 3시간").horizon_seconds == 3 * 3600
    assert find("in 3 hours").horizon_seconds == 3 * 3600
    assert find("silence web-01 for 2 hours").duration_seconds == 2 * 3600
