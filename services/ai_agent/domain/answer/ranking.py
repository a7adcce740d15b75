"""Answers to "which servers": those at the top or bottom, and those beyond a threshold."""

from dataclasses import replace

from services.ai_agent.domain.answer.figures import (
    Facts,
    Figures,
    conditions_count,
    listing,
    measure_in,
    meeting,
    parts_of,
    scope_of,
    whose,
    window_of,
)
from services.ai_agent.domain.answer.model import Draft, Evidence, Sentence
from services.ai_agent.domain.answer.notes import missing_note, nothing_stored
from services.ai_agent.domain.answer.tongue import Tongue
from services.ai_agent.domain.interpretation import Interpretation

DEFAULT_LIMIT, MOST_LISTED = 5, 20
_GROWING = (">", ">=")


async def answer_top(asked: Interpretation, facts: Facts, tongue: Tongue) -> Draft:
    """The servers at one end of the ranking."""
    figures = await Figures.load(facts, tongue, measure_in(asked), scope_of(asked), window_of(asked))
    if not figures.values:
        return nothing_stored(asked, facts, tongue, figures.scope)
    ascending = asked.order == "asc"
    wanted = min(asked.limit or DEFAULT_LIMIT, MOST_LISTED)
    names = figures.ranked(ascending=ascending)
    if asked.conditions:
        allowed = meeting(await parts_of(asked, facts, tongue), either=asked.either)
        names = [name for name in names if name in allowed]
        if not names:
            return Draft((Sentence(tongue.say("그 조건에 맞는 서버가 없습니다.", "No server meets that condition.")),))
    evidence = await figures.of_each(names[:wanted])
    metric, period = tongue.metric(figures.measure.name), tongue.period(asked.time)
    kind = f"{tongue.aggregation(figures.window.aggregation)} " if figures.window else ""
    of_whom = whose(asked, tongue)
    text = tongue.say(
        f"{period} {kind}{tongue.with_particle(metric, '이', '가')} {'낮은' if ascending else '높은'} {of_whom}서버: {listing(evidence, tongue)}.",
        f"{of_whom.capitalize()}{'servers' if of_whom else 'Servers'} with the {'lowest' if ascending else 'highest'} {kind}{metric} {period}: "
        f"{listing(evidence, tongue)}.",
    )
    sentences = [Sentence(text, tuple(evidence))]
    if asked.limit is not None and len(names) < asked.limit:
        sentences.append(Sentence(tongue.say("해당하는 서버는 이것이 전부입니다.", "There are no more such servers.")))
    elif asked.limit is not None and asked.limit > MOST_LISTED:
        sentences.append(
            Sentence(tongue.say("목록이 길어 앞부분만 보여 드립니다.", "The list is long, so only its beginning is shown."))
        )
    if note := missing_note(figures.missing, asked, tongue):
        sentences.append(note)
    return Draft(tuple(sentences))


async def answer_filter(asked: Interpretation, facts: Facts, tongue: Tongue) -> Draft:
    """The servers that meet the conditions; over a stretch of time, those that met them at any moment."""
    parts = await parts_of(asked, facts, tongue)
    for part in parts:
        if not part.figures.values:
            return nothing_stored(replace(asked, metric=part.figures.measure.name), facts, tongue, part.figures.scope)
    first = parts[0].figures
    found = meeting(parts, either=asked.either)
    ascending = parts[0].op not in _GROWING
    names = [name for name in first.ranked(ascending=ascending) if name in found]
    names += sorted(found - set(names))
    total = await first.count()
    sentences: list[Sentence] = []
    if names:
        shown = names[: min(asked.limit or MOST_LISTED, MOST_LISTED)]
        evidence = await first.of_each(shown)
        count = await conditions_count(facts, tongue, parts, either=asked.either)
        sentences.append(_found(asked, first, tongue, len(names), count, total, evidence, cut=shown != names))
        for figures in {part.figures.measure: part.figures for part in parts[1:] if part.figures.measure != first.measure}.values():
            others = await figures.of_each(shown)
            label = tongue.metric(figures.measure.name)
            text = tongue.say(f"{label}: {listing(others, tongue)}.", f"Their {label}: {listing(others, tongue)}.")
            sentences.append(Sentence(text, tuple(others)))
    else:
        nearest = await first.of_each(first.ranked(ascending=ascending)[:1])
        sentences.append(_none(asked, first, tongue, total, nearest, ascending=ascending))
    if note := missing_note(first.missing, asked, tongue):
        sentences.append(note)
    return Draft(tuple(sentences))


def _found(
    asked: Interpretation,
    first: Figures,
    tongue: Tongue,
    names: int,
    count: Evidence | None,
    total: Evidence | None,
    shown: list[Evidence],
    *,
    cut: bool,
) -> Sentence:
    period, metric = tongue.period(asked.time), tongue.metric(first.measure.name)
    listed = listing(shown, tongue) + (tongue.say(" 등", " and others") if cut else "")
    evidence = tuple(shown)
    if count is not None and total is not None and count.value == names:
        evidence += (count, total)
        few, many = tongue.number(count.value, "servers"), tongue.number(total.value, "servers")
        text = tongue.say(
            f"네, {period} {metric} 기준에 해당하는 서버는 {many} 가운데 {few}입니다: {listed}.",
            f"Yes, {few.split()[0]} of {many} {_meet(names)} that condition on {metric} {period}: {listed}.",
        )
    else:
        text = tongue.say(
            f"네, {period} {metric} 기준에 해당하는 서버: {listed}.",
            f"Yes, these meet that condition on {metric} {period}: {listed}.",
        )
    return Sentence(text, evidence)


def _none(
    asked: Interpretation, first: Figures, tongue: Tongue, total: Evidence | None, nearest: list[Evidence], *, ascending: bool
) -> Sentence:
    period, metric = tongue.period(asked.time), tongue.metric(first.measure.name)
    evidence = (*nearest, *((total,) if total is not None else ()))
    many = tongue.number(total.value, "servers") if total is not None else ""
    listed = listing(nearest, tongue)
    text = tongue.say(
        f"아니요, {f'{many} 가운데 ' if many else ''}{period} {metric} 기준에 해당하는 서버는 없습니다."
        f" 가장 {'낮은' if ascending else '높은'} 서버는 {listed}입니다.",
        f"No, none of {many or 'the servers'} meets that condition on {metric} {period}."
        f" The {'lowest' if ascending else 'highest'} is {listed}.",
    )
    return Sentence(text, evidence)


def _meet(names: int) -> str:
    return "meets" if names == 1 else "meet"
