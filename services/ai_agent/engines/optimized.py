"""The structured engine: grammar to PromQL to verified sentences."""

from services.ai_agent.domain.answer.compose import compose, needs_samples
from services.ai_agent.domain.answer.figures import Facts
from services.ai_agent.domain.answer.model import Answer
from services.ai_agent.domain.engines.engine import EngineContext, Failure, Outcome, Question
from services.ai_agent.domain.ports import Inventory, MetricsUnavailableError, QueryRejectedError


class OptimizedEngine:
    """Answers from stored samples alone; every figure carries the expression that gives it again."""

    name = "optimized"
    description = "Understands the question by grammar, reads the figures with PromQL and proves each one."

    async def process(self, question: Question, context: EngineContext) -> Answer | Failure:
        """The answer, or why there is none."""
        asked = question.interpretation
        if question.inventory is None and needs_samples(asked):
            return Failure(Outcome.UNAVAILABLE, "the metrics service cannot be asked for its servers", retryable=True)
        time_ms = question.time_ms if asked.time.end_ms == question.now_ms else asked.time.end_ms
        facts = Facts(context.reader, question.inventory or Inventory(), time_ms)
        try:
            return await compose(asked, facts, question.lang)
        except MetricsUnavailableError as error:
            return Failure(Outcome.UNAVAILABLE, str(error), retryable=True)
        except QueryRejectedError as error:
            return Failure(Outcome.FAILED, f"the metrics service refused a query: {error}")


def create() -> OptimizedEngine:
    """The engine, for the entry point."""
    return OptimizedEngine()
