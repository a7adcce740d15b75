"""Questions are understood: intent and slots, in both languages, as people type them."""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.ai_agent.domain.interpretation import ANSWERED, Intent, Interpretation
from services.ai_agent.domain.nlq.lexicon import load_lexicon
from services.ai_agent.domain.nlq.understand import Surroundings, Understander
from services.ai_agent.domain.ports import Inventory, ServerInfo


def _questions(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))["question"]
    return found


QUESTIONS, OPERATORS = _questions("questions.toml"), _questions("questions_operators.toml")
SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2026, 11, 18, 14, 30, tzinfo=SEOUL)  # a Wednesday
FLEET = (
    ("web", "web", 6),
    ("api", "api", 4),
    ("db", "database", 3),
    ("cache", "cache", 3),
    ("lb", "load_balancer", 2),
    ("queue", "queue", 2),
)
WITH_SLOTS = ANSWERED - {Intent.HELP, Intent.OUT_OF_SCOPE}
UNDERSTANDER = Understander(load_lexicon())


def _servers() -> tuple[ServerInfo, ...]:
    numbered = [ServerInfo(f"{prefix}-{i:02d}", role) for prefix, role, count in FLEET for i in range(1, count + 1)]
    others = [ServerInfo("conf-a"), ServerInfo("conf-b"), ServerInfo("vm", "host")]
    return tuple(sorted([*numbered, *others], key=lambda server: server.name))


AROUND = Surroundings(Inventory(_servers(), 0, frozenset({"conf_value", "cpu"})), int(NOW.timestamp() * 1000), SEOUL)


def understand(text: str) -> Interpretation:
    return UNDERSTANDER.understand(text, AROUND)


def _told(text: str) -> dict[str, Any]:
    """The interpretation as the files of questions have it."""
    asked = understand(text)
    found: dict[str, Any] = {
        "text": text,
        "intent": str(asked.intent),
        "metric": asked.metric,
        "more_metrics": list(asked.more_metrics),
        "servers": list(asked.servers),
        "unknown_servers": [unknown.name for unknown in asked.unknown_servers],
        "excluded": list(asked.excluded),
        "roles": list(asked.roles),
        "conditions": [[each.metric, each.op, each.value] for each in asked.conditions],
        "either": asked.either or None,
        "by_role": asked.by_role or None,
        "limit": asked.limit,
        "order": asked.order,
        "aggregation": asked.aggregation,
        "direction": asked.direction,
        "time": None if asked.time.assumed else asked.time.kind,
    }
    assert 0.0 < asked.confidence <= 1.0
    return {name: value for name, value in found.items() if value not in (None, [])}


@pytest.mark.parametrize("expected", QUESTIONS, ids=lambda question: question["text"])
def test_intent_and_slots(expected: dict[str, Any]) -> None:
    assert _told(expected["text"]) == expected


@pytest.mark.parametrize("expected", OPERATORS, ids=lambda question: question["text"])
def test_questions_as_operators_type_them(expected: dict[str, Any]) -> None:
    told = _told(expected["text"])
    assert (told if Intent(expected["intent"]) in WITH_SLOTS else {name: told[name] for name in expected}) == expected


def test_there_are_questions_of_every_intent() -> None:
    assert len(OPERATORS) >= 200
    assert {question["intent"] for question in OPERATORS} == {str(intent) for intent in Intent}


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("어제 오후 3시부터 5시까지", "11-17 15:00", "11-17 17:00"), ("오늘 아침", "11-18 06:00", "11-18 09:00"),
        ("this morning", "11-18 06:00", "11-18 12:00"), ("since yesterday", "11-17 00:00", "11-18 14:30"),
        ("2시간 전", "11-18 12:30", "11-18 12:30"), ("방금", "11-18 14:20", "11-18 14:30"), ("어젯밤", "11-17 21:00", "11-18 06:00"),
        ("yesterday from 3 to 5 pm", "11-17 15:00", "11-17 17:00"), ("지난 3일간", "11-15 14:30", "11-18 14:30"),
        ("last 15m", "11-18 14:15", "11-18 14:30"), ("어제부터", "11-17 00:00", "11-18 14:30"), ("30분 전", "11-18 14:00", "11-18 14:00"),
        ("어제 낮 12시", "11-17 12:00", "11-17 12:00"), ("오늘 새벽 3시", "11-18 03:00", "11-18 03:00"),
    ],
)  # fmt: skip
def test_times_as_operators_say_them(words: str, start: str, end: str) -> None:
    time = understand(f"{words} web-01 cpu").time
    told = [datetime.fromtimestamp(each / 1000, SEOUL).strftime("%m-%d %H:%M") for each in (time.start_ms, time.end_ms)]
    assert told == [start, end]


