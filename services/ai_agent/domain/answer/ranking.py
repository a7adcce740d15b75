"""Answers to "which servers": those at the top or bottom, and those beyond a threshold."""

from dataclasses import replace

from services.ai_agent.domain.answer.conditions import Conditions
from services.ai_agent.domain.answer.figures import Facts, Figures, listing, measure_in, scope_of, whose, window_of
from services.ai_agent.domain.answer.model import Draft, Evidence, Sentence
from services.ai_agent.domain.answer.notes import missing_note, nothing_stored
from services.ai_agent.domain.answer.tongue import Tongue
from services.ai_agent.domain.interpretation import Interpretation

DEFAULT_LIMIT, MOST_LISTED = 5, 20


async def answer_top(asked: Interpretation, facts: Facts, tongue: Tongue) -> Draft:
    """The servers at one end of the ranking."""
    figures = await Figures.load(facts, tongue, measure_in(asked, facts), scope_of(asked), window_of(asked))
    if not figures.values:
        return nothing_stored(asked, facts, tongue, figures.scope)
    ascending = asked.order == "asc"
    wanted = min(asked.limit or DEFAULT_LIMIT, MOST_LISTED)
    names = figures.ranked(ascending=ascending)
    conditions = await Conditions.load(asked, facts, tongue) if asked.conditions else None
    if conditions is not None:
        allowed = conditions.meeting()
        names = [name for name in names if name in allowed]
        if not names:
            nearest = await conditions.first.of_each([conditions.nearest()]) if conditions.first.values else []
            return Draft((_none(asked, conditions, tongue, nearest),))
    evidence = await figures.of_each(names[:wanted])
    metric, period = tongue.metric(figures.measure.name), tongue.period(asked.time)
    kind = f"{tongue.aggregation(figures.window.aggregation)} " if figures.window else ""
    of_whom = whose(asked, tongue)
    among = f"{conditions.before_noun(tongue)} {tongue.say('서버 가운데 ', '')}" if conditions is not None else ""
    head_en = f"Of the {of_whom}servers with {among.rstrip()}, those" if among else f"{of_whom}servers"
    text = tongue.say(
        f"{among}{period} {kind}{tongue.with_particle(metric, '이', '가')} {'낮은' if ascending else '높은'} {of_whom}서버: "
        f"{listing(evidence, tongue)}.",
        f"{head_en[0].upper()}{head_en[1:]} with the {'lowest' if ascending else 'highest'} {kind}{metric} {period}: "
        f"{listing(evidence, tongue)}.",
    )
    bounds = conditions.bounds(tongue) if conditions is not None else ()
    sentences = [Sentence(text, (*evidence, *figures.kind(), *bounds))]
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
    conditions = await Conditions.load(asked, facts, tongue)
    for part in conditions.parts:
        if not part.figures.values:
            return nothing_stored(replace(asked, metric=part.figures.measure.name), facts, tongue, part.figures.scope)
    first = conditions.first
    found = conditions.meeting()
    names = [name for name in first.ranked(ascending=conditions.ascending) if name in found]
    names += sorted(found - set(names))
    sentences: list[Sentence] = []
    if names:
        shown = names[: min(asked.limit or MOST_LISTED, MOST_LISTED)]
        evidence = await first.of_each(shown)
        count, total = await conditions.count(facts, tongue), await first.count()
        counts = (count, total) if count is not None and total is not None and count.value == len(names) else None
        sentences.append(_found(asked, conditions, tongue, counts, evidence, cut=shown != names))
        others = {part.figures.measure: part.figures for part in conditions.parts if part.figures.measure != first.measure}
        for figures in others.values():
            more = await figures.of_each(shown)
            label = tongue.metric(figures.measure.name)
            text = tongue.say(f"{label}: {listing(more, tongue)}.", f"Their {label}: {listing(more, tongue)}.")
            sentences.append(Sentence(text, tuple(more)))
    else:
        sentences.append(_none(asked, conditions, tongue, await first.of_each([conditions.nearest()])))
    if note := missing_note(first.missing, asked, tongue):
        sentences.append(note)
    return Draft(tuple(sentences))


def _found(
    asked: Interpretation,
    conditions: Conditions,
    tongue: Tongue,
    counts: tuple[Evidence, Evidence] | None,
    shown: list[Evidence],
    *,
    cut: bool,
) -> Sentence:
    """How many servers meet the conditions, of how many, and which; without the counts when they cannot be proved."""
    period, of_whom, whom = tongue.period(asked.time), whose(asked, tongue), conditions.before_noun(tongue)
    listed = listing(shown, tongue) + (tongue.say(" 등", " and others") if cut else "")
    proof = (*shown, *conditions.bounds(tongue))
    past = asked.time.kind != "now"
    if counts is None:
        text = tongue.say(
            f"{period} {whom} {of_whom}서버: {listed}.",
            f"{of_whom.capitalize()}{'servers' if of_whom else 'Servers'} with {whom} {period}: {listed}.",
        )
        return Sentence(text, proof)
    few, many = (tongue.number(each.value, "servers") for each in counts)
    verb = "had" if past else "has" if counts[0].value == 1 else "have"
    text = tongue.say(
        f"{period} {whom} {of_whom}서버는 {many} 가운데 {few}{'였습니다' if past else '입니다'}: {listed}.",
        f"{few.split()[0]} of {many.replace(' ', f' {of_whom}', 1)} {verb} {whom} {period}: {listed}.",
    )
    return Sentence(text, (*counts, *proof))


def _none(asked: Interpretation, conditions: Conditions, tongue: Tongue, nearest: list[Evidence]) -> Sentence:
    """That no server meets the conditions, and which one comes nearest to it."""
    period, of_whom, whom = tongue.period(asked.time), whose(asked, tongue), conditions.before_noun(tongue)
    past = asked.time.kind != "now"
    metric = tongue.metric(conditions.first.measure.name)
    subject = tongue.with_particle(metric, "이", "가")
    several = len({part.figures.measure for part in conditions.parts}) > 1
    end = tongue.say("낮은", "lowest") if conditions.ascending else tongue.say("높은", "highest")
    if not conditions.one_sided:
        end = tongue.say("가까운", "nearest")
    told = ", ".join(f"{item.servers[0]} {tongue.number(item.value, item.unit)}" for item in nearest)
    text = tongue.say(
        f"{period} {whom} {of_whom}서버는 {'없었습니다' if past else '없습니다'}"
        f" ({f'{subject} ' if several else ''}가장 {end} 서버: {told}).",
        f"No {of_whom}server {'had' if past else 'has'} {whom} {period} ({end}{f' {metric}' if several else ''}: {told}).",
    )
    return Sentence(text, (*nearest, *conditions.bounds(tongue)))
