"""One question, one answer: the writer of each intent, then the verifier."""

from dataclasses import replace

from services.ai_agent.domain.answer.figures import Facts
from services.ai_agent.domain.answer.lists import answer_help, answer_inventory, answer_not_yet, answer_out_of_scope
from services.ai_agent.domain.answer.model import Answer, Draft
from services.ai_agent.domain.answer.notes import ignored_note, unknown_name_notes, unread_time_note
from services.ai_agent.domain.answer.ranking import answer_filter, answer_top
from services.ai_agent.domain.answer.status import answer_fleet, answer_servers
from services.ai_agent.domain.answer.tongue import Tongue
from services.ai_agent.domain.answer.values import answer_value
from services.ai_agent.domain.answer.verify import verify
from services.ai_agent.domain.interpretation import ANSWERED, Intent, Interpretation, Language, TimeRange

_HOUR_MS = 3_600_000
_WRITERS = {
    Intent.FLEET_STATUS: answer_fleet,
    Intent.SERVER_STATUS: answer_servers,
    Intent.METRIC_VALUE: answer_value,
    Intent.TOP_SERVERS: answer_top,
    Intent.FILTER_SERVERS: answer_filter,
    Intent.INVENTORY: answer_inventory,
}


def needs_samples(asked: Interpretation) -> bool:
    """Whether the answer cannot be given without the store."""
    return asked.intent in _WRITERS


async def compose(asked: Interpretation, facts: Facts, lang: Language) -> Answer:
    """The verified answer.

    Raises:
        MetricsUnavailableError: the store cannot be asked.
        QueryRejectedError: the store refuses an expression.
    """
    tongue = Tongue(lang)
    asked = _with_window(asked)
    unknown = unknown_name_notes(asked, tongue)
    if asked.intent is Intent.HELP:
        draft = answer_help(tongue)
    elif asked.intent is Intent.OUT_OF_SCOPE:
        draft = answer_out_of_scope(tongue)
    elif asked.intent not in ANSWERED:
        draft = answer_not_yet(asked, tongue)
    elif asked.unread_times:
        draft = Draft((*unknown, unread_time_note(asked, tongue)))
    elif unknown and not asked.servers:
        draft = Draft(unknown)
    else:
        draft = await _WRITERS[asked.intent](asked, facts, tongue)
        draft = replace(draft, sentences=(*unknown, *draft.sentences, *ignored_note(asked, tongue)))
    names = [server.name for server in facts.inventory.servers]
    names += [word for server in facts.inventory.servers for word in (server.role, server.site)]
    names += [each.name for each in asked.unknown_servers]
    names += [asked.metric or "", *asked.roles, *(each.metric or "" for each in asked.conditions)]
    names += [*asked.unread_times, *asked.not_understood, f"-{asked.limit}"]
    verified = verify(draft, names)
    text = " ".join(verified.sentences) or tongue.say(
        "확인할 수 있는 수치가 없어 답하지 않겠습니다.", "No figure could be proved, so there is no answer."
    )
    return Answer(
        lang=lang,
        text=text,
        interpretation=asked,
        evidence=verified.evidence,
        recommendations=verified.recommendations,
        confidence=asked.confidence,
        withheld=verified.withheld,
    )


def _with_window(asked: Interpretation) -> Interpretation:
    """A figure of many of named servers needs a stretch of time: the last hour when the question names none."""
    wants = asked.intent is Intent.METRIC_VALUE and asked.aggregation not in (None, "last") and asked.servers
    if not wants or asked.time.kind != "now":
        return asked
    return replace(asked, time=TimeRange(asked.time.end_ms - _HOUR_MS, asked.time.end_ms, "range", assumed=True))
