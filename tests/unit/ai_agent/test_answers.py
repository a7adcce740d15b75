"""Answers hold what the samples hold: every figure is in the evidence, and its expression gives it again."""

from zoneinfo import ZoneInfo

import pytest

from services.ai_agent.domain.ask import Ask, AskService, Reply
from services.ai_agent.domain.engines.engine import Outcome
from services.ai_agent.domain.engines.registry import EngineRegistry
from services.ai_agent.domain.interpretation import Intent, Language
from services.ai_agent.domain.nlq.lexicon import load_lexicon
from services.ai_agent.domain.nlq.understand import Understander
from services.ai_agent.engines import fallback, optimized
from services.common.clock import ManualClock
from tests.support.answers_world import WorldReader, small_world
from tests.support.printed_numbers import unproved_numbers

UTC = ZoneInfo("UTC")
UNDERSTANDER = Understander(load_lexicon())
QUESTIONS = [
    "서버 상태 어때?", "how are my servers?", "web-01 상태", "web-02 어때?", "status of db-01 and cache-01", "old-01 status",
    "CPU 80% 넘는 서버 있어?", "CPU 99% 넘는 서버 있어?", "servers with disk below 50%", "cpu over 30 and memory over 80",
    "top 3 servers by memory", "메모리 제일 적게 쓰는 서버 2대", "busiest server", "cpu of web-01?", "web-01 지난 1시간 평균 cpu",
    "max memory of db-01 in the last hour", "average cpu", "웹 서버 평균 CPU", "network traffic of web-01", "total network traffic",
    "서버 목록", "how many web servers do we have?", "한 시간 전 web-01 cpu", "servers over 40% cpu in the last hour",
    "cpu above 90 or memory above 80", "web-02 빼고 평균 cpu", "역할별 평균 메모리", "메모리 60% 이상인 서버 중 CPU 제일 낮은 2대", "web-01 수신 트래픽",
    "서울 서버 평균 cpu", "servers in tokyo",
    "web-01 지난 1시간 p95 cpu", "p95 cpu across servers", "cpu 30~50% 서버", "servers with traffic over 1.5 MB/s",
    "is web-02 cpu above 90?", "db-01 디스크", "web-01의 CPU와 메모리", "top 50 by cpu", "어제 서버 상태",
]  # fmt: skip


async def ask(text: str, world: WorldReader, lang: Language | None = None) -> Reply:
    clock = ManualClock(world.now_ms / 1000)
    registry = EngineRegistry(clock, world)
    registry.register(optimized.create())
    registry.register(fallback.create())
    service = AskService(registry, world, UNDERSTANDER, clock, "en")
    reply = await service.ask(Ask(text, UTC, lang), deadline_seconds=10.0)
    assert unproved_numbers(reply.text, (item.value for item in reply.evidence), _names(reply, world)) == [], reply
    for item in reply.evidence:
        assert unproved_numbers(item.claim, [item.value], [*_names(reply, world), "p95"]) == [], item
    return reply


def _names(reply: Reply, world: WorldReader) -> list[str]:
    return [*world.servers, *(unknown.name for unknown in reply.interpretation.unknown_servers)]


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("text", QUESTIONS)
async def test_every_figure_can_be_run_again(text: str, lang: Language) -> None:
    world = small_world()
    reply = await ask(text, world, lang)
    assert reply.success
    assert reply.engine == "optimized"
    assert reply.lang == lang
    for item in reply.evidence:
        result = await world.query(item.expr, item.time_ms)
        assert [sample.value for sample in result.samples] == [item.value], item
        assert (item.samples == 0) == item.expr.startswith("vector(")
        assert item.claim
    samples = [item.samples for item in reply.evidence]
    assert 0 not in samples[: len(samples) - samples.count(0)], "constants come last"


@pytest.mark.parametrize("text", QUESTIONS)
async def test_the_same_question_gets_the_same_answer(text: str) -> None:
    first, second = await ask(text, small_world()), await ask(text, small_world())
    assert (first.text, first.evidence) == (second.text, second.evidence)


async def test_who_is_in_trouble_comes_first_and_who_is_silent_is_unknown() -> None:
    reply = await ask("서버 상태 어때?", small_world())
    assert "web-02 CPU 97.1 %" in reply.text
    assert "old-01" in reply.text
    assert "알 수 없는" in reply.text
    assert any("web-02" in advice for advice in reply.recommendations)


async def test_equal_values_are_listed_by_name() -> None:
    reply = await ask("메모리 제일 적게 쓰는 서버 2대", small_world())
    assert [item.servers for item in reply.evidence] == [("cache-01",), ("web-01",)]


async def test_of_two_disks_the_fuller_one_counts() -> None:
    reply = await ask("db-01 디스크", small_world())
    assert reply.evidence[0].value == 91.5
    assert reply.evidence[0].samples == 2


