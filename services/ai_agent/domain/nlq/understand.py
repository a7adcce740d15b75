"""From the text of a question to its interpretation: normalise, take out names, times and numbers, segment, fill slots, judge."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from services.ai_agent.domain.interpretation import Condition, Intent, Interpretation, Operator
from services.ai_agent.domain.nlq.intents import Grounds, judge
from services.ai_agent.domain.nlq.lexicon import Lexicon
from services.ai_agent.domain.nlq.names import FoundNames, NameIndex
from services.ai_agent.domain.nlq.quantities import find_numbers
from services.ai_agent.domain.nlq.roles import as_known, find_roles
from services.ai_agent.domain.nlq.segment import TAKEN, Token, correct_korean, segment
from services.ai_agent.domain.nlq.slots import (
    Threshold,
    find_aggregation,
    find_between,
    find_direction,
    find_excluded,
    find_limit,
    find_metrics,
    find_order,
    find_thresholds,
)
from services.ai_agent.domain.nlq.text import normalise
from services.ai_agent.domain.nlq.times import FoundTime, TimeGrammar
from services.ai_agent.domain.ports import Inventory, names_of

_P95 = re.compile(r"(?<!\d)95(?:th)?[ -]?(?:percentile|백분위수?|\s*백분위수?|\s*퍼센타일|\s*분위수?)")
_SERVER_WORD = re.compile(r"서버|장비|호스트|노드|server|host|machine")
_WEAK_SURFACES = frozenset(
    {
        "memory",
        "traffic",
        "storage",
        "load",
        "delay",
        "temperature",
        "temp",
        "용량",
        "지연",
        "온도",
        "부하",
        "로드",
        "트래픽",
        "하드",
        "멤",
        "ram",
        "cores",
        "bandwidth",
    }
)
_MIRRORED: dict[Operator, Operator] = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "=="}
_PERCENT_METRICS = frozenset({"cpu", "memory", "disk", "swap"})
_SLOT_KINDS = frozenset(
    [
        "metric",
        "ranked_metric",
        "server",
        "fleet",
        "role",
        "superlative",
        "high",
        "low",
        "order",
        "aggregation",
        "compare",
        "negation",
        "direction",
        "status",
        "inventory",
        "help",
        "later",
        "severity",
        "inverse",
        "name",
        "number",
        "time",
        "question",
    ]
)


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
        self._index: tuple[tuple[str, ...], NameIndex] | None = None

    def understand(self, query: str, around: Surroundings) -> Interpretation:
        """The interpretation of the question; never fails: what is not understood is listed as such."""
        text = normalise(query)
        names = self._names(around.inventory).find(text, self._lexicon)
        time = TimeGrammar(around.now_ms, around.zone).find(names.text)
        masked, percentile = _take_p95(time.text)
        masked, numbers = find_numbers(masked)
        words = correct_korean(segment(masked, self._lexicon), self._lexicon)
        words = [as_known(token, around.inventory) for token in words]
        tokens = sorted([*words, *names.tokens, *time.tokens, *percentile, *numbers], key=lambda token: token.start)
        return _interpret(text, tokens, names, time, around.inventory, self._lexicon)

    def _names(self, inventory: Inventory) -> NameIndex:
        servers = names_of(inventory.servers)
        if self._index is None or self._index[0] != servers:
            self._index = (servers, NameIndex.build(servers, self._lexicon))
        return self._index[1]


def _interpret(
    text: str, tokens: Sequence[Token], names: FoundNames, time: FoundTime, inventory: Inventory, lexicon: Lexicon
) -> Interpretation:
    used: list[Token] = [token for token in tokens if token.kind in ("name", "unknown_name", "time")]
    excluded, parts = find_excluded(tokens)
    used += parts
    metrics, parts = find_metrics(tokens)
    metric = metrics[0] if metrics else None
    used += parts
    direction, metric, parts = find_direction(tokens, metric)
    used += parts
    thresholds = find_between(text, tokens, metric) or find_thresholds(tokens, metric)
    used += [part for threshold in thresholds for part in threshold.tokens]
    limit, limit_parts = find_limit(tokens, thresholds)
    aggregation, aggregation_parts = find_aggregation(tokens)
    spent = {part.start for threshold in thresholds for part in threshold.tokens}
    order, order_parts = find_order([token for token in tokens if token.start not in spent], metric)
    roles, role_parts = find_roles(tokens, inventory, lexicon)
    used += [*limit_parts, *aggregation_parts, *role_parts]
    inverse = [token for token in tokens if token.kind == "inverse"]
    conditions = tuple(_completed(threshold.condition, threshold.tokens, metric) for threshold in thresholds)
    if inverse and metric in _PERCENT_METRICS:
        conditions = tuple(Condition(each.metric, _MIRRORED[each.op], 100.0 - each.value) for each in conditions)
        order = {"asc": "desc", "desc": "asc", None: None}[order]
        used += inverse
    grounds = _grounds(tokens, names, excluded, time, metric, thresholds, order, order_parts, limit, aggregation, roles, spent)
    verdict = judge(grounds)
    intent = verdict.intent
    result = Interpretation(
        intent=intent,
        time=time.time,
        metric=metric or (conditions[0].metric if conditions else None),
        more_metrics=metrics[1:],
        direction=direction,
        servers=tuple(dict.fromkeys(token.value for token in names.tokens if token.kind == "name" and token.value not in excluded)),
        excluded=excluded,
        unknown_servers=names.unknown,
        roles=roles,
        conditions=conditions,
        either=len(conditions) > 1 and any(token.kind == "either" for token in tokens),
        limit=limit,
        order=order,
        aggregation=aggregation,
        horizon_seconds=time.horizon_seconds,
        duration_seconds=time.duration_seconds,
        severity=next((token.value for token in tokens if token.kind == "severity"), None),
        by_role=grounds.role_words > 0,
        confidence=verdict.confidence,
        grounds=verdict.grounds,
    )
    result = _settled(result)
    if result.order is not None:
        used += order_parts
    understood = [*used, *(token for token in tokens if token.kind in _SLOT_KINDS and token.kind not in ("number", "negation"))]
    if intent is Intent.OUT_OF_SCOPE:
        understood = [token for token in understood if token.kind in ("name", "metric", "server", "time")]
    places = {token.start for token in understood}
    return replace(
        result,
        understood=tuple(dict.fromkeys(token.surface for token in sorted(understood, key=lambda token: token.start))),
        not_understood=tuple(
            dict.fromkeys(
                token.surface
                for token in tokens
                if token.start not in places and token.kind in ("unknown", "number", "ood", "negation", "action")
            )
        ),
    )


def _settled(result: Interpretation) -> Interpretation:
    """Slots that only make sense with some intents are emptied with the others, and defaults are filled in."""
    intent = result.intent
    if intent is Intent.TOP_SERVERS:
        order = result.order or ("asc" if result.aggregation == "min" else "desc")
        extreme = result.aggregation in ("max", "min") and result.time.kind != "range"
        # "of the servers over 80 % cpu those with the most memory": what is not compared is what ranks.
        compared = {condition.metric for condition in result.conditions}
        named = [name for name in (result.metric, *result.more_metrics) if name is not None]
        ranks = next((name for name in named if name not in compared), result.metric or "cpu")
        aggregation = None if extreme else result.aggregation
        return replace(result, metric=ranks, more_metrics=(), order=order, aggregation=aggregation)
    if intent is Intent.FILTER_SERVERS:
        return replace(result, order=None, metric=result.metric or "cpu", more_metrics=())
    if intent is Intent.METRIC_VALUE:
        # "the highest cpu of web-01" ranks moments, not servers.
        aggregation = result.aggregation
        if aggregation is None and "ranks" in result.grounds:
            aggregation = "min" if result.order == "asc" else "max"
        return replace(result, order=None, limit=None, aggregation=aggregation)
    if intent is Intent.OUT_OF_SCOPE or intent is Intent.HELP:
        return replace(
            result, metric=None, more_metrics=(), conditions=(), limit=None, order=None, aggregation=None, direction=None
        )
    if intent in (Intent.FLEET_STATUS, Intent.SERVER_STATUS, Intent.INVENTORY):
        return replace(result, limit=None, order=None, aggregation=None)
    return replace(result, order=None)


def _completed(condition: Condition, parts: Sequence[Token], metric: str | None) -> Condition:
    """The condition with the metric that its unit implies when the question names none."""
    if condition.metric is not None:
        return condition
    unit = next((part.unit for part in parts if part.kind == "number"), None)
    implied = {"ms": "latency", "celsius": "temperature", "bytes": "network"}.get(unit or "", metric or "cpu")
    return replace(condition, metric=implied)


def _grounds(
    tokens: Sequence[Token],
    names: FoundNames,
    excluded: Sequence[str],
    time: FoundTime,
    metric: str | None,
    thresholds: Sequence[Threshold],
    order: str | None,
    order_parts: Sequence[Token],
    limit: int | None,
    aggregation: str | None,
    roles: Sequence[str],
    spent: set[int],
) -> Grounds:
    free = [token for token in tokens if token.start not in spent]

    def count(kind: str, value: str | None = None) -> int:
        return sum(1 for token in free if token.kind == kind and value in (None, token.value))

    metrics = [token for token in tokens if token.kind in ("metric", "ranked_metric", "direction")]
    weak = [token for token in metrics if token.surface in _WEAK_SURFACES or token.kind != "metric"]
    servers = [
        token
        for token in tokens
        if token.kind == "server" or (token.kind in ("inventory", "question") and _SERVER_WORD.search(token.surface))
    ]
    ranked = any(token.kind in ("superlative", "order", "ranked_metric") for token in order_parts)
    later: dict[str, int] = {}
    for token in tokens:
        if token.kind == "later":
            later[token.value] = later.get(token.value, 0) + 1
    named = [token for token in names.tokens if token.kind == "name" and token.value not in excluded]
    which = count("question", "which")
    return Grounds(
        names=len({token.value for token in named}),
        unknown_names=len(names.unknown),
        servers=len(servers) + len(excluded),
        fleet=count("fleet", "all"),
        groups=count("fleet", "noun"),
        roles=len(roles),
        metrics=(1 if metric is not None else 0),
        weak_metrics=1 if metric is not None and len(weak) == len(metrics) else 0,
        thresholds=len(thresholds),
        order=order is not None and ranked,
        adjective_order=order is not None and not ranked,
        limit=limit is not None,
        extreme=aggregation in ("max", "min")
        and metric is not None
        and bool(which or _ends_with_server(tokens))
        and count("fleet") == 0,
        aggregation=aggregation is not None,
        state=count("status", "state"),
        ask=count("status", "ask"),
        good=count("status", "good"),
        bad=count("status", "bad"),
        listing=count("inventory", "list"),
        role_words=count("inventory", "roles"),
        count=count("inventory", "count"),
        which=which,
        amount=count("question", "amount"),
        help=count("help"),
        action=count("action"),
        foreign=count("ood"),
        unknown=sum(0.5 if len(token.surface) < 2 else 1.0 for token in free if token.kind == "unknown"),
        timed=not time.time.assumed,
        ranged=time.time.kind != "now",
        later=later,
    )


def _ends_with_server(tokens: Sequence[Token]) -> bool:
    """What stands last is what is wanted: "CPU 최고 서버" asks for a server, "서버 최고 CPU" for a figure."""
    nouns = [token for token in tokens if token.kind in ("metric", "server")]
    return bool(nouns) and nouns[-1].kind == "server" and not nouns[-1].surface.endswith("s")


def _take_p95(text: str) -> tuple[str, list[Token]]:
    match = _P95.search(text)
    if match is None:
        return text, []
    token = Token("aggregation", "p95", match.start(), match.end(), match[0])
    return text[: match.start()] + TAKEN * (match.end() - match.start()) + text[match.end() :], [token]
