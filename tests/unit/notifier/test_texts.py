"""What a notification says, in both languages, and how much of a great group it holds."""

import math
from dataclasses import replace

import pytest

from services.notifier.domain.advice import recommendations
from services.notifier.domain.alerts import Alert, AlertState, Status
from services.notifier.domain.composing import MAX_ALERTS, Composer
from services.notifier.domain.expressions import parse_expression
from services.notifier.domain.notifications import NotificationType
from services.notifier.domain.pipeline import Group, News
from services.notifier.domain.rules import Rule
from services.notifier.domain.wording import MAX_LINES, Wording
from tests.support.notifier_state import an_alert

RULE = Rule(id="rule-1", name="High CPU", expr="cpu > 90", channels=("ops", "night"))
EXPRESSION = parse_expression("cpu > 90")


def compose(*alerts: Alert, lang: str = "en", zone: str = "UTC") -> "list[tuple[str, str]]":
    composer = Composer(Wording(lang, zone), lambda: "id")
    news = News(RULE, Group("rule-1:x", "rule-1", {}), alerts, 1_700_000_200.0)
    return [(notification.title, notification.message) for notification in composer.compose(news, EXPRESSION)]


def test_english_gives_value_threshold_time_and_evidence() -> None:
    alert = replace(an_alert(1), told=None, annotations={"summary": "look at web-01"})
    (title, message), again = compose(alert)
    assert (title, message) == again
    assert title == "[Firing] High CPU · web-01"
    assert message == (
        "look at web-01 — web-01: value 97.25, the rule fires at > 90; since 2023-11-14T22:15:01.000+00:00; "
        "evidence: cpu > 90 at 2023-11-14T22:15:00.125+00:00"
    )


def test_korean_is_korean_and_in_its_zone() -> None:
    over = replace(an_alert(1), state=AlertState.RESOLVED, ends_at=1_700_000_200.0, told=Status.FIRING, annotations={}, value=12.0)
    (title, message), _ = compose(over, lang="ko", zone="Asia/Seoul")
    assert title == "[해소] High CPU · web-01"
    assert message == (
        "web-01: 값 12, 발생 조건 > 90; 2023-11-15T07:15:01.000+09:00 ~ 2023-11-15T07:16:40.000+09:00; "
        "근거: 2023-11-15T07:15:00.125+09:00의 cpu > 90"
    )


@pytest.mark.parametrize(("lang", "words"), [("en", "no data"), ("ko", "데이터 없음")])
def test_no_value_is_called_no_data(lang: str, words: str) -> None:
    assert words in compose(replace(an_alert(1), told=None, value=math.nan), lang=lang)[0][1]


def test_a_great_group_is_cut_and_says_by_how_much() -> None:
    alerts = tuple(replace(an_alert(number), told=None) for number in range(MAX_ALERTS + 7))
    composer = Composer(Wording("en", "UTC"), lambda: "id")
    notification = next(iter(composer.compose(News(RULE, Group("g", "rule-1", {}), alerts, 0.0), EXPRESSION)))
    assert (len(notification.alerts), notification.truncated_alerts) == (MAX_ALERTS, 7)
    assert notification.type is NotificationType.FIRING
    assert notification.title == f"[Firing] High CPU · {MAX_ALERTS + 7} alerts"
    assert notification.message.splitlines()[MAX_LINES:] == [f"and {MAX_ALERTS + 7 - MAX_LINES} more"]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_advice_is_for_what_the_rule_reads(lang: str) -> None:
    assert recommendations(["cpu"], lang) != recommendations(["memory"], lang)
    assert recommendations(["node_filesystem_avail_bytes"], lang) == recommendations(["disk"], lang)
    assert recommendations(["net_bytes_recv"], lang) == recommendations(["network_receive_bytes_total"], lang) != ()
    for name in ("temp_temp", "node_hwmon_temp_celsius", "node_thermal_zone_temp", "hw_temperature_celsius"):
        assert recommendations([name], lang) == recommendations(["temperature"], lang) != ()
    for name in ("queue_depth", "pg_stat_database_temp_bytes", "planet_age"):
        assert recommendations([name], lang) == ()