async def test_a_filter_without_a_hit_tells_the_nearest() -> None:
    reply = await ask("CPU 99% 넘는 서버 있어?", small_world())
    assert "지금 CPU 사용률이 99 %를 넘는 서버는 없습니다 (가장 높은 서버: web-02 97.1 %)." in reply.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("CPU 80% 넘는 서버 있어?", "지금 CPU 사용률이 80 %를 넘는 서버는 4대 가운데 1대입니다: web-02 (97.1 %)."),
        ("CPU 80% 이상", "지금 CPU 사용률이 80 % 이상인 서버는"), ("CPU 80% 초과", "지금 CPU 사용률이 80 %를 넘는 서버는"),
        ("메모리 61.5% 이하인 서버", "메모리 사용률이 61.5 % 이하인 서버는 4대 가운데 2대입니다"), ("디스크 30% 미만", "30 % 미만인 서버는"),
        ("cpu 정확히 35%인 서버", "CPU 사용률이 35 %와 같은 서버는 4대 가운데 1대입니다: db-01"),
        ("cpu 30에서 50% 사이 서버", "CPU 사용률이 30 % 이상 50 % 이하인 서버는"),
        ("cpu 43에서 50% 사이 서버", "서버는 없습니다 (가장 가까운 서버: web-01 42.2 %)"),
        ("cpu 90 넘거나 메모리 80 이상인 서버", "CPU 사용률이 90 %를 넘거나 메모리 사용률이 80 % 이상인 서버는"),
        ("cpu 30 넘고 메모리 80 넘는 서버", "CPU 사용률이 30 %를 넘고 메모리 사용률이 80 %를 넘는 서버는"),
        ("지난 1시간 cpu 40% 넘은 서버", "CPU 사용률이 40 %를 넘은 서버는 4대 가운데 2대였습니다"),
        ("웹 서버 중 cpu 99% 넘는 거", "CPU 사용률이 99 %를 넘는 web 서버는 없습니다"),
        ("트래픽 1MB/s 넘는 서버", "네트워크 트래픽이 1 MB/s를 넘는 서버는"),
        ("any server over 80% cpu?", "1 of 4 servers has CPU usage above 80 % now: web-02 (97.1 %)."),
        ("servers with at least 60% memory", "servers have memory usage of at least 60 % now"),
        ("servers below 50% disk", "disk usage below 50 % now"), ("cpu at most 35%", "CPU usage of at most 35 % now"),
        ("servers with cpu between 30 and 50 percent", "2 of 4 servers have CPU usage between 30 % and 50 % now"),
        ("cpu over 99", "No server has CPU usage above 99 % now (highest: web-02 97.1 %)."),
        ("servers over 40% cpu in the last hour", "2 of 4 servers had CPU usage above 40 % in the last hour"),
        ("is web-02 cpu above 90?", "Yes, it has CPU usage above 90 %."),
        ("web-01 cpu 80 넘어?", "아니요, 기준(CPU 사용률 80 % 초과)에 해당하지 않습니다."),
        ("did web-01 go over 43% cpu in the last hour?", "Yes, it had CPU usage above 43 %. The highest CPU usage of web-01 was 43.2 %"),
        ("web-01 지난 1시간 p95 cpu", "web-01의 p95 CPU 사용률은"),
        ("메모리 60% 이상인 서버 중 CPU 제일 낮은 2대", "메모리 사용률이 60 % 이상인 서버 가운데 지금 CPU 사용률이 낮은 서버: cache-01 (12.5 %)"),
    ],
)  # fmt: skip
async def test_a_threshold_is_told_in_the_words_of_its_comparison(text: str, told: str) -> None:
    reply = await ask(text, small_world())
    assert told in reply.text
    assert reply.evidence[-1].samples == 0


async def test_a_unit_is_chosen_before_the_figure_so_that_both_agree() -> None:
    figure, bound = (await ask("web-01 트래픽 1500 kB/s 넘어?", small_world())).evidence
    assert (figure.value, figure.unit, figure.expr.rsplit(" ", 1)[-1]) == (3.0, "MB/s", "1000000")
    assert (bound.value, bound.unit, bound.expr) == (1.5, "MB/s", "vector(1.5)")


async def test_two_conditions_must_both_hold() -> None:
    reply = await ask("cpu over 30 and memory over 80", small_world())
    assert {name for item in reply.evidence for name in item.servers} == {"db-01"}


async def test_one_of_two_conditions_suffices_when_the_question_says_or() -> None:
    reply = await ask("cpu above 90 or memory above 80", small_world())
    assert {name for item in reply.evidence for name in item.servers} == {"web-02", "db-01"}


async def test_an_excluded_server_is_left_out() -> None:
    reply = await ask("CPU 제일 높은 서버 web-02 빼고", small_world())
    assert reply.evidence[0].servers == ("web-01",)
    assert "web-02" not in reply.text


