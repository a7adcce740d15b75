"""Odd names, impossible times and counts that no list can have: heeded as they are written, or said not to be understood."""

from datetime import datetime
from zoneinfo import ZoneInfo

import promql_parser
import pytest

from services.ai_agent.domain.ask import Ask, AskService, Reply
from services.ai_agent.domain.engines.registry import EngineRegistry
from services.ai_agent.domain.interpretation import Intent
from services.ai_agent.domain.nlq.lexicon import load_lexicon
from services.ai_agent.domain.nlq.understand import Surroundings, Understander
from services.ai_agent.domain.ports import Inventory, ServerInfo
from services.ai_agent.engines import optimized
from services.common.clock import ManualClock
from tests.support.answers_world import WorldReader, small_world

UTC = ZoneInfo("UTC")
UNDERSTANDER = Understander(load_lexicon())
ODD = ["a/b", "a b", 'q"uote', "..", "$1", "back\\slash", "{x}", "웹-1", "x(y", "Ｆull/1"]
PLAIN = ["a", "cpu", "web-01", "cpu usage"]
IMPOSSIBLE = [
    ("cpu on February 31", "february 31"),
    ("cpu on 2025-13-45", "2025-13-45"),
    ("cpu since 0000-00-00", "0000-00-00"),
    ("cpu at 25:61", "25:61"),
    ("cpu last 0 minutes", "last 0 minutes"),
    ("2월 31일 cpu", "2월 31일"),
    ("2월 31일 오후 3시 cpu", "2월 31일 오후 3시"),
    ("지난 0분 cpu", "지난 0분"),
    ("cpu on 2999-01-01", "2999-01-01"),
]


def servers_in(text: str) -> tuple[str, ...]:
    known = Inventory(tuple(ServerInfo(name) for name in (*ODD, *PLAIN)), 0, frozenset({"cpu"}))
    now_ms = int(datetime(2026, 11, 18, 14, 30, tzinfo=UTC).timestamp() * 1000)
    return UNDERSTANDER.understand(text, Surroundings(known, now_ms, UTC)).servers


async def ask(text: str, world: WorldReader) -> Reply:
    clock = ManualClock(world.now_ms / 1000)
    registry = EngineRegistry(clock, world)
    registry.register(optimized.create())
    return await AskService(registry, world, UNDERSTANDER, clock, "en").ask(Ask(text, UTC), deadline_seconds=10.0)


@pytest.mark.parametrize("pattern", ["cpu of {}", "what is the cpu of {}?", "{} cpu", "{}의 cpu는?", "cpu of {} in the last hour"])
@pytest.mark.parametrize("name", ODD)
def test_a_name_is_found_as_it_is_written(name: str, pattern: str) -> None:
    assert servers_in(pattern.replace("{}", name)) == (name,)


@pytest.mark.parametrize(
    "text",
    [
        "how are things..",
        "cpu of aa/b",
        "a/bc cpu",
        "average cpu usage of all servers",
        "what is a server",
        "it costs $10",
        "cpu...",
    ],
)
def test_a_name_is_not_found_inside_something_longer(text: str) -> None:
    assert servers_in(text) == ()


@pytest.mark.parametrize("text", ["cpu of a", 'cpu of "a" now', "a의 cpu"])
def test_a_name_that_is_a_word_is_found_where_only_a_name_can_stand(text: str) -> None:
    assert servers_in(text) == ("a",)


@pytest.mark.parametrize("name", ODD)
async def test_the_evidence_of_an_odd_name_is_its_own_figure(name: str) -> None:
    world = small_world()
    world.servers[name] = ""
    world.put("cpu", name, [(0, 3.5)])
    reply = await ask(f"cpu of {name}", world)
    assert "3.5 %" in reply.text
    for item in reply.evidence:
        promql_parser.parse(item.expr)
        assert [sample.value for sample in (await world.query(item.expr, item.time_ms)).samples] == [3.5]


@pytest.mark.parametrize(("text", "words"), IMPOSSIBLE)
async def test_a_time_that_cannot_be_is_said_to_be_none(text: str, words: str) -> None:
    reply = await ask(text, small_world())
    assert reply.success
    assert reply.interpretation.intent is Intent.METRIC_VALUE
    assert words in reply.interpretation.not_understood
    assert reply.evidence == ()
    assert f"“{words}”" in reply.text
    assert ("대신 답하지 않았습니다" if reply.lang == "ko" else "did not answer for another") in reply.text


@pytest.mark.parametrize("text", ["cpu on February 28", "2월 28일 cpu", "cpu at 23:59", "cpu last 1 minute", "cpu 3 days ago"])
async def test_a_time_that_can_be_is_read(text: str) -> None:
    assert (await ask(text, small_world())).interpretation.unread_times == ()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("servers with cpu > 1e999", "1e999"),
        ("top 0 servers by cpu", "0"),
        ("top 99999999999999999999 servers by cpu", "99999999999999999999"),
    ],
)
async def test_a_number_that_is_not_heeded_is_named(text: str, word: str) -> None:
    reply = await ask(text, small_world())
    assert f"Not understood, so not heeded: “{word}”." in reply.text


async def test_a_negative_threshold_keeps_its_sign() -> None:
    reply = await ask("servers with cpu > -5", small_world())
    assert [(each.op, each.value) for each in reply.interpretation.conditions] == [(">", -5.0)]


async def test_a_count_with_a_dash_is_heeded_and_said_to_be() -> None:
    reply = await ask("top -3 servers by cpu", small_world())
    assert reply.interpretation.limit == 3
    assert "The minus was read as a dash: “-3”." in reply.text
