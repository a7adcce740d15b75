"""What an answer adds when something is missing: names nobody has, servers without samples, metrics that are not stored."""

from collections.abc import Sequence

from services.ai_agent.domain.answer.figures import Facts
from services.ai_agent.domain.answer.model import Draft, Sentence
from services.ai_agent.domain.answer.tongue import Tongue
from services.ai_agent.domain.interpretation import Interpretation
from services.ai_agent.domain.measures import Scope


def unknown_name_notes(asked: Interpretation, tongue: Tongue) -> tuple[Sentence, ...]:
    """One sentence for each name that no server has."""
    notes = []
    for unknown in asked.unknown_servers:
        text = tongue.say(
            f"{tongue.with_particle(unknown.name, '이라는', '라는')} 이름의 서버는 없습니다.",
            f"No server is called {unknown.name}.",
        )
        if unknown.suggestions:
            nearest = tongue.names(unknown.suggestions)
            text += tongue.say(f" 혹시 다음 서버를 찾으시나요: {nearest}?", f" Did you mean one of these: {nearest}?")
        notes.append(Sentence(text))
    return tuple(notes)


def unread_time_note(asked: Interpretation, tongue: Tongue) -> Sentence:
    """That the question names a time that cannot be; figures of another time would pass for those asked about."""
    words = ", ".join(f"“{words}”" for words in asked.unread_times)
    return Sentence(
        tongue.say(
            f"{words}: 읽을 수 있는 과거의 시각이 아니어서 다른 시각의 값으로 대신 답하지 않았습니다.",
            f"{words} is no past time that I can read, so I did not answer for another one.",
        )
    )


def ignored_note(asked: Interpretation, tongue: Tongue) -> tuple[Sentence, ...]:
    """The words and numbers that the answer does not heed."""
    words = [word for word in asked.not_understood if len(word) > 1 or word.isdigit()]
    dashed = [word for word in asked.understood if word == f"-{asked.limit}"]
    if dashed and not words:
        said = tongue.say("“-”는 빼기가 아니라 줄표로 읽었습니다", "The minus was read as a dash")
        return (Sentence(f"{said}: “{dashed[0]}”."),)
    if not words:
        return ()
    listed = ", ".join(f"“{word}”" for word in words[:5])
    return (Sentence(tongue.say(f"이해하지 못해 반영하지 않은 말: {listed}.", f"Not understood, so not heeded: {listed}.")),)


def missing_note(missing: Sequence[str], asked: Interpretation, tongue: Tongue) -> Sentence | None:
    """Which servers have no value; unknown is not zero."""
    if not missing:
        return None
    names, period = tongue.names(missing, 5), tongue.period(asked.time)
    return Sentence(
        tongue.say(
            f"{period} 값이 없어 알 수 없는 서버: {names}.", f"Unknown, for they have no samples {_at(asked, tongue)}: {names}."
        )
    )


def nothing_stored(asked: Interpretation, facts: Facts, tongue: Tongue, scope: Scope) -> Draft:
    """The question was understood, and there is nothing to answer it with."""
    metric = tongue.metric(asked.metric or "cpu")
    whose = tongue.names([server.name for server in facts.within(scope)]) if scope.servers else ""
    if not facts.inventory.servers:
        return Draft((no_servers(tongue),))
    if not scope.servers and not facts.within(scope):
        return Draft((no_such_servers(scope, tongue),))
    text = tongue.say(
        f"{tongue.period(asked.time)} {f'{whose}의 ' if whose else ''}{metric} 자료가 저장되어 있지 않아 답할 수 없습니다.",
        f"There are no samples of {metric}{f' of {whose}' if whose else ''} {_at(asked, tongue)}, so nothing can be said.",
    )
    return Draft((Sentence(text),))


def no_servers(tongue: Tongue) -> Sentence:
    """Nothing is watched yet."""
    return Sentence(tongue.say("아직 지표를 보낸 서버가 없습니다.", "No server has sent samples yet."))


def no_such_servers(scope: Scope, tongue: Tongue) -> Sentence:
    """No server has the role, or the role at the site, that was asked about."""
    names = tongue.names((*scope.sites, *scope.roles))
    return Sentence(tongue.say(f"{names}에 해당하는 서버는 없습니다.", f"There are no {names} servers."))


def _at(asked: Interpretation, tongue: Tongue) -> str:
    return tongue.say("", "right now") if asked.time.kind == "now" else tongue.period(asked.time)
