"""The way of a question: inventory, understanding, the chain of engines, a reply whatever happens."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import tzinfo

import structlog

from services.ai_agent.domain.answer.model import Evidence
from services.ai_agent.domain.answer.tongue import Tongue
from services.ai_agent.domain.engines.engine import Attempt, Question
from services.ai_agent.domain.engines.registry import EngineRegistry
from services.ai_agent.domain.interpretation import Interpretation, Language
from services.ai_agent.domain.nlq.text import detect_language
from services.ai_agent.domain.nlq.understand import Surroundings, Understander
from services.ai_agent.domain.ports import Inventory, MetricsReader, MetricsUnavailableError, QueryRejectedError
from services.common.clock import Clock

log = structlog.get_logger("ai_agent.ask")

FRESH_MS = 30_000
"""A newest sample at most this old is the "now" of a question that does not name its own."""


@dataclass(frozen=True)
class Ask:
    """A question as it came in, checked; None where the asker leaves the choice to us."""

    query: str
    zone: tzinfo
    lang: Language | None = None
    at_ms: int | None = None
    session_id: str = ""


@dataclass(frozen=True)
class Reply:
    """What the asker gets; `success` is false only when every engine failed."""

    success: bool
    lang: Language
    text: str
    interpretation: Interpretation
    attempts: tuple[Attempt, ...]
    elapsed_seconds: float
    engine: str = ""
    evidence: tuple[Evidence, ...] = ()
    recommendations: tuple[str, ...] = ()
    confidence: float = 0.0


Step = Interpretation | Attempt
"""What is told of a question on its way."""


class AskService:
    """Answers questions."""

    def __init__(
        self, registry: EngineRegistry, reader: MetricsReader, understander: Understander, clock: Clock, default_lang: Language
    ) -> None:
        self._registry = registry
        self._reader = reader
        self._understander = understander
        self._clock = clock
        self._default_lang = default_lang

    async def ask(self, ask: Ask, *, deadline_seconds: float, on_step: Callable[[Step], None] | None = None) -> Reply:
        """The reply to a question.

        Args:
            ask: the question.
            deadline_seconds: time for the whole of it.
            on_step: is told of the interpretation and of each attempt.
        """
        started = self._clock.monotonic()
        now_ms = ask.at_ms if ask.at_ms is not None else int(self._clock.now() * 1000)
        lang = ask.lang or detect_language(ask.query) or self._default_lang
        inventory = await self._inventory()
        around = Surroundings(inventory or Inventory(), now_ms, ask.zone)
        interpretation = await asyncio.to_thread(self._understander.understand, ask.query, around)
        if on_step is not None:
            on_step(interpretation)
        question = Question(
            text=ask.query,
            lang=lang,
            interpretation=interpretation,
            now_ms=now_ms,
            time_ms=now_ms if ask.at_ms is not None else _settled_now(now_ms, inventory),
            inventory=inventory,
            session_id=ask.session_id,
        )
        left = deadline_seconds - (self._clock.monotonic() - started)
        outcomes = await self._registry.process(question, deadline_seconds=left, on_attempt=on_step)
        elapsed = self._clock.monotonic() - started
        answer = outcomes.answer
        if answer is None:
            return Reply(False, lang, _failure(lang), replace(interpretation, confidence=0.0), outcomes.attempts, elapsed)
        if answer.withheld:
            log.error("sentences_withheld", engine=outcomes.engine, query=ask.query, sentences=answer.withheld)
        return Reply(
            success=True,
            lang=answer.lang,
            text=answer.text,
            interpretation=answer.interpretation,
            attempts=outcomes.attempts,
            elapsed_seconds=elapsed,
            engine=outcomes.engine,
            evidence=answer.evidence,
            recommendations=answer.recommendations,
            confidence=answer.confidence,
        )

    async def _inventory(self) -> Inventory | None:
        try:
            return await self._reader.inventory()
        except (MetricsUnavailableError, QueryRejectedError) as error:
            log.warning("inventory_unavailable", error=str(error))
            return None


def _settled_now(now_ms: int, inventory: Inventory | None) -> int:
    """The time of the newest sample when it is fresh: what arrives after it cannot change a figure that was told."""
    newest = max((server.last_seen_ms for server in inventory.servers), default=0) if inventory is not None else 0
    return newest if now_ms - FRESH_MS <= newest <= now_ms else now_ms


def _failure(lang: Language) -> str:
    return Tongue(lang).say(
        "지금은 지표 저장소에서 자료를 읽을 수 없어 답하지 못했습니다. 잠시 후 다시 물어봐 주세요.",
        "The stored samples cannot be read at the moment, so there is no answer. Please ask again shortly.",
    )
