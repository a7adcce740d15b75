"""What the AI agent measures of itself."""

from services.ai_agent.domain.analyze.model import AnalysisResult
from services.ai_agent.domain.ask import Reply
from services.common.telemetry import Telemetry


class Instruments:
    """The service's own metrics."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._questions = telemetry.counter(
            "questions_total", "Questions by intent and whether they were answered.", ("intent", "success")
        )
        self._attempts = telemetry.counter("engine_attempts_total", "Attempts of engines by outcome.", ("engine", "outcome"))
        self._seconds = telemetry.histogram("question_seconds", "Time from question to answer.", ("engine",))

        self._analyses = telemetry.counter("analyses_total", "Analyses by engine.", ("engine",))
        self._analysis_seconds = telemetry.histogram("analysis_seconds", "Time that an analysis took.", ("engine",))

    def record_analysis(self, result: AnalysisResult) -> None:
        """Count one analysis."""
        self._analyses.labels(result.engine).inc()
        self._analysis_seconds.labels(result.engine).observe(result.processing_seconds)

    def record(self, reply: Reply) -> None:
        """Count one question."""
        self._questions.labels(str(reply.interpretation.intent), str(reply.success).lower()).inc()
        for attempt in reply.attempts:
            self._attempts.labels(attempt.engine, str(attempt.outcome)).inc()
        self._seconds.labels(reply.engine or "none").observe(reply.elapsed_seconds)
