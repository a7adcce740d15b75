"""Counting what a question holds, for the judge of intents."""

import re
from collections.abc import Sequence

from services.ai_agent.domain.nlq.intents import Grounds
from services.ai_agent.domain.nlq.lexicon import Lexicon
from services.ai_agent.domain.nlq.names import FoundNames
from services.ai_agent.domain.nlq.segment import Token
from services.ai_agent.domain.nlq.slots import Slots
from services.ai_agent.domain.nlq.times import FoundTime

_SERVER_WORD = re.compile(r"서버|장비|호스트|노드|server|host|machine")


def gather(tokens: Sequence[Token], slots: Slots, names: FoundNames, time: FoundTime, lexicon: Lexicon) -> Grounds:
    """The grounds in these tokens; words that a threshold has used up speak for nothing else."""
    free = [token for token in tokens if token.start not in slots.spent]
    metric, order, excluded = slots.metric, slots.order, slots.excluded

    def count(kind: str, value: str | None = None) -> int:
        return sum(1 for token in free if token.kind == kind and value in (None, token.value))

    metrics = [token for token in tokens if token.kind in ("metric", "ranked_metric", "direction")]
    weak = [token for token in metrics if token.surface in lexicon.weak or token.kind != "metric"]
    servers = [
        token
        for token in tokens
        if token.kind == "server" or (token.kind in ("inventory", "question") and _SERVER_WORD.search(token.surface))
    ]
    # "is web-01 slow?" asks for a figure, "slowest" ranks.
    ranks_alone = not any(token.kind == "name" for token in names.tokens)
    ranked = any(
        token.kind in ("superlative", "order") or (token.kind == "ranked_metric" and (ranks_alone or token.surface.endswith("est")))
        for token in slots.order_parts
    )
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
        roles=len(slots.roles),
        metrics=(1 if metric is not None else 0),
        weak_metrics=1 if metric is not None and len(weak) == len(metrics) else 0,
        thresholds=len(slots.conditions),
        order=order is not None and ranked,
        ranked_apart=order is not None
        and ranked
        and bool(slots.conditions)
        and any(name not in {each.metric for each in slots.conditions} for name in (metric, *slots.more_metrics) if name),
        adjective_order=order is not None and not ranked,
        limit=slots.limit is not None,
        extreme=slots.aggregation in ("max", "min")
        and metric is not None
        and bool(which or _ends_with_server(tokens))
        and count("fleet") == 0,
        aggregation=slots.aggregation is not None,
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
        # A place beside nothing but an everyday word ("the temperature in Seoul") is no site of ours.
        unknown=(count("site") if not (servers or named or slots.roles or len(weak) < len(metrics)) else 0)
        + sum(0.5 if len(token.surface) < 2 else 1.0 for token in free if token.kind == "unknown"),
        timed=not time.time.assumed or bool(time.unread),
        ranged=time.time.kind != "now",
        later=later,
    )


def _ends_with_server(tokens: Sequence[Token]) -> bool:
    """What stands last is what is wanted: "CPU 최고 서버" asks for a server, "서버 최고 CPU" for a figure."""
    nouns = [token for token in tokens if token.kind in ("metric", "server")]
    return bool(nouns) and nouns[-1].kind == "server" and not nouns[-1].surface.endswith("s")
