"""An answer as the HTTP contract has it."""

from google.protobuf.duration_pb2 import Duration

from openmanager.ai_agent.v1 import ai_agent_pb2
from services.gateway.adapters.calls import seconds, timestamp_text
from services.gateway.domain.ports import Document


def answer_document(answer: ai_agent_pb2.Answer) -> Document:
    """The object that `POST /api/v1/ask` answers with."""
    return {
        "success": answer.success,
        "lang": answer.lang,
        "response": answer.response,
        "interpretation": interpretation_document(answer.interpretation),
        "evidence": [_evidence(evidence) for evidence in answer.evidence],
        "recommendations": list(answer.recommendations),
        "proposal": None,
        "metadata": {
            "engine": answer.engine or None,
            "attempts": [attempt_document(attempt) for attempt in answer.attempts],
            "processing_time_ms": _milliseconds(answer.processing_time),
            "confidence": answer.confidence,
        },
    }


def interpretation_document(question: ai_agent_pb2.Interpretation) -> Document:
    """How a question was understood; None where it said nothing."""
    has_range = question.HasField("start") and question.HasField("end")
    return {
        "intent": ai_agent_pb2.Intent.Name(question.intent).removeprefix("INTENT_").lower(),
        "metric": question.metric or None,
        "servers": list(question.servers),
        "roles": list(question.roles),
        "op": question.op or None,
        "value": question.value if question.HasField("value") else None,
        "limit": question.limit if question.HasField("limit") else None,
        "order": question.order or None,
        "aggregation": question.aggregation or None,
        "range": {"start": timestamp_text(question.start), "end": timestamp_text(question.end)} if has_range else None,
        "horizon": seconds(question.horizon) if question.HasField("horizon") else None,
        "duration": seconds(question.duration) if question.HasField("duration") else None,
        "for": seconds(getattr(question, "for")) if question.HasField("for") else None,
        "severity": question.severity or None,
        "channel": question.channel or None,
        "understood": list(question.understood),
        "not_understood": list(question.not_understood),
        "confidence": question.confidence,
    }


def attempt_document(attempt: ai_agent_pb2.EngineAttempt) -> Document:
    """How one engine did."""
    return {
        "engine": attempt.engine,
        "outcome": attempt.outcome,
        "ms": _milliseconds(attempt.elapsed),
        "detail": attempt.detail or None,
    }


def _evidence(evidence: ai_agent_pb2.Evidence) -> Document:
    return {
        "claim": evidence.claim,
        "expr": evidence.expr,
        "time": timestamp_text(evidence.time) if evidence.HasField("time") else None,
        "start": timestamp_text(evidence.start) if evidence.HasField("start") else None,
        "end": timestamp_text(evidence.end) if evidence.HasField("end") else None,
        "value": evidence.value,
        "unit": evidence.unit or None,
        "servers": list(evidence.servers),
        "samples": evidence.samples,
    }


def _milliseconds(value: Duration) -> float:
    return round(seconds(value) * 1000, 3)
