"""Answers to "how are they": the health of the fleet and of named servers, with the figures it rests on."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from services.ai_agent.domain.answer.figures import Facts, Figures, scope_of, whose, window_of
from services.ai_agent.domain.answer.model import Draft, Evidence, Sentence
from services.ai_agent.domain.answer.notes import missing_note, no_servers, no_such_servers, nothing_stored
from services.ai_agent.domain.answer.tongue import Tongue
from services.ai_agent.domain.interpretation import Interpretation
from services.ai_agent.domain.measures import HEALTH_THRESHOLDS, Scope, Window, compared

MOST_SERVERS, MOST_TROUBLED = 5, 6
_DETAILS = ("cpu", "memory", "disk", "load", "latency", "network")
Level = Literal["critical", "warning"]


@dataclass(frozen=True)
class _Trouble:
    """A figure at or beyond a level."""

    server: str
    metric: str
    level: Level
    value: float


async def answer_fleet(asked: Interpretation, facts: Facts, tongue: Tongue) -> Draft:
    """How all servers are, or those of a role: who is in trouble, who is silent, and the averages."""
    scope = scope_of(asked)
    known = facts.within(scope)
    if not facts.inventory.servers:
        return Draft((no_servers(tongue),))
    if not known:
        return Draft((no_such_servers(scope, tongue),))
    told = await _figures(facts.telling(scope), facts, tongue, scope, window_of(asked, "max"))
    figures = {metric: told[metric] for metric in HEALTH_THRESHOLDS}
    heard = {server for each in told.values() for server in each.values}
    if not heard:
        names = tongue.names([server.name for server in known], 5)
        text = tongue.say(
            f"{tongue.period(asked.time)} 소식을 보낸 서버가 없어 상태를 알 수 없습니다: {names}.",
            f"No server has sent samples {_when(asked, tongue)}, so how they are is unknown: {names}.",
        )
        return Draft((Sentence(text),))
    troubles = _troubles(figures)
    sentences = [await _headline(asked, told, tongue, heard, troubles)]
    advice: list[Sentence] = []
    for level, title in (("critical", tongue.say("위험", "Critical")), ("warning", tongue.say("주의", "Warning"))):
        listed = [trouble for trouble in troubles if trouble.level == level]
        if listed:
            sentence, evidence = await _listed(listed, title, figures, tongue)
            sentences.append(sentence)
            advice += _advice(listed, evidence, tongue)
    silent = [server.name for server in known if server.name not in heard]
    if note := missing_note(silent, asked, tongue):
        sentences.append(note)
    averages = [(name, item) for name, each in figures.items() if (item := await _mean(each)) is not None]
    if averages:
        listed_averages = ", ".join(f"{tongue.short(name)} {tongue.number(item.value, item.unit)}" for name, item in averages)
        text = tongue.say(f"평균: {listed_averages}.", f"Averages: {listed_averages}.")
        sentences.append(Sentence(text, tuple(item for _, item in averages)))
    return Draft(tuple(sentences), tuple(advice[:3]))


async def answer_servers(asked: Interpretation, facts: Facts, tongue: Tongue) -> Draft:
    """How named servers are, one sentence each."""
    names = asked.servers[:MOST_SERVERS]
    scope = Scope(names)
    window = window_of(asked, "max")
    figures = await _figures(_DETAILS, facts, tongue, scope, window)
    loaded = list(figures.values())
    if not any(each.values for each in loaded):
        return (
            nothing_stored(asked, facts, tongue, scope) if not facts.within(scope) else Draft(tuple(_silent(asked, names, tongue)))
        )
    troubles = _troubles({metric: figures[metric] for metric in HEALTH_THRESHOLDS})
    sentences: list[Sentence] = []
    advice: list[Sentence] = []
    for name in names:
        evidence = [item for each in loaded if name in each.values and (item := await each.of(name)) is not None]
        if not evidence:
            sentences += _silent(asked, [name], tongue)
            continue
        own = [trouble for trouble in troubles if trouble.server == name]
        sentences.append(Sentence(_one(asked, name, own, evidence, tongue), tuple(evidence)))
        advice += _advice(own, evidence, tongue)
    return Draft(tuple(sentences), tuple(advice[:3]))


async def _mean(figures: Figures) -> Evidence | None:
    """The mean over the servers, and over the time where health goes by the highest."""
    if not figures.values:
        return None
    window = replace(figures.window, aggregation="avg") if figures.window is not None else None
    return await replace(figures, window=window).across("avg")


async def _figures(
    metrics: Sequence[str], facts: Facts, tongue: Tongue, scope: Scope, window: Window | None
) -> Mapping[str, Figures]:
    measures = [facts.inventory.concepts.measure(metric) for metric in metrics]
    loaded = await asyncio.gather(*(Figures.load(facts, tongue, measure, scope, window) for measure in measures))
    return dict(zip(metrics, loaded, strict=True))


def _troubles(figures: Mapping[str, Figures]) -> list[_Trouble]:
    """Figures at a level, the worst first; equal ones by name."""
    found: list[_Trouble] = []
    for metric, threshold in HEALTH_THRESHOLDS.items():
        for server, value in figures[metric].values.items():
            if value >= threshold.warning:
                found.append(_Trouble(server, metric, "critical" if value >= threshold.critical else "warning", value))
    return sorted(found, key=lambda trouble: (trouble.level, -trouble.value, trouble.server, trouble.metric))


async def _headline(
    asked: Interpretation, told: Mapping[str, Figures], tongue: Tongue, heard: set[str], troubles: Sequence[_Trouble]
) -> Sentence:
    facts = next(iter(told.values())).facts
    vectors = {metric: figures.vector() for metric, figures in told.items() if figures.values}
    claim = tongue.say("지표를 보내는 서버", "servers that send samples:")
    total = await facts.evidence(f"count({' or '.join(vectors.values())})", "servers", claim, tongue)
    levels = {metric: threshold.warning for metric, threshold in HEALTH_THRESHOLDS.items() if metric in vectors}
    beyond = [f"({compared(vectors[metric], '>=', level)})" for metric, level in levels.items()]
    troubled = {trouble.server for trouble in troubles}
    claim = tongue.say("살펴볼 서버", "servers that need a look:")
    bad = await facts.evidence(f"count({' or '.join(beyond)})", "servers", claim, tongue) if troubled else None
    of_whom = whose(asked, tongue)
    if total is None or total.value != len(heard):
        text = tongue.say("서버 상태입니다.", "This is how the servers are.")
        return Sentence(text)
    many = tongue.number(total.value, "servers")
    if not troubled:
        text = tongue.say(
            f"{tongue.period(asked.time)} {of_whom}서버 {many} 모두 정상{'입니다' if asked.time.kind == 'now' else '이었습니다'}.",
            f"All {'is' if asked.time.kind == 'now' else 'was'} well {tongue.period(asked.time)}: {many.replace(' ', f' {of_whom}', 1)}, none in trouble.",
        )
        return Sentence(text, (total,))
    if bad is None or bad.value != len(troubled):
        return Sentence(tongue.say(f"{of_whom}서버 {many}를 살펴봤습니다.", f"Looked at {many}."), (total,))
    few = tongue.number(bad.value, "servers")
    need = ("needs" if bad.value == 1 else "need") if asked.time.kind == "now" else "needed"
    text = tongue.say(
        f"{tongue.period(asked.time)} {of_whom}서버 {many} 가운데 {few}를 살펴봐야 {'합니다' if asked.time.kind == 'now' else '했습니다'}.",
        f"{few.split()[0]} of {many.replace(' ', f' {of_whom}', 1)} {need} a look {tongue.period(asked.time)}.",
    )
    return Sentence(text, (total, bad))


async def _listed(
    troubles: Sequence[_Trouble], title: str, figures: Mapping[str, Figures], tongue: Tongue
) -> tuple[Sentence, list[Evidence]]:
    shown = troubles[:MOST_TROUBLED]
    found = await asyncio.gather(*(figures[trouble.metric].of(trouble.server) for trouble in shown))
    evidence = [item for item in found if item is not None]
    parts = ", ".join(item.claim for item in evidence)
    more = tongue.say(" 등", " and others") if len(troubles) > len(shown) else ""
    return Sentence(f"{title}: {parts}{more}.", tuple(evidence)), evidence


def _one(asked: Interpretation, name: str, troubles: Sequence[_Trouble], evidence: Sequence[Evidence], tongue: Tongue) -> str:
    level = troubles[0].level if troubles else "ok"
    words = {"ok": ("정상", "fine"), "warning": ("주의", "at a warning level"), "critical": ("위험", "critical")}[level]
    figures = ", ".join(item.claim.removeprefix(f"{name} ") for item in evidence)
    past = asked.time.kind != "now"
    state = tongue.say(words[0], words[1])
    topic = tongue.with_particle(name, "은", "는")
    kind = "" if asked.time.kind != "range" else tongue.say("최대 ", "highest ")
    return tongue.say(
        f"{topic} {tongue.period(asked.time)} {state}{'이었습니다' if past else '입니다'}: {kind}{figures}.",
        f"{name} {'was' if past else 'is'} {state} {tongue.period(asked.time)}: {kind}{figures}.",
    )


def _silent(asked: Interpretation, names: Sequence[str], tongue: Tongue) -> list[Sentence]:
    return [
        Sentence(
            tongue.say(
                f"{tongue.with_particle(name, '은', '는')} {tongue.period(asked.time)} 지표를 보내지 않아 상태를 알 수 없습니다.",
                f"How {name} {'is' if asked.time.kind == 'now' else 'was'} is unknown: it sent no samples {_when(asked, tongue)}.",
            )
        )
        for name in names
    ]


def _when(asked: Interpretation, tongue: Tongue) -> str:
    return tongue.say("최근", "lately") if asked.time.kind == "now" else tongue.period(asked.time)


def _advice(troubles: Sequence[_Trouble], evidence: Sequence[Evidence], tongue: Tongue) -> list[Sentence]:
    """What to look at first, for figures at their critical level."""
    texts = {
        "cpu": ("{0}에서 CPU를 많이 쓰는 프로세스를 확인하세요.", "Look for the processes on {0} that take the CPU."),
        "memory": (
            "{0}에서 메모리를 많이 쓰는 프로세스와 누수를 확인하세요.",
            "Look on {0} for processes that hold or leak memory.",
        ),
        "disk": (
            "{0}에서 오래된 로그와 임시 파일을 지우거나 디스크를 늘리세요.",
            "Remove old logs and temporary files on {0}, or enlarge its disk.",
        ),
    }
    advice = []
    for trouble in troubles:
        proof = tuple(item for item in evidence if item.servers == (trouble.server,))
        if trouble.level == "critical" and proof:
            advice.append(Sentence(tongue.say(*texts[trouble.metric]).format(trouble.server), proof))
    return advice
