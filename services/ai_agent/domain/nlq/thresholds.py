"""Thresholds in a question: comparisons, the numbers they compare with, and what turns them round."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.ai_agent.domain.interpretation import MIRRORED, NEGATED, Condition, Operator
from services.ai_agent.domain.nlq.segment import Token

_OPERATORS: dict[str, Operator] = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "=="}
_CONDITIONAL: tuple[tuple[str, Operator], ...] = (
    ("넘", ">"), ("초과", ">"), ("올라", ">"), ("높아", ">"), ("이상", ">="), ("이하", "<="), ("미만", "<"), ("떨어", "<"), ("내려", "<"),
)  # fmt: skip
"""Endings in -면 ("when it goes beyond") that name the condition of a rule."""
_SYMBOLS = (">", ">=", "=>", "≥", "<", "<=", "=<", "≤")
_POSTFIX_ENGLISH = ("or ", "and ")


@dataclass(frozen=True)
class Threshold:
    """A comparison with its number and the tokens that say so."""

    condition: Condition
    tokens: tuple[Token, ...]


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
        if (
            token.surface in _SYMBOLS
            and behind[-1:] == [index - 1]
            and index + 1 < len(tokens)
            and tokens[index + 1].kind == "metric"
        ):
            operator, ahead = MIRRORED[operator], []  # "20 % < cpu"
        candidates = (behind[-1:] + ahead[:1]) if postfix else (ahead[:1] + behind[-1:])
        if not candidates:
            continue
        number = candidates[0]
        used.add(number)
        negation = _negation(tokens, index)
        parts = (tokens[number], token) if negation is None else (tokens[number], token, tokens[negation])
        found.append(_threshold(tokens, number, operator, parts, metric))
    rising = [number for number in numbers if number not in used and tokens[number].value == "plus"]  # "80%+"
    return found + [_threshold(tokens, number, ">=", (tokens[number],), metric) for number in rising]


def find_between(text: str, tokens: Sequence[Token], metric: str | None) -> list[Threshold]:
    """Both bounds of "between 40 and 60 percent" or "40에서 60% 사이"; empty when the question has no such pair."""
    numbers = [token for token in tokens if token.kind == "number" and token.unit != "count"]
    for low, high in pairwise(numbers):
        gap = text[low.end : high.start].strip()
        before, after = text[: low.start].rstrip(), text[high.end :].lstrip()
        english = before.endswith(("between", "from")) and gap in ("and", "to", "-")
        korean = gap in ("에서", "부터", "와", "과") and after.startswith(("사이", "구간", "까지의"))
        korean = korean or (gap in ("-", "~") and high.unit is not None)
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
    elif token.kind == "status" and token.surface.startswith("이상") and _number_before(tokens, index):
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
