"""What the tokens of a question fill in: metrics, thresholds, how many, which way round, which figure of many."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from services.ai_agent.domain.interpretation import MIRRORED, Aggregation, Condition, Direction, Order
from services.ai_agent.domain.nlq.lexicon import Lexicon
from services.ai_agent.domain.nlq.roles import find_roles, find_sites
from services.ai_agent.domain.nlq.segment import Token
from services.ai_agent.domain.nlq.thresholds import Threshold, find_between, find_thresholds
from services.ai_agent.domain.ports import Inventory

_JOINT = re.compile(r"\s*(?:이?랑|과|와|하고|,|및|그리고|and|&|/|\+|(?P<either>이?나|or|또는|혹은))\s*")
_PERCENT_METRICS = frozenset({"cpu", "memory", "disk", "swap"})


@dataclass(frozen=True)
class Slots:
    """Everything that the tokens fill in; `used` are the tokens that did, `spent` the places of those in thresholds."""

    metric: str | None
    more_metrics: tuple[str, ...]
    direction: Direction | None
    conditions: tuple[Condition, ...]
    either: bool
    limit: int | None
    order: Order | None
    order_parts: tuple[Token, ...]
    aggregation: Aggregation | None
    excluded: tuple[str, ...]
    roles: tuple[str, ...]
    sites: tuple[str, ...]
    severity: str | None
    used: tuple[Token, ...]
    spent: frozenset[int]


def read_slots(text: str, tokens: Sequence[Token], inventory: Inventory, lexicon: Lexicon) -> Slots:
    """The slots of the normalised text with these tokens."""
    excluded, excluded_parts = find_excluded(tokens)
    metrics, metric_parts = find_metrics(tokens)
    direction, metric, direction_parts = find_direction(tokens, metrics[0] if metrics else None)
    thresholds = find_between(text, tokens, metric) or find_thresholds(tokens, metric)
    parts = [part for threshold in thresholds for part in threshold.tokens]
    spent = frozenset(part.start for part in parts)
    limit, limit_parts = find_limit(tokens, thresholds)
    aggregation, aggregation_parts = find_aggregation(tokens)
    order, order_parts = find_order([token for token in tokens if token.start not in spent], metric)
    roles, role_parts = find_roles(tokens, inventory, lexicon)
    conditions = tuple(_completed(threshold, metric) for threshold in thresholds)
    shared, either = find_shared(text, tokens, thresholds)
    conditions = (*(replace(conditions[0], metric=name) for name in shared), *conditions)
    inverse = any(token.kind == "inverse" or (token.kind == "compare" and "남" in token.surface) for token in tokens)
    if inverse and metric in _PERCENT_METRICS:
        # What is free is the rest of what is used: "less than 20 % free" is more than 80 % used.
        conditions = tuple(Condition(each.metric, MIRRORED[each.op], 100.0 - each.value) for each in conditions)
        order = {"asc": "desc", "desc": "asc", None: None}[order]
    return Slots(
        metric=metric,
        more_metrics=metrics[1:],
        direction=direction,
        conditions=conditions,
        either=len(conditions) > 1 and (either or any(token.kind == "either" for token in tokens)),
        limit=limit,
        order=order,
        order_parts=order_parts,
        aggregation=aggregation,
        excluded=excluded,
        roles=roles,
        sites=find_sites(tokens, inventory),
        severity=next((token.value for token in tokens if token.kind == "severity"), None),
        used=(*excluded_parts, *metric_parts, *direction_parts, *parts, *limit_parts, *aggregation_parts, *role_parts),
        spent=spent,
    )


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


def find_shared(text: str, tokens: Sequence[Token], thresholds: Sequence[Threshold]) -> tuple[tuple[str, ...], bool]:
    """Metrics that share the one threshold of the metric beside them, and whether one of them suffices: "CPU나 메모리 80% 넘는"."""
    if len(thresholds) != 1 or thresholds[0].condition.metric is None:
        return (), False
    tokens = list(tokens)
    number = next(index for index, token in enumerate(tokens) if token in thresholds[0].tokens and token.kind == "number")
    nouns = [index for index, token in enumerate(tokens[:number]) if token.kind == "metric"]
    found: list[str] = []
    either = False
    for place, following in reversed(list(pairwise(nouns))):
        joint = _JOINT.fullmatch(text, tokens[place].end, tokens[following].start)
        if joint is None:
            break
        either = either or joint["either"] is not None
        found.insert(0, tokens[place].value)
    return tuple(dict.fromkeys(name for name in found if name != thresholds[0].condition.metric)), either


def _completed(threshold: Threshold, metric: str | None) -> Condition:
    """The condition with the metric that its unit implies when the question names none."""
    if threshold.condition.metric is not None:
        return threshold.condition
    unit = next((part.unit for part in threshold.tokens if part.kind == "number"), None)
    implied = {"ms": "latency", "celsius": "temperature", "bytes": "network"}.get(unit or "", metric or "cpu")
    return replace(threshold.condition, metric=implied)


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
    number = abs(token.number or 0.0)  # "top -3", as tools on the command line write it
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
        place = tokens.index(adjective)
        turned = place > 0 and tokens[place - 1].kind == "negation"  # "안 높은"
        return ("asc" if (adjective.kind == "low") != turned else "desc"), (adjective,)
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
