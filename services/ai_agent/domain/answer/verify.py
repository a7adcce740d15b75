"""The last door of an answer: no number leaves that its evidence does not bear out.

Whoever wrote the text, every number in it must be a figure of the evidence rounded as printed, or stand inside a name. A sentence
with any other number is withheld.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.ai_agent.domain.answer.model import Draft, Evidence, Sentence

_NUMBER = re.compile(r"[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")


@dataclass(frozen=True)
class Verified:
    """The sentences that hold, the evidence they need, and the sentences that do not hold."""

    sentences: tuple[str, ...]
    recommendations: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    withheld: tuple[str, ...]


def verify(draft: Draft, names: Iterable[str]) -> Verified:
    """Keep what the evidence bears out.

    Args:
        draft: what is to be said; each sentence is held against its own evidence.
        names: names of servers, roles and series, whose digits are no figures.
    """
    pattern = _names_pattern(names)
    kept: list[Sentence] = []
    withheld: list[str] = []
    for sentence in draft.sentences:
        if unproved(sentence.text, sentence.evidence, pattern):
            withheld.append(sentence.text)
        else:
            kept.append(sentence)
    advice = [sentence for sentence in draft.recommendations if not unproved(sentence.text, sentence.evidence, pattern)]
    withheld += [sentence.text for sentence in draft.recommendations if sentence not in advice]
    evidence = dict.fromkeys(item for sentence in (*kept, *advice) for item in sentence.evidence)
    told = sorted(evidence, key=lambda item: item.samples == 0)  # constants of the question come after what was read
    return Verified(tuple(s.text for s in kept), tuple(s.text for s in advice), tuple(told), tuple(withheld))


def unproved(text: str, evidence: Sequence[Evidence], names: "re.Pattern[str] | None" = None) -> list[str]:
    """The numbers in the text that no figure of the evidence rounds to."""
    if names is not None:
        text = names.sub(" ", text)
    return [match[0] for match in _NUMBER.finditer(text) if not any(_rounds_to(item.value, match[0]) for item in evidence)]


def _rounds_to(value: float, printed: str) -> bool:
    number = printed.replace(",", "").replace("−", "-")
    decimals = len(number.partition(".")[2])
    half = 0.5 * 10.0**-decimals
    return math.isfinite(value) and any(
        abs(candidate - float(number)) <= half * (1 + 1e-9) + abs(value) * 1e-12 for candidate in (value, abs(value))
    )


def _names_pattern(names: Iterable[str]) -> "re.Pattern[str] | None":
    known = sorted({name for name in names if any(char.isdigit() for char in name)}, key=len, reverse=True)
    if not known:
        return None
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, known))})(?![a-zA-Z0-9_])")
