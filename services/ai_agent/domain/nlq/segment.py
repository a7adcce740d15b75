"""Cutting a question into known words: the cheapest way through a lattice of words, particles, endings and unknown stretches.

Korean is written with particles and endings fixed to words and with spaces left out at will, so words are not found by
splitting at spaces. Every known form is an edge of cost 1, every particle or ending that follows a word one of cost 0.3, and
what nobody knows costs 3 and more; the cheapest path (Viterbi 1967) is the reading. A known form of one syllable counts only
in a stretch that is known as a whole, so that the 램 (RAM) in 프로그램 (program) is not one.
"""

import re
from dataclasses import dataclass

from services.ai_agent.domain.nlq.lexicon import Lexicon

_HANGUL = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]+")
_LATIN = re.compile(r"[a-z][a-z0-9_]*(?:[._/-][a-z0-9_]+)*|[a-z0-9_]+")
_SPACE, _WORD, _MORPHEME, _UNKNOWN = range(4)
_WORD_COST, _MORPHEME_COST, _UNKNOWN_COST, _UNKNOWN_SYLLABLE_COST, _SYMBOL_COST = 1.0, 0.3, 3.0, 1.0, 0.05
TAKEN = "\ue000"
"""Stands in the text for what an earlier pass has taken (names, numbers, times)."""


@dataclass(frozen=True)
class Token:
    """A piece of the question and what it stands for; `kind` is a table of the lexicon, or unknown, number, name, time."""

    kind: str
    value: str
    start: int
    end: int
    surface: str
    number: float | None = None
    unit: str | None = None

    @property
    def is_korean(self) -> bool:
        """Whether it is written in Hangul."""
        return bool(_HANGUL.search(self.surface))


@dataclass(frozen=True)
class _Step:
    cost: float
    previous: tuple[int, int] | None
    token: Token | None
    long: bool = True


def segment(text: str, lexicon: Lexicon) -> list[Token]:
    """The tokens of the normalised text in order; particles, endings and punctuation are left out."""
    best: dict[tuple[int, int], _Step] = {(0, _SPACE): _Step(0.0, None, None)}
    for position in range(len(text)):
        for state in (_SPACE, _WORD, _MORPHEME, _UNKNOWN):
            step = best.get((position, state))
            if step is not None:
                _extend(text, lexicon, best, position, state, step)
    end = min(((state, best[len(text), state]) for state in range(4) if (len(text), state) in best), key=lambda item: item[1].cost)
    tokens: list[Token] = []
    key: tuple[int, int] | None = (len(text), end[0])
    while key is not None:
        step = best[key]
        if step.token is not None:
            tokens.append(step.token)
        key = step.previous
    return tokens[::-1]


def _extend(text: str, lexicon: Lexicon, best: dict[tuple[int, int], _Step], position: int, state: int, step: _Step) -> None:
    def offer(end: int, to: int, cost: float, token: Token | None, long: bool = True) -> None:
        key, total = (end, to), step.cost + cost
        if key not in best or total < best[key].cost - 1e-9:
            best[key] = _Step(total, (position, state), token, long)

    char = text[position]
    if char == TAKEN:
        offer(position + 1, _WORD, 0.0, None)
        return
    known = lexicon.matches(text, position)
    for end, entry in known:
        if state == _UNKNOWN and (not entry.is_korean or end - position < 2):
            continue
        surface = text[position:end]
        syllables = sum(1 for letter in surface if letter != " ")
        cost = _WORD_COST - 0.01 * syllables + (0.5 if state == _UNKNOWN else 0.0)
        long = syllables >= 2 or not entry.is_korean
        offer(end, _WORD, cost, Token(entry.kind, entry.value, position, end, surface), long)
    if char == " ":
        offer(position + 1, _SPACE, 0.0, None)
        return
    if hangul := _HANGUL.match(text, position):
        if state in (_WORD, _MORPHEME):
            for form in lexicon.morphemes.get(char, ()):
                if text.startswith(form, position):
                    offer(position + len(form), _MORPHEME, _MORPHEME_COST - 0.02 * len(form), None, step.long)
        if state == _UNKNOWN or (state in (_WORD, _MORPHEME) and not step.long):
            return
        ends = [hangul.end()] if state != _SPACE else range(position + 1, hangul.end() + 1)
        for end in ends:
            surface = text[position:end]
            penalty = _UNKNOWN_COST + _UNKNOWN_SYLLABLE_COST * len(surface) - (2.0 if state != _SPACE else 0.0)
            offer(end, _UNKNOWN if end < hangul.end() else _WORD, penalty, Token("unknown", "", position, end, surface))
    elif latin := _LATIN.match(text, position):
        surface = latin[0]
        offer(latin.end(), _WORD, _UNKNOWN_COST + 0.5, _unknown_latin(surface, position, latin.end(), lexicon))
    elif not known:
        offer(position + 1, _SPACE, _SYMBOL_COST, None)


def _unknown_latin(surface: str, start: int, end: int, lexicon: Lexicon) -> Token:
    entry = lexicon.typo(surface)
    if entry is not None:
        return Token(entry.kind, entry.value, start, end, surface)
    return Token("unknown", "", start, end, surface)


def correct_korean(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """Unknown Korean stretches that are one slip away from a known noun become it."""
    corrected = []
    for token in tokens:
        entry = lexicon.typo(token.surface) if token.kind == "unknown" and token.is_korean else None
        corrected.append(Token(entry.kind, entry.value, token.start, token.end, token.surface) if entry else token)
    return corrected
