"""The words that the grammar knows, read once from the table `lexicon.toml` beside this file."""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from rapidfuzz import process
from rapidfuzz.distance import OSA

_HANGUL = re.compile(r"[가-힣]")
_DOUBLED = re.compile(r"(.)\1+")
_PLURAL_KINDS = frozenset({"metric", "server", "role"})
_HANGUL_BASE, _JUNG, _JONG = 0xAC00, 21, 28


@dataclass(frozen=True)
class Entry:
    """One meaning of a surface form."""

    kind: str
    value: str
    surface: str

    @property
    def is_korean(self) -> bool:
        """Whether the form is written in Hangul."""
        return bool(_HANGUL.search(self.surface))


@dataclass(frozen=True)
class Lexicon:
    """Surface forms by their first character, longest first, and what is derived from them.

    `morphemes` may follow a Korean word, `words` and `korean_words` may be mistyped, `roles` are the forms of each role,
    `spellings` give the Latin form of words that names are made of, forms of `weak` are words of everyday life too, and words of
    `guard` are no typos of anything.
    """

    by_first: Mapping[str, tuple[tuple[re.Pattern[str], Entry], ...]]
    morphemes: Mapping[str, tuple[str, ...]]
    words: Mapping[str, Entry]
    korean_words: Mapping[str, Entry]
    roles: Mapping[str, frozenset[str]]
    spellings: Mapping[str, str]
    weak: frozenset[str]
    guard: frozenset[str]

    def matches(self, text: str, start: int) -> list[tuple[int, Entry]]:
        """(end, entry) of every form that stands at `start`; a form of Latin letters only as a whole word."""
        found = []
        for pattern, entry in self.by_first.get(text[start], ()):
            if match := pattern.match(text, start):
                found.append((match.end(), entry))
        return found

    def typo(self, word: str) -> Entry | None:
        """The one form that `word` is a slip of: one edit in five letters, or two neighbours swapped in four."""
        if word in self.guard or word in self.words:
            return None
        if _HANGUL.search(word):
            return self._korean_typo(word)
        once = self.words.get(_DOUBLED.sub(r"\1", word))
        if once is not None and once.kind in _PLURAL_KINDS and len(once.surface) >= 3:
            return once  # a key that was held: "cpuu"
        if len(word) < 4 or not word.isalpha():
            return None
        hits = process.extract(word, list(self.words), scorer=OSA.distance, limit=8, score_cutoff=1 if len(word) < 10 else 2)
        near = [(form, distance) for form, distance, _ in hits if form[0] == word[0] and len(form) >= 4]
        nearest = [form for form, distance in near if distance == min(each for _, each in near)]
        # Of forms equally near the one for a thing that is measured is meant: "severs" is servers, not severe.
        named = [form for form in nearest if self.words[form].kind in _PLURAL_KINDS] or nearest
        if not named or any(self._differ(named[0], form) for form in named):
            return None
        form = named[0]
        if min(len(form), len(word)) < 5 and sorted(form) != sorted(word) and len(form) != len(word) + 1:
            return None
        return self.words[form]

    def _korean_typo(self, word: str) -> Entry | None:
        if len(word) < 3:
            return None
        jamo = decompose(word)
        for form, entry in self.korean_words.items():
            for tail in range(3):  # up to two syllables of particle
                part = word[: len(word) - tail] if tail else word
                if len(part) >= 3 and abs(len(part) - len(form)) <= 1 and OSA.distance(decompose(part), decompose(form)) == 1:
                    return entry
        return self.korean_words.get(jamo)

    def _differ(self, one: str, other: str) -> bool:
        first, second = self.words[one], self.words[other]
        return (first.kind, first.value) != (second.kind, second.value)


def decompose(text: str) -> str:
    """Hangul syllables as letters (jamo), so that one slip of the finger is one edit."""
    letters = []
    for char in text:
        code = ord(char) - _HANGUL_BASE
        if 0 <= code < 11172:
            letters += [
                chr(0x1100 + code // (_JUNG * _JONG)),
                chr(0x1161 + code // _JONG % _JUNG),
                *([chr(0x11A7 + code % _JONG)] if code % _JONG else []),
            ]
        else:
            letters.append(char)
    return "".join(letters)


@functools.cache
def load_lexicon() -> Lexicon:
    """The lexicon that comes with the suite."""
    document = tomllib.loads(resources.files(__package__).joinpath("lexicon.toml").read_text(encoding="utf-8"))
    guard, weak = frozenset(document.pop("guard")["word"]), frozenset(document.pop("weak")["word"])
    spelled = document.pop("spelling")
    spellings = {form: latin for latin, forms in spelled.items() for form in sorted(forms, key=len, reverse=True)}
    morphemes = sorted({form for forms in document.pop("function").values() for form in forms}, key=len, reverse=True)
    entries: list[Entry] = []
    for kind, table in document.items():
        for value, forms in table.items():
            entries += [Entry(kind, value, form) for form in forms]
            if kind in _PLURAL_KINDS:
                entries += [
                    Entry(kind, value, f"{form}s")
                    for form in forms
                    if form[-1].isascii() and form[-1].isalpha() and form[-1] != "s"
                ]
    by_first: dict[str, list[tuple[re.Pattern[str], Entry]]] = {}
    for entry in sorted(entries, key=lambda entry: len(entry.surface), reverse=True):
        by_first.setdefault(entry.surface[0], []).append((_pattern(entry.surface), entry))
    by_syllable: dict[str, list[str]] = {}
    for form in morphemes:
        by_syllable.setdefault(form[0], []).append(form)
    roles: dict[str, set[str]] = {}
    for entry in entries:
        if entry.kind == "role":
            roles.setdefault(entry.value, {entry.value}).add(entry.surface)
    single = [entry for entry in reversed(entries) if " " not in entry.surface]
    return Lexicon(
        by_first={first: tuple(found) for first, found in by_first.items()},
        morphemes={first: tuple(found) for first, found in by_syllable.items()},
        words={entry.surface: entry for entry in single if not entry.is_korean and entry.surface.isalpha() and entry.kind != "ood"},
        korean_words={
            entry.surface: entry
            for entry in single
            if entry.kind in ("metric", "server", "role") and len(entry.surface) >= 3 and entry.is_korean
        },
        roles={role: frozenset(forms) for role, forms in roles.items()},
        spellings=spellings,
        weak=weak,
        guard=guard,
    )


def _pattern(surface: str) -> re.Pattern[str]:
    korean = bool(_HANGUL.search(surface))
    gap = r"\s*" if korean else r"[\s-]+"
    body = gap.join(re.escape(part) for part in surface.split(" "))
    before = r"(?<![a-z0-9_])" if surface[0].isascii() and surface[0].isalnum() else ""
    after = r"(?![a-z0-9_])" if surface[-1].isascii() and surface[-1].isalnum() else ""
    return re.compile(before + body + after)
