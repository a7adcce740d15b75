"""Making slots and intent agree: what an intent has no use for is emptied, what it needs gets its default."""

from dataclasses import replace

from services.ai_agent.domain.interpretation import Intent, Interpretation


def settle(result: Interpretation) -> Interpretation:
    """The interpretation with the slots that its intent has."""
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