async def test_what_meets_a_condition_is_ranked_by_another_metric() -> None:
    reply = await ask("메모리 60% 이상인 서버 중 CPU 제일 낮은 2대", small_world())
    assert [item.servers for item in reply.evidence if item.samples] == [("cache-01",), ("db-01",)]


async def test_a_site_narrows_the_question() -> None:
    reply = await ask("서울 서버 중 CPU 제일 높은 서버", small_world())
    assert [item.servers for item in reply.evidence] == [("web-01",), ("db-01",)]


async def test_words_that_were_not_heeded_are_told() -> None:
    assert "“frobnication”" in (await ask("web-01 frobnication cpu", small_world())).text


async def test_a_series_that_is_not_stored_is_said_to_be_missing() -> None:
    reply = await ask("queue_depth of web-01", small_world())
    assert reply.evidence == ()
    assert "queue_depth" in reply.text


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("3시 web-01 cpu", "ko"), ("web-01 CPU 얼마?", "ko"), ("show me the cpu of 웹-01", "en"), ("cpu", "en"), ("top 3 서버", "ko"),
        ("70%?", "en"), ("램", "ko"),
    ],
)  # fmt: skip
async def test_the_answer_is_in_the_language_of_the_question(text: str, lang: str) -> None:
    assert (await ask(text, small_world())).lang == lang


async def test_the_answer_names_the_time_in_the_words_of_the_question() -> None:
    assert "yesterday" in (await ask("cpu of web-01 yesterday", small_world())).text
    assert "어제" in (await ask("어제 web-01 cpu", small_world())).text


async def test_a_silent_server_has_no_figure() -> None:
    reply = await ask("old-01 cpu", small_world(), "en")
    assert reply.success
    assert reply.evidence == ()
    assert "no samples" in reply.text


async def test_an_unknown_name_is_said_to_be_unknown() -> None:
    reply = await ask("web-09 상태", small_world())
    assert reply.success
    assert "web-09" in reply.text
    assert "web-01" in reply.text
    assert reply.evidence == ()


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("what is the capital of France?", Intent.OUT_OF_SCOPE), ("도움말", Intent.HELP), ("내일 cpu 예측해줘", Intent.FORECAST),
        ("why is web-01 slow?", Intent.ROOT_CAUSE), ("울린 알림 있어?", Intent.ALERTS), ("cpu 90% 넘으면 알려줘", Intent.CREATE_ALERT),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_is_refused_without_a_figure(text: str, intent: Intent) -> None:
    world = small_world()
    reply = await ask(text, world)
    assert reply.success
    assert reply.interpretation.intent is intent
    assert reply.evidence == ()


async def test_an_empty_store_is_said_to_be_empty() -> None:
    for text in ("how are my servers?", "top 3 by cpu", "list servers", "servers over 80% cpu", "average cpu"):
        reply = await ask(text, WorldReader())
        assert reply.success
        assert "No server has sent samples yet." in reply.text


async def test_questions_that_need_no_samples_are_answered_while_the_store_is_away() -> None:
    world = small_world()
    world.away = True
    assert (await ask("help", world)).success
    assert (await ask("what's the weather?", world)).interpretation.intent is Intent.OUT_OF_SCOPE


async def test_nothing_is_made_up_while_the_store_is_away() -> None:
    world = small_world()
    world.away = True
    reply = await ask("cpu of web-01?", world)
    assert not reply.success
    assert [attempt.outcome for attempt in reply.attempts] == [Outcome.UNAVAILABLE, Outcome.UNAVAILABLE]
    assert reply.evidence == ()


async def test_the_fallback_gives_basic_statistics_and_says_so() -> None:
    world = small_world()
    world.queries_away = True
    reply = await ask("top 3 servers by memory", world)
    assert (reply.success, reply.engine) == (True, "fallback")
    assert "basic statistics" in reply.text
    world.queries_away = False
    for item in reply.evidence:
        assert [s.value for s in (await world.query(item.expr, item.time_ms)).samples] == [item.value]


async def test_steps_are_told_in_order() -> None:
    world = small_world()
    clock = ManualClock(world.now_ms / 1000)
    registry = EngineRegistry(clock, world)
    registry.register(optimized.create())
    steps: list[object] = []
    await AskService(registry, world, UNDERSTANDER, clock, "en").ask(Ask("cpu", UTC), deadline_seconds=5.0, on_step=steps.append)
    assert [type(step).__name__ for step in steps] == ["Interpretation", "Attempt"]


async def test_at_is_the_present_of_the_question() -> None:
    world = small_world()
    clock = ManualClock(world.now_ms / 1000)
    registry = EngineRegistry(clock, world)
    registry.register(optimized.create())
    at_ms = world.now_ms - 3_600_000
    reply = await AskService(registry, world, UNDERSTANDER, clock, "en").ask(
        Ask("cpu of web-01", UTC, at_ms=at_ms), deadline_seconds=5.0
    )
    assert {item.time_ms for item in reply.evidence} == {at_ms}
    assert reply.interpretation.time.end_ms == at_ms
