"""The chain of engines: each is tried in the configured order until one answers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from services.ai_agent.domain.answer.model import Answer
from services.ai_agent.domain.engines.breaker import Circuit, CircuitBreaker
from services.ai_agent.domain.engines.engine import Attempt, Engine, EngineContext, Failure, Outcome, Question
from services.ai_agent.domain.ports import MetricsReader
from services.common.clock import Clock

log = structlog.get_logger("ai_agent.engines")

LEAST_SECONDS = 0.05
"""With less time left than this an engine is not tried."""


@dataclass
class _Member:
    engine: Engine
    breaker: CircuitBreaker
    config: Mapping[str, Any] = field(default_factory=dict)
    answered: int = 0
    failed: int = 0


@dataclass(frozen=True)
class EngineState:
    """One engine of the chain, for those who look."""

    name: str
    description: str
    circuit: Circuit
    answered: int
    failed: int


@dataclass(frozen=True)
class Outcomes:
    """The answer, None when every engine failed, the engine that gave it, and all attempts in order."""

    answer: Answer | None
    engine: str
    attempts: tuple[Attempt, ...]


class EngineRegistry:
    """Tries engines in order; each gets an even share of the time that is left, so a slow one cannot starve the next."""

    def __init__(self, clock: Clock, reader: MetricsReader) -> None:
        self._clock = clock
        self._reader = reader
        self._members: list[_Member] = []

    def register(self, engine: Engine, breaker: CircuitBreaker | None = None, config: Mapping[str, Any] | None = None) -> None:
        """Append an engine to the chain.

        Raises:
            ValueError: an engine of this name is there already.
        """
        if any(member.engine.name == engine.name for member in self._members):
            raise ValueError(f"an engine called {engine.name!r} is registered already")
        self._members.append(_Member(engine, breaker or CircuitBreaker(self._clock), config or {}))

    def states(self) -> list[EngineState]:
        """The engines in the order they are tried."""
        return [
            EngineState(member.engine.name, member.engine.description, member.breaker.circuit, member.answered, member.failed)
            for member in self._members
        ]

    async def process(
        self, question: Question, *, deadline_seconds: float, on_attempt: Callable[[Attempt], None] | None = None
    ) -> Outcomes:
        """The first answer of the chain.

        Args:
            question: what is asked.
            deadline_seconds: time for the whole chain.
            on_attempt: is told of each attempt as it ends.
        """
        attempts: list[Attempt] = []
        end = self._clock.monotonic() + deadline_seconds
        for index, member in enumerate(self._members):
            left = end - self._clock.monotonic()
            attempt, answer = await self._try(member, question, left / (len(self._members) - index), left)
            attempts.append(attempt)
            if on_attempt is not None:
                on_attempt(attempt)
            if answer is not None:
                return Outcomes(answer, member.engine.name, tuple(attempts))
        return Outcomes(None, "", tuple(attempts))

    async def _try(self, member: _Member, question: Question, share: float, left: float) -> tuple[Attempt, Answer | None]:
        name, started = member.engine.name, self._clock.monotonic()
        if left < LEAST_SECONDS:
            return Attempt(name, Outcome.TIMEOUT, 0.0, "no time was left"), None
        if not member.breaker.admit():
            return Attempt(name, Outcome.CIRCUIT_OPEN, 0.0, "failed too often lately"), None
        context = EngineContext(self._reader, self._clock, share, member.config)
        try:
            result = await self._within(share, member.engine, question, context)
        except asyncio.CancelledError:
            member.breaker.abandoned()
            raise
        elapsed = self._clock.monotonic() - started
        if isinstance(result, Answer):
            member.breaker.succeeded()
            member.answered += 1
            return Attempt(name, Outcome.ANSWERED, elapsed), result
        member.failed += 1
        if result.reason is Outcome.NOT_UNDERSTOOD:
            member.breaker.abandoned()  # the question's fault, not the engine's
        else:
            member.breaker.failed()
        log.warning("engine_failed", engine=name, outcome=result.reason, detail=result.detail, retryable=result.retryable)
        return Attempt(name, result.reason, elapsed, result.detail), None

    async def _within(self, seconds: float, engine: Engine, question: Question, context: EngineContext) -> Answer | Failure:
        """The engine's result; its crash and its lateness are failures like any other."""
        work = asyncio.ensure_future(engine.process(question, context))
        alarm = asyncio.ensure_future(self._clock.sleep(seconds))
        tasks: Sequence[asyncio.Future[Any]] = (work, alarm)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return Failure(Outcome.TIMEOUT, f"gave no answer within {seconds:.2f} s", retryable=True)
            return work.result()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.error("engine_crashed", engine=engine.name, error=repr(error), exc_info=error)
            return Failure(Outcome.FAILED, f"{type(error).__name__}: {error}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
