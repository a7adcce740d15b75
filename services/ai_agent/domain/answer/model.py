"""An answer and what proves it."""

from dataclasses import dataclass, field

from services.ai_agent.domain.interpretation import Interpretation, Language


@dataclass(frozen=True)
class Evidence:
    """A figure of an answer and the query that gives it again.

    `expr` evaluated at `time_ms` (Unix milliseconds) gives `value` as a vector of one element; `samples` counts the stored
    samples behind it, none behind a constant of the question such as a threshold.
    """

    claim: str
    expr: str
    time_ms: int
    value: float
    unit: str = ""
    servers: tuple[str, ...] = ()
    samples: int = 1


@dataclass(frozen=True)
class Sentence:
    """A sentence and the figures that it prints."""

    text: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Draft:
    """An answer before it is verified: sentences in order, and advice with the figures that it rests on."""

    sentences: tuple[Sentence, ...]
    recommendations: tuple[Sentence, ...] = ()


@dataclass(frozen=True)
class Answer:
    """A verified answer."""

    lang: Language
    text: str
    interpretation: Interpretation
    evidence: tuple[Evidence, ...] = ()
    recommendations: tuple[str, ...] = ()
    confidence: float = 0.0
    withheld: tuple[str, ...] = field(default=())
    """Sentences that the verifier refused, for the log."""
