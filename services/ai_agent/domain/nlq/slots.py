"""What the tokens of a question fill in: thresholds, how many, which way round, which figure of many."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.ai_agent.domain.interpretation import NEGATED, Aggregation, Condition, Direction, Operator, Order
from services.ai_agent.domain.nlq.segment import Token

_OPERATORS: dict[str, Operator] = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "=="}
_CONDITIONAL: tuple[tuple[str, Operator], ...] = (
    ("넘", ">"), ("초과", ">"), ("올라", ">"), ("높아", ">"), ("이상", ">="), ("이하", "<="), ("미만", "<"), ("떨어", "<"), ("내려", "<"),
)  # fmt: skip
"""Endings in -면 ("when it goes beyond") that name the condition of a rule."""
_POSTFIX_ENGLISH = ("or ", "and ")


@dataclass(frozen=True)
class Threshold:
    """A comparison with its number and the tokens that say so."""

    condition: Condition
    tokens: tuple[Token, ...]


def find_metrics(tokens: Sequence[Token]) -> tuple[tuple[str, ...], tuple[Token, ...]]:
    """The concepts that the question names, in order, and the tokens that say so.

    A word such as "slowest" names its metric itself. "load" (부하) beside another metric is that metric's, in its everyday sense.
    """
    named = [token for token in tokens if token.kind == "metric"]
    if named:
        strong = [token for token in named if token.value != "load"] or named
        return tuple(dict.fromkeys(token.value for token in strong)), tuple(named)
    ranked = [token for token in tokens if token.kind == "ranked_metric"]
    if ranked:
        return (ranked[0].value.rsplit("_", 1)[0],), (ranked[0],)
    return (), ()


def find_thresholds(tokens: Sequence[Token], metric: str | None) -> list[Threshold]:
    """Each comparison with the number that belongs to it: before it in Korean ("80% 넘는"), after it in English ("over 80")."""
    tokens = list(tokens)
    numbers = [index for index, token in enumerate(tokens) if token.kind == "number" and token.unit != "count"]
    used: set[int] = set()
    found: list[Threshold] = []
    for index, token in enumerate(tokens):
        operator = _operator(tokens, index)
        if operator is None:
            continue
        behind = [n for n in numbers if n < index and n not in used and index - n <= 4]
        ahead = [n for n in numbers if n > index and n not in used and n - index <= 4]
        postfix = token.is_korean or token.surface.startswith(_POSTFIX_ENGLISH)
        candidates = (behind[-1:] + ahead[:1]) if postfix else (ahead[:1] + behind[-1:])
        if not candidates:
            continue
        number = candidates[0]
        used.add(number)
        negation = _negation(tokens, index)
        parts = (tokens[number], token) if negation is None else (tokens[number], token, tokens[negation])
        found.append(_threshold(tokens, number, operator, parts, metric))
    for number in numbers:
        token = tokens[number]
        if number in used:
            continue
        if token.value == "plus":
            found.append(_threshold(tokens, number, ">=", (token,), metric))
            used.add(number)
    return found


def find_between(text: str, tokens: Sequence[Token], metric: str | None) -> list[Threshold]:
    """Both bounds of "between 40 and 60 percent" or "40에서 60% 사이"; empty when the question has no such pair."""
    numbers = [token for token in tokens if token.kind == "number" and token.unit != "count"]
    for low, high in pairwise(numbers):
        gap = text[low.end : high.start].strip()
        before, after = text[: low.start].rstrip(), text[high.end :].lstrip()
        english = before.endswith("between") and gap in ("and", "to", "-")
        korean = gap in ("에서", "-", "~", "부터", "와", "과") and (after.startswith(("사이", "구간", "까지의")) or gap in ("~",))
        if (english or korean) and low.number is not None and high.number is not None and low.number < high.number:
            concept = _nearest_metric(list(tokens), list(tokens).index(low)) or metric
            return [
                Threshold(Condition(concept, ">=", low.number), (low,)),
                Threshold(Condition(concept, "<=", high.number), (high,)),
            ]
    return []


def _threshold(tokens: list[Token], number: int, operator: Operator, parts: tuple[Token, ...], metric: str | None) -> Threshold:
    token = tokens[number]
    concept = _nearest_metric(tokens, number) or metric
    return Threshold(Condition(concept, operator, token.number or 0.0), parts)


def _operator(tokens: list[Token], index: int) -> Operator | None:
    token = tokens[index]
    operator: Operator | None = None
    if token.kind == "compare":
        operator = _OPERATORS[token.value]
    elif token.kind == "either" and token.surface == "넘거나":
        operator = ">"
    elif token.kind == "later" and token.value == "create_alert":
        operator = next((op for stem, op in _CONDITIONAL if token.surface.startswith(stem)), None)
    elif token.kind == "status" and token.surface == "이상" and _number_before(tokens, index):
        operator = ">="
    elif token.kind in ("high", "low") and _number_before(tokens, index):
        operator = ">" if token.kind == "high" else "<"
    if operator is None:
        return None
    return NEGATED[operator] if _negation(tokens, index) is not None and operator != "==" else operator


def _number_before(tokens: list[Token], index: int) -> bool:
    return index > 0 and tokens[index - 1].kind == "number" and tokens[index - 1].unit != "count"


def _negation(tokens: list[Token], index: int) -> int | None:
    """Where the word stands that turns the comparison round: before it ("not above"), or behind it in Korean ("이상이 아닌")."""
    before = index - 1
    while before >= 0 and tokens[before].kind == "noise":
        before -= 1
    if before >= 0 and tokens[before].kind == "negation":
        return before
    after = index + 1
    return after if after < len(tokens) and tokens[after].kind == "negation" and tokens[after].is_korean else None


def _nearest_metric(tokens: list[Token], number: int) -> str | None:
    """The metric named last before the number, else the first one after it."""
    before = next((token.value for token in reversed(tokens[:number]) if token.kind == "metric"), None)
    return before or next((token.value for token in tokens[number:] if token.kind == "metric"), None)


def find_limit(tokens: Sequence[Token], thresholds: Sequence[Threshold]) -> tuple[int | None, tuple[Token, ...]]:
    """How many servers are wanted: a number that counts servers, or a bare one beside "top"."""
    spent = {part.start for threshold in thresholds for part in threshold.tokens}
    tokens = list(tokens)
    free = [token for token in tokens if token.kind == "number" and token.start not in spent and token.number is not None]
    for token in free:
        if token.unit == "count" and _whole(token) and not token.surface.endswith("기"):
            return _whole(token), (token,)
    for token in free:
        index = tokens.index(token)
        neighbours = tokens[max(0, index - 2) : index] + tokens[index + 1 : index + 2]
        if token.unit is None and _whole(token) and any(near.kind in ("order", "superlative", "server") for near in neighbours):
            return _whole(token), (token,)
    return None, ()


def _whole(token: Token) -> int:
    number = token.number or 0.0
    return int(number) if number == int(number) and 1 <= number <= 10_000 else 0


def find_order(tokens: Sequence[Token], metric: str | None) -> tuple[Order | None, tuple[Token, ...]]:
    """Which end of the ranking is wanted, when the question ranks."""
    tokens = list(tokens)
    ranked = next((token for token in tokens if token.kind == "ranked_metric"), None)
    ordered = [token for token in tokens if token.kind == "order"]
    superlative = next((token for token in tokens if token.kind == "superlative"), None)
    adjective = next((token for token in tokens if token.kind in ("high", "low")), None)
    if ranked is not None and not ordered:
        return ("asc" if ranked.value.endswith("asc") else "desc"), (ranked,)
    if superlative is not None and adjective is not None:
        lowest = (adjective.kind == "low") != (superlative.value == "least")
        return ("asc" if lowest else "desc"), (superlative, adjective)
    if ordered:
        chosen = next((token for token in ordered if token.value != "sort"), ordered[0])
        lowest = chosen.value == "asc" or (adjective is not None and adjective.kind == "low" and chosen.value != "asc")
        return ("asc" if lowest else "desc"), (chosen, *((adjective,) if adjective is not None else ()))
    if superlative is not None:
        return ("asc" if superlative.value == "least" else "desc"), (superlative,)
    if adjective is not None and metric is not None:
        return ("asc" if adjective.kind == "low" else "desc"), (adjective,)
    return None, ()


def find_aggregation(tokens: Sequence[Token]) -> tuple[Aggregation | None, tuple[Token, ...]]:
    """Which figure of many is wanted."""
    for token in tokens:
        if token.kind == "aggregation":
            names: dict[str, Aggregation] = {"avg": "avg", "max": "max", "min": "min", "sum": "sum", "p95": "p95", "last": "last"}
            return names[token.value], (token,)
    return None, ()


def find_direction(tokens: Sequence[Token], metric: str | None) -> tuple[Direction | None, str | None, tuple[Token, ...]]:
    """Which way traffic flows, and the metric when only the direction names it."""
    for token in tokens:
        if token.kind == "direction" and metric in (None, "network"):
            return ("in" if token.value == "in" else "out"), "network", (token,)
    return None, metric, ()


def find_excluded(tokens: Sequence[Token]) -> tuple[tuple[str, ...], tuple[Token, ...]]:
    """Servers that are named to be left out: "except web-01", "web-01 빼고"."""
    found: dict[str, None] = {}
    parts: list[Token] = []
    for index, token in enumerate(tokens):
        if token.kind != "exclusion":
            continue
        step, place = (-1, index - 1) if token.is_korean else (1, index + 1)
        while 0 <= place < len(tokens) and tokens[place].kind in ("name", "noise", "server"):
            if tokens[place].kind == "name":
                found[tokens[place].value] = None
            place += step
        parts.append(token)
    return tuple(found), tuple(parts)
