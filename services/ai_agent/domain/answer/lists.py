"""Answers to "which servers are there", and those that no figure is needed for."""

from collections import Counter
from collections.abc import Sequence

from services.ai_agent.domain.answer.figures import Facts, scope_of, whose
from services.ai_agent.domain.answer.model import Draft, Evidence, Sentence
from services.ai_agent.domain.answer.notes import missing_note, no_servers, no_such_servers
from services.ai_agent.domain.answer.tongue import Tongue
from services.ai_agent.domain.interpretation import Intent, Interpretation
from services.ai_agent.domain.measures import Scope

MOST_NAMED = 30


async def answer_inventory(asked: Interpretation, facts: Facts, tongue: Tongue) -> Draft:
    """The servers by name and role; how many is counted among those that send samples."""
    scope = scope_of(asked)
    known = facts.within(scope)
    if not facts.inventory.servers:
        return Draft((no_servers(tongue),))
    if not known:
        return Draft((no_such_servers(scope, tongue),))
    metrics = facts.telling(scope)
    result = await facts.reader.query(facts.heard(metrics, scope, None), facts.time_ms)
    heard = {sample.server for sample in result.samples}
    total = await _count(metrics, scope, facts, tongue)
    of_whom = whose(asked, tongue)
    sentences: list[Sentence] = []
    if total is not None:
        many = tongue.number(total.value, "servers")
        text = tongue.say(
            f"지표를 보내는 {of_whom}서버는 {many}입니다.",
            f"{many.replace(' ', f' {of_whom}', 1)} send{'s' if total.value == 1 else ''} samples.",
        )
        sentences.append(Sentence(text, (total,)))
    roles = Counter(server.role for server in known if server.name in heard and server.role)
    if not asked.roles and len(roles) > 1:
        counts: list[tuple[str, Evidence]] = []
        for role in sorted(roles):
            count = await _count(metrics, Scope(roles=(role,)), facts, tongue)
            if count is not None:
                counts.append((role, count))
        listed = ", ".join(f"{role} {tongue.number(count.value, 'servers').split()[0]}" for role, count in counts)
        sentences.append(Sentence(tongue.say(f"역할별: {listed}.", f"By role: {listed}."), tuple(count for _, count in counts)))
    names = tongue.names([server.name for server in known if server.name in heard], MOST_NAMED)
    if names:
        sentences.append(Sentence(tongue.say(f"이름: {names}.", f"Names: {names}.")))
    if note := missing_note([server.name for server in known if server.name not in heard], asked, tongue):
        sentences.append(note)
    return Draft(tuple(sentences))


def answer_help(tongue: Tongue) -> Draft:
    """What can be asked."""
    return Draft(
        (
            Sentence(tongue.say("서버와 그 지표에 대해 물어보실 수 있습니다.", "Ask about your servers and their figures.")),
            Sentence(_examples(tongue)),
            Sentence(
                tongue.say(
                    "답의 모든 수치에는 다시 실행할 수 있는 PromQL 식이 근거로 붙습니다.",
                    "Every figure of an answer comes with the PromQL expression that gives it again.",
                )
            ),
        )
    )


def answer_out_of_scope(tongue: Tongue) -> Draft:
    """Nothing that monitoring can answer."""
    refusal = tongue.say(
        "저는 서버 모니터링에 관한 질문에만 답할 수 있습니다.",
        "I can only answer questions about the servers that are watched here.",
    )
    return Draft((Sentence(refusal), Sentence(_examples(tongue))))


def answer_not_yet(asked: Interpretation, tongue: Tongue) -> Draft:
    """An intent that is recognised and not answered by this version; no figure is made up for it."""
    ko, en = _NOT_YET[asked.intent]
    text = tongue.say(
        f"{ko} 질문으로 이해했지만, 이 버전은 아직 답할 수 없습니다.",
        f"I understand that you ask {en}, but this version cannot answer that yet.",
    )
    return Draft((Sentence(text), Sentence(_examples(tongue))))


_NOT_YET: dict[Intent, tuple[str, str]] = {
    Intent.TREND: ("추세에 대한", "how a figure moves"),
    Intent.ANOMALIES: ("이상 징후에 대한", "what is unusual"),
    Intent.ROOT_CAUSE: ("원인에 대한", "why something is so"),
    Intent.FORECAST: ("앞으로의 값에 대한", "what a figure will be"),
    Intent.CAPACITY: ("언제 가득 차는지에 대한", "when something runs out"),
    Intent.COMPARE: ("비교하는", "for a comparison"),
    Intent.ALERTS: ("알림에 대한", "about alerts"),
    Intent.RECOMMEND: ("무엇을 해야 하는지에 대한", "what should be done"),
    Intent.REPORT: ("보고서를 만드는", "for a report"),
    Intent.CREATE_ALERT: ("알림 규칙을 만드는", "for an alert rule"),
    Intent.SILENCE: ("알림을 잠시 끄는", "for a silence"),
}


def _examples(tongue: Tongue) -> str:
    return tongue.say(
        "예: “서버 상태 어때?”, “메모리를 가장 많이 쓰는 서버는?”, “디스크 구십 퍼센트 넘는 서버 있어?”, “어제 평균 CPU는?”, “서버 목록 보여줘”.",
        "For example: “How are my servers?”, “Which servers use the most memory?”, “Any server with disk above ninety percent?”, "
        "“What was the average CPU yesterday?”, “List the servers”.",
    )


async def _count(metrics: Sequence[str], scope: Scope, facts: Facts, tongue: Tongue) -> Evidence | None:
    claim = f"{tongue.names(scope.roles)} {tongue.say('서버', 'servers:')}".strip()
    return await facts.evidence(f"count({facts.heard(metrics, scope, None)})", "servers", claim, tongue)
