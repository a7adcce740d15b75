"""Answers to "how much": the figure of one server, of several, or over all of them."""

from dataclasses import replace

from services.ai_agent.domain.answer.conditions import GROWING, Conditions
from services.ai_agent.domain.answer.figures import Facts, Figures, listing, measure_in, percentile, scope_of, whose, window_of
from services.ai_agent.domain.answer.model import Draft, Evidence, Sentence
from services.ai_agent.domain.answer.notes import missing_note, nothing_stored
from services.ai_agent.domain.answer.tongue import Tongue
from services.ai_agent.domain.interpretation import Aggregation, Interpretation

MOST_NAMED, MOST_METRICS = 10, 4


async def answer_value(asked: Interpretation, facts: Facts, tongue: Tongue) -> Draft:
    """The figures that the question asks for, one metric after the other."""
    first = await _of_one(asked, facts, tongue)
    others = [await _of_one(replace(asked, metric=metric), facts, tongue) for metric in asked.more_metrics[:MOST_METRICS]]
    return Draft(tuple(dict.fromkeys(sentence for draft in (first, *others) for sentence in draft.sentences)))


async def _of_one(asked: Interpretation, facts: Facts, tongue: Tongue) -> Draft:
    # A threshold over a stretch of time is met by one moment, so the figure told is the one that decides.
    reach: Aggregation = "avg" if not asked.conditions else "max" if asked.conditions[0].op in GROWING else "min"
    figures = await Figures.load(facts, tongue, measure_in(asked, facts), scope_of(asked), window_of(asked, reach))
    if not figures.values:
        return nothing_stored(asked, facts, tongue, figures.scope)
    if asked.servers:
        return await _named(asked, figures, tongue)
    return await _over_all(asked, figures, tongue)


async def _named(asked: Interpretation, figures: Figures, tongue: Tongue) -> Draft:
    evidence = await figures.of_each([name for name in asked.servers if name in figures.values][:MOST_NAMED])
    sentences = [Sentence(_one(asked, item, figures, tongue), (item, *figures.kind())) for item in evidence]
    if asked.conditions and evidence:
        conditions = await Conditions.load(asked, figures.facts, tongue)
        sentences.insert(0, _verdict(conditions, evidence, tongue))
    if note := missing_note(figures.missing, asked, tongue):
        sentences.append(note)
    return Draft(tuple(sentences))


def _one(asked: Interpretation, item: Evidence, figures: Figures, tongue: Tongue) -> str:
    name, number = item.servers[0], tongue.number(item.value, item.unit)
    metric = tongue.metric(figures.measure.name)
    kind = f"{tongue.aggregation(figures.window.aggregation)} " if figures.window else ""
    period = tongue.period(asked.time)
    if tongue.lang == "ko":
        topic = tongue.with_particle(metric, "은", "는")
        return f"{period} {name}의 {kind}{topic} {number}{'입니다' if asked.time.kind == 'now' else '였습니다'}."
    return f"The {kind}{metric} of {name} {'is' if asked.time.kind == 'now' else 'was'} {number} {period}."


def _verdict(conditions: Conditions, evidence: list[Evidence], tongue: Tongue) -> Sentence:
    """Whether the named servers meet the conditions."""
    names = {item.servers[0] for item in evidence} & conditions.meeting()
    told, proof = conditions.as_noun(tongue), conditions.bounds(tongue)
    one, have = len(evidence) == 1, "had" if conditions.past else "have"
    if len(names) == len(evidence):
        holder = f"it {'had' if conditions.past else 'has'}" if one else f"all {have}"
        return Sentence(tongue.say(f"네, 기준({told})에 해당합니다.", f"Yes, {holder} {told}."), proof)
    if not names:
        holder = f"it {'did' if conditions.past else 'does'} not have" if one else f"none {'had' if conditions.past else 'has'}"
        return Sentence(tongue.say(f"아니요, 기준({told})에 해당하지 않습니다.", f"No, {holder} {told}."), proof)
    listed = tongue.names(sorted(names))
    verb = "has" if len(names) == 1 and not conditions.past else have
    return Sentence(tongue.say(f"기준({told})에 해당하는 서버: {listed}.", f"Of these {listed} {verb} {told}."), proof)


async def _over_all(asked: Interpretation, figures: Figures, tongue: Tongue) -> Draft:
    aggregation: Aggregation = asked.aggregation or "avg"
    overall, count = await figures.across(aggregation), await figures.count()
    sentences: list[Sentence] = []
    if overall is not None and count is not None:
        number, many = tongue.number(overall.value, overall.unit), tongue.number(count.value, "servers")
        metric, kind, period = tongue.metric(figures.measure.name), tongue.aggregation(aggregation), tongue.period(asked.time)
        of_whom = whose(asked, tongue)
        ending, verb = ("입니다", "is") if asked.time.kind == "now" else ("였습니다", "was")
        text = tongue.say(
            f"{period} {of_whom}서버 {many}의 {kind} {tongue.with_particle(metric, '은', '는')} {number}{ending}.",
            f"The {kind} {metric} of {many.replace(' ', f' {of_whom}', 1)} {verb} {number} {period}.",
        )
        level = (percentile(figures.facts, tongue),) if aggregation == "p95" else ()
        sentences.append(Sentence(text, (overall, count, *level)))
    if asked.by_role and not asked.roles:
        sentences += await _by_role(figures, tongue, aggregation)
    if len(set(figures.values.values())) > 1:
        ends = await figures.of_each([figures.ranked(ascending=False)[0], figures.ranked(ascending=True)[0]])
        if len(ends) == 2:
            text = tongue.say(
                f"가장 높은 서버는 {listing(ends[:1], tongue)}, 가장 낮은 서버는 {listing(ends[1:], tongue)}입니다.",
                f"The highest is {listing(ends[:1], tongue)}, the lowest {listing(ends[1:], tongue)}.",
            )
            sentences.append(Sentence(text, tuple(ends)))
    if note := missing_note(figures.missing, asked, tongue):
        sentences.append(note)
    return Draft(tuple(sentences))


async def _by_role(figures: Figures, tongue: Tongue, aggregation: Aggregation) -> list[Sentence]:
    """The same figure for the servers of each role."""
    roles = sorted({server.role for server in figures.facts.within(figures.scope) if server.role})
    found: list[tuple[str, Evidence]] = []
    for role in roles:
        of_role = replace(figures, scope=replace(figures.scope, roles=(role,)))
        evidence = await of_role.across(aggregation)
        if evidence is not None:
            found.append((role, replace(evidence, claim=f"{role} {evidence.claim}")))
    if not found:
        return []
    listed = ", ".join(f"{role} {tongue.number(item.value, item.unit)}" for role, item in found)
    return [
        Sentence(
            tongue.say(f"역할별 {tongue.aggregation(aggregation)}: {listed}.", f"By role: {listed}."),
            (*(item for _, item in found), *((percentile(figures.facts, tongue),) if aggregation == "p95" else ())),
        )
    ]