def test_a_prefix_that_says_something_is_no_slip_of_another() -> None:
    around = Surroundings(DEMO_FLEET, AROUND.now_ms, SEOUL)
    asked = Understander(load_lexicon()).understand("is db-02 over 90% disk?", around)  # there is lb-02
    assert asked.servers == ()
    assert [unknown.name for unknown in asked.unknown_servers] == ["db-02"]
    assert asked.unknown_servers[0].suggestions[0] == "db-primary-seoul-1"


def test_before_six_this_morning_is_the_night_so_far() -> None:
    early = datetime(2026, 11, 18, 5, 15, tzinfo=SEOUL)
    for words in ("this morning", "오늘 아침"):
        time = UNDERSTANDER.understand(f"{words} cpu", Surroundings(AROUND.inventory, int(early.timestamp() * 1000), SEOUL)).time
        assert datetime.fromtimestamp(time.start_ms / 1000, SEOUL).hour == 0
        assert time.end_ms == int(early.timestamp() * 1000)


@pytest.mark.parametrize("question", QUESTIONS[::7], ids=lambda question: question["text"])
@pytest.mark.parametrize(
    "spoil", [str.upper, lambda text: f"  {text}  ", lambda text: text.replace(" ", "  "), lambda text: text.rstrip("?") + "!!"]
)
def test_case_and_spaces_do_not_matter(question: dict[str, Any], spoil: Any) -> None:
    plain, spoiled = understand(question["text"]), understand(spoil(question["text"]))
    assert (spoiled.intent, spoiled.metric, spoiled.servers, spoiled.conditions) == (
        plain.intent,
        plain.metric,
        plain.servers,
        plain.conditions,
    )


@pytest.mark.parametrize("particle", ["은", "의", "이", "에서", "의 현재", "한테는"])
def test_particles_come_off_names_and_metrics(particle: str) -> None:
    asked = understand(f"web-03{particle} 메모리{particle[:1]} 얼마야?")
    assert (asked.intent, asked.servers, asked.metric) == (Intent.METRIC_VALUE, ("web-03",), "memory")


@pytest.mark.parametrize(
    "ending", ["있어?", "있나요?", "있습니까", "알려줘", "보여주세요", "뭐야", "찾아줄래?", "목록", "말해봐", "는?", "부탁드립니다"]
)
def test_politeness_does_not_matter(ending: str) -> None:
    asked = understand(f"CPU 75% 초과하는 서버 {ending}")
    assert (asked.intent, asked.metric, asked.op, asked.value) == (Intent.FILTER_SERVERS, "cpu", ">", 75.0)


