"""From the text of a question to its interpretation: normalise, take out names, times and numbers, segment, fill slots, judge."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from services.ai_agent.domain.interpretation import Intent, Interpretation
from services.ai_agent.domain.nlq.grounds import gather
from services.ai_agent.domain.nlq.intents import judge
from services.ai_agent.domain.nlq.lexicon import Lexicon
from services.ai_agent.domain.nlq.names import FoundNames, NameIndex
from services.ai_agent.domain.nlq.quantities import find_numbers
from services.ai_agent.domain.nlq.roles import as_known
from services.ai_agent.domain.nlq.segment import TAKEN, Token, correct_korean, segment
from services.ai_agent.domain.nlq.settle import settle
from services.ai_agent.domain.nlq.slots import read_slots
from services.ai_agent.domain.nlq.text import normalise
from services.ai_agent.domain.nlq.times import FoundTime, TimeGrammar
from services.ai_agent.domain.ports import Inventory

_P95 = re.compile(r"(?<!\d)95(?:th)?[ -]?(?:percentile|백분위수?|\s*백분위수?|\s*퍼센타일|\s*분위수?)")
_EMPTY_KINDS = frozenset({"noise", "unknown", "ood", "action", "number", "negation", "unread_time"})
"""Kinds that carry no meaning by themselves: numbers and negations only where a slot has used them."""


@dataclass(frozen=True)
class Surroundings:
    """What a question is read against: the servers there are, what "now" is, and the asker's zone."""

    inventory: Inventory
    now_ms: int
    zone: tzinfo


class Understander:
    """Reads questions with one lexicon; keeps nothing between them but the index of the last inventory."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._index: tuple[tuple[tuple[str, str, str], ...], NameIndex] | None = None

    def understand(self, query: str, around: Surroundings) -> Interpretation:
        """The interpretation of the question; never fails: what is not understood is listed as such."""
        text = normalise(query)
        names = self._names(around.inventory).find(text, self._lexicon)
        time = TimeGrammar(around.now_ms, around.zone).find(names.text)
        masked, percentile = _take_p95(time.text)
        masked, numbers = find_numbers(masked)
        words = correct_korean(segment(masked, self._lexicon), self._lexicon)
        words = [as_known(token, around.inventory, self._lexicon) for token in words]
        tokens = sorted([*words, *names.tokens, *time.tokens, *percentile, *numbers], key=lambda token: token.start)
        return _interpret(text, tokens, names, time, around.inventory, self._lexicon)

    def _names(self, inventory: Inventory) -> NameIndex:
        known = tuple((server.name, server.role, server.site) for server in inventory.servers)
        if self._index is None or self._index[0] != known:
            self._index = (known, NameIndex.build(inventory, self._lexicon))
        return self._index[1]


def _interpret(
    text: str, tokens: Sequence[Token], names: FoundNames, time: FoundTime, inventory: Inventory, lexicon: Lexicon
) -> Interpretation:
    slots = read_slots(text, tokens, inventory, lexicon)
    grounds = gather(tokens, slots, names, time, lexicon)
    verdict = judge(grounds)
    named = (token.value for token in names.tokens if token.kind == "name" and token.value not in slots.excluded)
    result = settle(
        Interpretation(
            intent=verdict.intent,
            time=time.time,
            unread_times=time.unread,
            metric=slots.metric or (slots.conditions[0].metric if slots.conditions else None),
            more_metrics=slots.more_metrics,
            direction=slots.direction,
            servers=tuple(dict.fromkeys(named)),
            excluded=slots.excluded,
            unknown_servers=names.unknown,
            roles=slots.roles,
            sites=slots.sites,
            conditions=slots.conditions,
            either=slots.either,
            limit=slots.limit,
            order=slots.order,
            aggregation=slots.aggregation,
            horizon_seconds=time.horizon_seconds,
            duration_seconds=time.duration_seconds,
            severity=slots.severity,
            by_role=grounds.role_words > 0,
            confidence=verdict.confidence,
            grounds=verdict.grounds,
        )
    )
    return _with_words(result, tokens, slots.used)


def _with_words(result: Interpretation, tokens: Sequence[Token], used: Sequence[Token]) -> Interpretation:
    """The interpretation with the pieces of the question that were understood, and those that were not."""
    places = {token.start for token in used} | {token.start for token in tokens if token.kind not in _EMPTY_KINDS}
    if result.intent is Intent.OUT_OF_SCOPE:
        places = {token.start for token in tokens if token.kind in ("name", "metric", "server", "time")}
    return replace(
        result,
        understood=tuple(dict.fromkeys(token.surface for token in tokens if token.start in places)),
        not_understood=tuple(
            dict.fromkeys(
                token.surface
                for token in tokens
                if token.start not in places and token.kind in _EMPTY_KINDS and token.kind != "noise"
            )
        ),
    )


def _take_p95(text: str) -> tuple[str, list[Token]]:
    match = _P95.search(text)
    if match is None:
        return text, []
    token = Token("aggregation", "p95", match.start(), match.end(), match[0])
    return text[: match.start()] + TAKEN * (match.end() - match.start()) + text[match.end() :], [token]
