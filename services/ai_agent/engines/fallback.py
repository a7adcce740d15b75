"""The engine of last resort: plain statistics of the newest figures, and it says that they are."""

import statistics

from services.ai_agent.domain.answer.compose import needs_samples
from services.ai_agent.domain.answer.model import Answer, Draft, Evidence, Sentence
from services.ai_agent.domain.answer.tongue import Tongue, readable_scale
from services.ai_agent.domain.answer.verify import verify
from services.ai_agent.domain.engines.engine import EngineContext, Failure, Outcome, Question
from services.ai_agent.domain.measures import scaled
from services.ai_agent.domain.ports import Inventory, ServerInfo, names_of

_METRICS = ("cpu", "memory", "disk")
_BASIC_CONFIDENCE = 0.3


class FallbackEngine:
    """Looks at no more of the question than its servers and its metric, and at no more of the data than the newest figures."""

    name = "fallback"
    description = "Gives basic statistics of the newest figures when no other engine can answer."

    async def process(self, question: Question, context: EngineContext) -> Answer | Failure:
        """Highest, lowest and middle server of each metric, from the list of servers alone."""
        if not needs_samples(question.interpretation):
            return Failure(Outcome.NOT_UNDERSTOOD, "not a question about figures")
        if question.inventory is None:
            return Failure(Outcome.UNAVAILABLE, "the metrics service cannot be asked for its servers", retryable=True)
        if question.interpretation.time.kind != "now":
            return Failure(Outcome.NOT_UNDERSTOOD, "knows the newest figures only")
        return _basic(question, question.inventory)


def create() -> FallbackEngine:
    """The engine, for the entry point."""
    return FallbackEngine()


def _basic(question: Question, inventory: Inventory) -> Answer:
    tongue, asked = Tongue(question.lang), question.interpretation
    servers = [server for server in inventory.servers if not asked.servers or server.name in asked.servers]
    metrics = (asked.metric,) if asked.metric else _METRICS
    sentences = [
        Sentence(
            tongue.say(
                "자세한 분석을 할 수 없어 가장 최근 수치의 기본 통계만 알려 드립니다.",
                "A full analysis is not possible now, so these are basic statistics of the newest figures.",
            )
        )
    ]
    for metric in metrics:
        sentence = _statistics(metric, servers, inventory, tongue)
        if sentence is not None:
            sentences.append(sentence)
    if len(sentences) == 1:
        sentences.append(Sentence(tongue.say("최근 수치가 있는 서버가 없습니다.", "No server has a recent figure.")))
    silent = [server.name for server in servers if not server.figures]
    if silent:
        listed = tongue.names(silent, 5)
        sentences.append(Sentence(tongue.say(f"소식이 없는 서버: {listed}.", f"Not heard from lately: {listed}.")))
    verified = verify(Draft(tuple(sentences)), [*names_of(inventory.servers), *metrics])
    return Answer(
        lang=question.lang,
        text=" ".join(verified.sentences),
        interpretation=asked,
        evidence=verified.evidence,
        confidence=min(_BASIC_CONFIDENCE, asked.confidence),
        withheld=verified.withheld,
    )


def _statistics(metric: str, servers: list[ServerInfo], inventory: Inventory, tongue: Tongue) -> Sentence | None:
    """Highest, middle and lowest: order statistics, for each of them is some server's own figure and can be proved."""
    with_figure = sorted(
        (server for server in servers if metric in server.figures and metric in server.expressions),
        key=lambda server: (-server.figures[metric], server.name),
    )
    if not with_figure:
        return None
    middle = statistics.median_low(range(len(with_figure)))
    chosen = list(dict.fromkeys((0, middle, len(with_figure) - 1)))
    unit = inventory.concepts.unit(metric)
    evidence = [_evidence(with_figure[index], metric, unit, inventory.time_ms, tongue) for index in chosen]
    labels = (tongue.say("최고", "highest"), tongue.say("중앙", "middle"), tongue.say("최저", "lowest"))
    words = [labels[0]] if len(chosen) == 1 else [labels[0], *([labels[1]] if len(chosen) == 3 else []), labels[2]]
    parts = ", ".join(
        f"{word} {item.servers[0]} {tongue.number(item.value, item.unit)}" for word, item in zip(words, evidence, strict=True)
    )
    return Sentence(f"{tongue.metric(metric)}: {parts}.", tuple(evidence))


def _evidence(server: ServerInfo, metric: str, unit: str, time_ms: int, tongue: Tongue) -> Evidence:
    value = server.figures[metric]
    divisor, shown = readable_scale(value, unit)
    claim = f"{server.name} {tongue.short(metric)} {tongue.number(value / divisor, shown)}"
    return Evidence(claim, scaled(server.expressions[metric], divisor), time_ms, value / divisor, shown, (server.name,))
