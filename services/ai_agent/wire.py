"""Between protobuf messages and the values of the domain."""

from datetime import tzinfo
from zoneinfo import ZoneInfo

from google.protobuf import duration_pb2, timestamp_pb2

from openmanager.ai_agent.v1 import ai_agent_pb2 as pb
from services.ai_agent.domain.answer.model import Evidence
from services.ai_agent.domain.ask import Ask, Reply
from services.ai_agent.domain.engines.engine import Attempt
from services.ai_agent.domain.engines.registry import EngineState
from services.ai_agent.domain.interpretation import Intent, Interpretation, Language
from services.common.errors import FieldError, InvalidArgumentError

MAX_QUERY_CHARACTERS = 2_000
_INTENTS = {intent: pb.Intent.Value(f"INTENT_{intent.name}") for intent in Intent}


def ask_of(request: pb.AskRequest, default_zone: tzinfo, now_ms: int) -> Ask:
    """The question of a request.

    Raises:
        InvalidArgumentError: with every field that is wrong.
    """
    problems: list[FieldError] = []
    if not request.query.strip():
        problems.append(FieldError("query", "is empty; ask something such as: how are my servers?"))
    elif len(request.query) > MAX_QUERY_CHARACTERS:
        problems.append(FieldError("query", f"has {len(request.query)} characters; at most {MAX_QUERY_CHARACTERS} are read"))
    elif "\x00" in request.query:
        problems.append(FieldError("query", "holds a NUL character"))
    lang = _language(request.lang, problems)
    zone = _zone(request.tz, default_zone, problems)
    at_ms = _at(request, now_ms, problems)
    if len(request.session_id) > 200:
        problems.append(FieldError("session_id", "is longer than 200 characters"))
    if problems:
        told = "; ".join(f"{problem.field} {problem.message}" for problem in problems)
        raise InvalidArgumentError(told, reason="INVALID_QUESTION", fields=problems)
    return Ask(request.query, zone, lang, at_ms, request.session_id)


def answer_message(reply: Reply) -> pb.Answer:
    """The message of a reply."""
    return pb.Answer(
        success=reply.success,
        lang=reply.lang,
        response=reply.text,
        interpretation=interpretation_message(reply.interpretation),
        evidence=[_evidence_message(item) for item in reply.evidence],
        recommendations=reply.recommendations,
        engine=reply.engine,
        attempts=[attempt_message(attempt) for attempt in reply.attempts],
        processing_time=_duration(reply.elapsed_seconds),
        confidence=reply.confidence,
    )


def interpretation_message(asked: Interpretation) -> pb.Interpretation:
    """The message of an interpretation."""
    message = pb.Interpretation(
        intent=_INTENTS[asked.intent],
        metric=asked.metric or "",
        servers=asked.servers,
        roles=asked.roles,
        op=asked.op or "",
        order=asked.order or "",
        aggregation=asked.aggregation or "",
        start=timestamp_message(asked.time.start_ms),
        end=timestamp_message(asked.time.end_ms),
        severity=asked.severity or "",
        understood=asked.understood,
        not_understood=asked.not_understood,
        confidence=asked.confidence,
    )
    if asked.value is not None:
        message.value = asked.value
    if asked.limit is not None:
        message.limit = asked.limit
    if asked.horizon_seconds is not None:
        message.horizon.CopyFrom(_duration(asked.horizon_seconds))
    if asked.duration_seconds is not None:
        message.duration.CopyFrom(_duration(asked.duration_seconds))
    return message


def attempt_message(attempt: Attempt) -> pb.EngineAttempt:
    """The message of an attempt."""
    return pb.EngineAttempt(
        engine=attempt.engine, outcome=str(attempt.outcome), elapsed=_duration(attempt.elapsed_seconds), detail=attempt.detail
    )


def engine_message(state: EngineState) -> pb.EngineInfo:
    """The message of an engine's state."""
    return pb.EngineInfo(
        name=state.name,
        description=state.description,
        circuit=str(state.circuit),
        answered=state.answered,
        failed=state.failed,
    )


def timestamp_message(time_ms: int) -> timestamp_pb2.Timestamp:
    """The message of a Unix time in milliseconds."""
    return timestamp_pb2.Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)


def _evidence_message(item: Evidence) -> pb.Evidence:
    return pb.Evidence(
        claim=item.claim,
        expr=item.expr,
        time=timestamp_message(item.time_ms),
        value=item.value,
        unit=item.unit,
        servers=item.servers,
        samples=item.samples,
    )


def _language(text: str, problems: list[FieldError]) -> Language | None:
    match text.strip().lower():
        case "":
            return None
        case "ko":
            return "ko"
        case "en":
            return "en"
    problems.append(FieldError("lang", f"{text[:20]!r} is not ko or en"))
    return None


def _zone(text: str, default: tzinfo, problems: list[FieldError]) -> tzinfo:
    if not text:
        return default
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        problems.append(FieldError("tz", f"no IANA time zone is called {text[:60]!r}; one is called Asia/Seoul"))
        return default


def _at(request: pb.AskRequest, now_ms: int, problems: list[FieldError]) -> int | None:
    if not request.HasField("at"):
        return None
    at_ms = request.at.seconds * 1000 + request.at.nanos // 1_000_000
    if at_ms < 0:
        problems.append(FieldError("at", "is before 1970"))
    elif at_ms > now_ms + 60_000:  # a minute of difference between clocks is no mistake
        problems.append(FieldError("at", "is in the future; nothing is stored for it yet"))
    return at_ms


def _duration(seconds: float) -> duration_pb2.Duration:
    nanos = round(seconds * 1e9)
    return duration_pb2.Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)
