"""The chain of engines: order, deadline shares, circuit breakers, recorded attempts."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.ai_agent.domain.answer.model import Answer
from services.ai_agent.domain.engines.breaker import Circuit, CircuitBreaker
from services.ai_agent.domain.engines.engine import Attempt, EngineContext, Failure, MissingEngine, Outcome, Question
from services.ai_agent.domain.engines.registry import EngineRegistry, Outcomes
from services.ai_agent.domain.interpretation import Intent, Interpretation, TimeRange
from services.ai_agent.domain.ports import Inventory
from services.common.clock import ManualClock
from tests.support.answers_world import WorldReader

ASKED = Interpretation(Intent.HELP, TimeRange(0, 0))
QUESTION = Question("help", "en", ASKED, 0, 0, Inventory())
ANSWER = Answer("en", "Ask away.", ASKED)


class ScriptedEngine:
    """Does what it is told."""

    description = "test"

    def __init__(self, name: str, act: Callable[[EngineContext], Awaitable[Answer | Failure]]) -> None:
        self.name = name
        self.calls = 0
        self._act = act

    async def process(self, question: Question, context: EngineContext) -> Answer | Failure:
        self.calls += 1
        return await self._act(context)


async def answers(_context: EngineContext) -> Answer | Failure:
    return ANSWER


async def fails(_context: EngineContext) -> Answer | Failure:
    return Failure(Outcome.UNAVAILABLE, "away", retryable=True)


async def crashes(_context: EngineContext) -> Answer | Failure:
    raise RuntimeError("boom")


async def dawdles(context: EngineContext) -> Answer | Failure:
    await context.clock.sleep(1000)
    return ANSWER


def chain(clock: ManualClock, *engines: ScriptedEngine | MissingEngine, failures_to_open: int = 2) -> EngineRegistry:
    registry = EngineRegistry(clock, WorldReader())
    for engine in engines:
        registry.register(engine, CircuitBreaker(clock, failures_to_open=failures_to_open, open_seconds=30))
    return registry


async def process(clock: ManualClock, registry: EngineRegistry, deadline_seconds: float = 10.0) -> Outcomes:
    task = asyncio.create_task(registry.process(QUESTION, deadline_seconds=deadline_seconds))
    while not task.done():
        await clock.advance(0.5)
    return task.result()


async def test_the_first_that_answers_wins() -> None:
    clock = ManualClock()
    second = ScriptedEngine("b", answers)
    outcomes = await process(clock, chain(clock, ScriptedEngine("a", answers), second))
    assert (outcomes.answer, outcomes.engine, second.calls) == (ANSWER, "a", 0)
    assert [(a.engine, a.outcome) for a in outcomes.attempts] == [("a", Outcome.ANSWERED)]


@pytest.mark.parametrize(("act", "outcome"), [(fails, Outcome.UNAVAILABLE), (crashes, Outcome.FAILED), (dawdles, Outcome.TIMEOUT)])
async def test_the_next_is_tried_after_any_failure(
    act: Callable[[EngineContext], Awaitable[Answer | Failure]], outcome: Outcome
) -> None:
    clock = ManualClock()
    outcomes = await process(clock, chain(clock, ScriptedEngine("a", act), ScriptedEngine("b", answers)))
    assert [(a.engine, a.outcome) for a in outcomes.attempts] == [("a", outcome), ("b", Outcome.ANSWERED)]
    assert outcomes.attempts[0].detail


async def test_all_failing_gives_no_answer_and_every_attempt() -> None:
    clock = ManualClock()
    outcomes = await process(clock, chain(clock, ScriptedEngine("a", fails), ScriptedEngine("b", crashes)))
    assert outcomes.answer is None
    assert [a.outcome for a in outcomes.attempts] == [Outcome.UNAVAILABLE, Outcome.FAILED]


async def test_a_slow_engine_leaves_the_next_its_share() -> None:
    clock = ManualClock()
    shares: list[float] = []

    async def notes(context: EngineContext) -> Answer | Failure:
        shares.append(context.deadline_seconds)
        return ANSWER

    outcomes = await process(clock, chain(clock, ScriptedEngine("a", dawdles), ScriptedEngine("b", notes)), deadline_seconds=8.0)
    assert outcomes.answer is ANSWER
    assert outcomes.attempts[0].elapsed_seconds == pytest.approx(4.0)
    assert shares == [pytest.approx(4.0)]


async def test_the_circuit_opens_probes_and_closes() -> None:
    clock = ManualClock()
    healthy = False

    async def flaky(context: EngineContext) -> Answer | Failure:
        return ANSWER if healthy else await fails(context)

    engine = ScriptedEngine("a", flaky)
    registry = chain(clock, engine, ScriptedEngine("b", answers))
    for _ in range(2):
        await process(clock, registry)
    assert registry.states()[0].circuit is Circuit.OPEN
    outcomes = await process(clock, registry)
    assert outcomes.attempts[0].outcome is Outcome.CIRCUIT_OPEN
    assert engine.calls == 2
    await clock.advance(30)
    assert registry.states()[0].circuit is Circuit.HALF_OPEN
    await process(clock, registry)
    assert registry.states()[0].circuit is Circuit.OPEN
    healthy = True
    await clock.advance(30)
    assert (await process(clock, registry)).engine == "a"
    assert registry.states()[0].circuit is Circuit.CLOSED


def test_a_half_open_circuit_admits_one_probe() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(clock, failures_to_open=1, open_seconds=0.0)
    breaker.failed()
    assert breaker.admit()
    assert not breaker.admit()
    breaker.abandoned()
    assert breaker.admit()


async def test_a_question_that_is_not_understood_opens_no_circuit() -> None:
    clock = ManualClock()

    async def puzzled(_context: EngineContext) -> Answer | Failure:
        return Failure(Outcome.NOT_UNDERSTOOD, "what?")

    registry = chain(clock, ScriptedEngine("a", puzzled), failures_to_open=1)
    await process(clock, registry)
    assert registry.states()[0].circuit is Circuit.CLOSED


async def test_cancelling_the_question_cancels_the_engine() -> None:
    clock = ManualClock()
    cancelled = asyncio.Event()

    async def waits(context: EngineContext) -> Answer | Failure:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ANSWER

    registry = chain(clock, ScriptedEngine("a", waits))
    task = asyncio.create_task(registry.process(QUESTION, deadline_seconds=10))
    await clock.advance(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


async def test_an_engine_that_is_missing_says_so_with_each_question() -> None:
    clock = ManualClock()
    told: list[Attempt] = []
    registry = chain(clock, MissingEngine("llm", "not installed"), ScriptedEngine("b", answers))
    outcomes = await registry.process(QUESTION, deadline_seconds=10, on_attempt=told.append)
    assert outcomes.engine == "b"
    assert (told[0].engine, told[0].outcome, told[0].detail) == ("llm", Outcome.UNAVAILABLE, "not installed")


def test_a_name_is_taken_once() -> None:
    clock = ManualClock()
    registry = chain(clock, ScriptedEngine("a", answers))
    with pytest.raises(ValueError, match="already"):
        registry.register(ScriptedEngine("a", answers))