@pytest.mark.parametrize(
    ("words", "op"),
    [
        ("넘는", ">"), ("초과인", ">"), ("이상인", ">="), ("이하인", "<="), ("미만인", "<"), ("못 미치는", "<"), ("안 넘는", "<="),
        ("보다 큰", ">"), ("보다 작은", "<"), ("넘지 않는", "<="), ("안 되는", "<"), ("웃도는", ">"), ("밑도는", "<"), ("넘어가는", ">"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", ["65%", "65 퍼센트", "65프로", "육십오 퍼센트", "육십오프로"])
def test_korean_comparisons(words: str, op: str, number: str) -> None:
    asked = understand(f"메모리가 {number} {words} 서버")
    assert (asked.intent, asked.metric, asked.op, asked.value) == (Intent.FILTER_SERVERS, "memory", op, 65.0)


@pytest.mark.parametrize(
    ("words", "op"),
    [
        ("over", ">"), ("above", ">"), ("more than", ">"), ("at least", ">="), ("no more than", "<="), ("under", "<"), ("below", "<"),
        ("not above", "<="), ("no less than", ">="), ("exceeding", ">"), ("less than", "<"), ("up to", "<="), (">", ">"), ("<=", "<="),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", ["65%", "65 percent", "sixty-five percent", "65"])
def test_english_comparisons(words: str, op: str, number: str) -> None:
    asked = understand(f"servers with memory {words} {number}")
    assert (asked.intent, asked.metric, asked.op, asked.value) == (Intent.FILTER_SERVERS, "memory", op, 65.0)


@pytest.mark.parametrize(
    ("typo", "name"),
    [
        ("wbe-01", "web-01"),
        ("cahce-02", "cache-02"),
        ("web01", "web-01"),
        ("WEB_1", "web-01"),
        ("웹-01", "web-01"),
        ("웹 서버 1번", "web-01"),
        ("디비3", "db-03"),
    ],
)
def test_names_as_people_write_them(typo: str, name: str) -> None:
    assert understand(f"{typo} 상태").servers == (name,)


def test_a_name_that_nobody_has_is_said_to_be_unknown() -> None:
    asked = understand("web-99 cpu")
    assert asked.servers == ()
    assert asked.unknown_servers[0].name == "web-99"
    assert set(asked.unknown_servers[0].suggestions) <= {server.name for server in _servers()}


def test_other_digits_are_another_server() -> None:
    assert understand("web-07 status").servers == ()


def test_what_was_not_understood_is_listed() -> None:
    asked = understand("web-01 frobnication cpu")
    assert "frobnication" in asked.not_understood
    assert asked.confidence < understand("web-01 cpu").confidence


def test_the_same_question_is_understood_the_same_way() -> None:
    assert understand("메모리 제일 많이 쓰는 서버 5개") == understand("메모리 제일 많이 쓰는 서버 5개")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "?",
        "\n",
        "가" * 2000,
        "a" * 2000,
        "9" * 500,
        "%" * 300,
        "web-" * 400,
        "🔥🔥",
        "cpu > 1e400",
        "99999999999999999999% cpu",
    ],
)
def test_nonsense_never_fails(text: str) -> None:
    assert isinstance(understand(text), Interpretation)


DEMO_FLEET = Inventory(
    tuple(
        ServerInfo(name, role, site=site)
        for name, role, site in (
            ("api-03", "api", "tokyo-1"),
            ("db-primary-seoul-1", "database", "seoul-1"),
            ("db-replica-busan-1", "database", "busan-1"),
            ("db-replica-tokyo-1", "database", "tokyo-1"),
            ("lb-02", "load_balancer", "busan-1"),
            ("storage-01", "storage", "seoul-1"),
            ("web-03", "web", "busan-1"),
        )
    )
)


@pytest.mark.parametrize(
    ("text", "servers", "roles", "sites"),
    [
        ("db primary 상태", ("db-primary-seoul-1",), (), ()),
        ("primary db cpu", ("db-primary-seoul-1",), (), ()),
        ("디비 프라이머리 메모리", ("db-primary-seoul-1",), (), ()),
        ("도쿄 레플리카 상태", ("db-replica-tokyo-1",), (), ()),
        ("db-primary-soul-1 cpu", ("db-primary-seoul-1",), (), ()),
        ("로드 밸런서 2번 cpu", ("lb-02",), (), ()),
        ("storage-01 disk", ("storage-01",), (), ()),
        ("스토리지 서버 상태", (), ("storage",), ()),
        ("db 서버 디스크", (), ("database",), ()),
        ("load on the load balancers", (), ("load_balancer",), ()),
        ("서울 서버 상태", (), (), ("seoul-1",)),
        ("부산 웹 서버 메모리", (), ("web",), ("busan-1",)),
        ("tokyo servers with cpu above 50", (), (), ("tokyo-1",)),
    ],
)
def test_parts_of_names_roles_and_sites(
    text: str, servers: tuple[str, ...], roles: tuple[str, ...], sites: tuple[str, ...]
) -> None:
    asked = Understander(load_lexicon()).understand(text, Surroundings(DEMO_FLEET, AROUND.now_ms, SEOUL))
    assert (asked.servers, asked.roles, asked.sites) == (servers, roles, sites)
    assert asked.intent is not Intent.OUT_OF_SCOPE


@pytest.mark.parametrize(
    "text", ["what is the temperature in Seoul today?", "서울 날씨 어때?", "서울 맛집 추천", "how many people live in Tokyo?"]
)
def test_a_place_alone_is_no_question_about_servers(text: str) -> None:
    asked = Understander(load_lexicon()).understand(text, Surroundings(DEMO_FLEET, AROUND.now_ms, SEOUL))
    assert asked.intent is Intent.OUT_OF_SCOPE
