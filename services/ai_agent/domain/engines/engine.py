"""What an engine is: anything that turns a question into an answer, or says why it cannot."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.ai_agent.domain.answer.model import Answer
from services.ai_agent.domain.interpretation import Interpretation, Language
from services.ai_agent.domain.ports import Inventory, MetricsReader
from services.common.clock import Clock


class Outcome(enum.StrEnum):
    """What became of an attempt."""

    ANSWERED = "answered"
    FAILED = "failed"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    NOT_UNDERSTOOD = "not_understood"
    CIRCUIT_OPEN = "circuit_open"


@dataclass(frozen=True)
class Question:
    """A question, as asked and as understood.

    `inventory` is None when the store could not be asked for it; `time_ms` is the instant that figures about "now" are read at.
    """

    text: str
    lang: Language
    interpretation: Interpretation
    now_ms: int
    time_ms: int
    inventory: Inventory | None
    session_id: str = ""


@dataclass(frozen=True)
class Failure:
    """Why an engine did not answer; `retryable` when the same question may succeed later."""

    reason: Outcome
    detail: str
    retryable: bool = False


@dataclass(frozen=True)
class EngineContext:
    """What an engine may use."""

    reader: MetricsReader
    clock: Clock
    deadline_seconds: float
    config: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Turns questions into answers. One call at a time is cancelled when its share of the deadline is over."""

    name: str
    description: str

    async def process(self, question: Question, context: EngineContext) -> Answer | Failure:
        """The answer, or why there is none."""
        ...


EngineFactory = Callable[[], Engine]
"""What an entry point of the group `openmanager.engines` names."""


@dataclass(frozen=True)
class Attempt:
    """How one engine did with one question."""

    engine: str
    outcome: Outcome
    elapsed_seconds: float
    detail: str = ""


class MissingEngine:
    """Stands in the chain for an engine that is configured and could not be loaded, so that each question says so."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.description = f"could not be loaded: {reason}"
        self._reason = reason

    async def process(self, question: Question, context: EngineContext) -> Answer | Failure:
        """Never answers."""
        return Failure(Outcome.UNAVAILABLE, self._reason)
