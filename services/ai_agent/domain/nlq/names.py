"""Finding servers by name in a question: exactly, by how people write and pronounce names, and through typos.

A guess is acted on only when it is clear: the digits agree and the best name is well ahead of the second. Otherwise the name
counts as unknown and the nearest names are offered.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz import fuzz, process

from services.ai_agent.domain.interpretation import UnknownServer
from services.ai_agent.domain.nlq.lexicon import Lexicon
from services.ai_agent.domain.nlq.segment import TAKEN, Token, segment
from services.ai_agent.domain.nlq.text import normalise
from services.ai_agent.domain.ports import Inventory, names_of

TYPO_SCORE, TYPO_GAP, SUGGESTION_SCORE = 80.0, 5.0, 55.0
_CANDIDATE = re.compile(r"(?<![a-z0-9_])[a-z0-9][a-z0-9_.:-]*")
_TYPED_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*-\d+")
_GAP = re.compile(r"[ -]")
_WORD = re.compile(r"(?<![a-z0-9])[a-z]{2,}(?![a-z0-9])|[가-힣]{2,}")
_PARTS = re.compile(r"[a-z]+|\d+|[가-힣]+")
_HOST_LIKE = re.compile(r"[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)+|[a-z]{2,}\d{1,4}")
_NOT_HOST = re.compile(
    r"p\d+|i/o|load\d+|top-?\d+|[a-z]+\d*_[a-z0-9_]+|\d.*|q\d|h\d+|e\.g|i\.e|ipv\d|utf-?\d+|sha\d+|md5|x86|arm64|covid-?\d+|mp\d"
)
_AFTER_NUMBER = r"(?!\s*(?:개|대|곳|군데|%|퍼센트|프로|시|분|초|일|달|주|월|percent|servers?|hosts?|nodes?|machines?|gb|mb|ms)(?![a-z]))(?![\d.]*\d)"
_GENERIC = r"(?:\s*(?:server|host|machine|node|box|instance|서버|호스트|노드|장비|머신|인스턴스))?"


@dataclass(frozen=True)
class FoundNames:
    """Names found, and the text with their places taken."""

    text: str
    tokens: tuple[Token, ...] = ()
    unknown: tuple[UnknownServer, ...] = ()


@dataclass(frozen=True)
class NameIndex:
    """The names of all servers, by every form they may be written in."""

    names: Mapping[str, str]
    keys: Mapping[str, str]
    prefixes: frozenset[str]
    pronounced: Mapping[str, tuple[str, ...]]
    spoken: re.Pattern[str]
    by_part: Mapping[str, frozenset[str]]
    literal: tuple[tuple[re.Pattern[str], str], ...]
    other_words: frozenset[str]

    @classmethod
    def build(cls, inventory: Inventory, lexicon: Lexicon) -> "NameIndex":
        """Index the names of the servers; a form that two of them share stands for neither."""
        servers = names_of(inventory.servers)
        names = {unicodedata.normalize("NFKC", name).lower(): name for name in servers}
        shorts = _unique((form.split(".")[0], name) for form, name in names.items() if re.match(r"[^.]*[^\d.:]", form))
        keys = _unique((key, name) for name in servers for key in {_key(name.lower()), _key(name.lower().split(".")[0])})
        pronounced = {
            form.replace(" ", ""): sorted({role, *(other for other in forms if other.isascii() and other.isalpha())})
            for role, forms in lexicon.roles.items()
            for form in forms
        }
        prefixes = frozenset(match[0] for name in names if (match := re.match(r"[a-z]+", name)))
        spaced = {form for forms in lexicon.roles.values() for form in forms}
        words = sorted({*pronounced, *spaced, *(prefix for prefix in prefixes if len(prefix) > 1)}, key=len, reverse=True)
        spoken = re.compile(
            rf"(?<![a-z0-9가-힣])(?P<word>{'|'.join(re.escape(word).replace(chr(92) + ' ', r'[ -]?') for word in words)}){_GENERIC}"
            rf"(?P<sep>\s*[-_#]\s*|\s*)(?P<number>\d{{1,4}}){_AFTER_NUMBER}(?P<mark>\s*(?:번째|번|호기|호))?"
        )
        by_part: dict[str, set[str]] = {}
        for name in (name for name in servers if " " not in name):  # words with spaces are ordinary words too often
            for part in re.findall(r"[a-z]{2,}", name.lower()):
                by_part.setdefault(part, set()).add(name)
        odd = _unique((form, name) for name in servers if _is_odd(form := normalise(name), lexicon))
        short = [(_short(form), name) for form, name in sorted(names.items()) if re.fullmatch("[a-z]{1,2}", form)]
        return cls(
            names=shorts | names,
            keys=keys,
            prefixes=prefixes,
            pronounced={word: tuple(forms) for word, forms in pronounced.items()},
            spoken=spoken,
            by_part={part: frozenset(found) for part, found in by_part.items()},
            literal=(
                *((_literal(form), name) for form, name in sorted(odd.items(), key=lambda pair: (-len(pair[0]), pair[0]))),
                *short,
            ),
            other_words=frozenset(word.lower() for server in inventory.servers for word in (server.role, server.site)),
        )

    def find(self, text: str, lexicon: Lexicon) -> FoundNames:
        """Every server name in the normalised text."""
        tokens: list[Token] = []
        unknown: list[UnknownServer] = []

        def take(start: int, end: int, name: str, kind: str = "name") -> None:
            nonlocal text
            tokens.append(Token(kind, name, start, end, text[start:end]))
            text = text[:start] + TAKEN * (end - start) + text[end:]

        for pattern, name in self.literal:
            for match in list(pattern.finditer(text)):
                take(match.start(), match.end(), name)
        for match in list(_CANDIDATE.finditer(text)):
            word = match[0].rstrip(".:-_")
            if exact := self._exact(word, lexicon):
                take(match.start(), match.start() + len(word), exact)
        for match in list(_CANDIDATE.finditer(text)):
            word = match[0].rstrip(".:-_")
            if _TYPED_NAME.fullmatch(word) and word not in self.other_words and (guess := self._typo(word)):
                take(match.start(), match.start() + len(word), guess)
        for start, end, name in self._by_parts(text, lexicon):
            take(start, end, name)
        for match in list(self.spoken.finditer(text)):
            if TAKEN in match[0]:
                continue
            found = self._spoken_name(match)
            if found is not None:
                take(match.start(), match.end(), found)
            elif match["mark"] or ("-" in match["sep"]):
                said = (
                    f"{self.pronounced.get(match['word'], (match['word'],))[0]}-{match['number']}"
                    if not match["word"].isascii()
                    else match[0]
                )
                unknown.append(self._suggest(said.strip()))
                take(match.start(), match.end(), said, "unknown_name")
        for match in list(_CANDIDATE.finditer(text)):
            word = match[0].rstrip(".:-_")
            if TAKEN in match[0] or _NOT_HOST.fullmatch(word) or word in self.other_words or self._known_word(word, lexicon):
                continue
            if guess := self._typo(word):
                take(match.start(), match.start() + len(word), guess)
            elif _HOST_LIKE.fullmatch(word) and (
                any(char.isdigit() for char in word) or re.split(r"[-_.]", word)[0] in self.prefixes
            ):
                unknown.append(self._suggest(word))
                take(match.start(), match.start() + len(word), word, "unknown_name")
        return FoundNames(text, tuple(sorted(tokens, key=lambda token: token.start)), tuple(unknown))

    def _exact(self, word: str, lexicon: Lexicon) -> str | None:
        if word.isalpha() and not self._may_be_name(word, lexicon):
            return None
        if word in self.names:
            return self.names[word]
        return self.keys.get(_key(word)) if re.search(r"[a-z]", word) and re.search(r"\d", word) else None

    def _by_parts(self, text: str, lexicon: Lexicon) -> list[tuple[int, int, str]]:
        """Neighbouring words that only one name has among its parts: "primary db" for db-primary-seoul-1."""
        words = [(match.start(), match.end(), self._part(match[0], lexicon)) for match in _WORD.finditer(text)]
        found: list[tuple[int, int, str]] = []
        place = 0
        while place < len(words):
            for size in (3, 2):
                window = words[place : place + size]
                parts = {part for _, _, part in window if part}
                gaps = [text[one[1] : other[0]] for one, other in pairwise(window)]
                if len(window) < size or len(parts) < size or any(gap.strip(" -_") for gap in gaps):
                    continue
                names = frozenset.intersection(*(self.by_part[part] for part in parts))
                if len(names) == 1:
                    found.append((window[0][0], window[-1][1], next(iter(names))))
                    place += size - 1
                    break
            place += 1
        return found

    def _part(self, word: str, lexicon: Lexicon) -> str:
        """The part of a name that the word spells, in either script; empty when there is none."""
        if word in self.by_part:
            return word
        spelled = next((latin for form, latin in lexicon.spellings.items() if word.startswith(form)), "")
        forms = (spelled, *self.pronounced.get(word, ()))
        return next((form for form in forms if form in self.by_part), "")

    def _spoken_name(self, match: re.Match[str]) -> str | None:
        word = _GAP.sub("", match["word"])
        forms = (word, *self.pronounced.get(word, ()))
        found = {self.keys[key] for form in forms if (key := _key(f"{form}{match['number']}")) in self.keys}
        return found.pop() if len(found) == 1 else None

    def _typo(self, word: str) -> str | None:
        if len(word) < 4 or not self.names or not re.search(r"[a-z]", word):
            return None
        digits = _digits(word)
        prefix = re.match(r"[a-z]+", word)
        kept = prefix[0] if prefix and (prefix[0] in self.prefixes or prefix[0] in self.pronounced) else ""
        # "db-01" where there is only lb-01 is no slip: a prefix that says something itself stays what it is.
        pool = [name for name in self.names if _digits(name) == digits and name.startswith(kept)]
        floor = TYPO_SCORE if digits else 86.0
        hits = process.extract(word, pool, scorer=fuzz.ratio, limit=3, score_cutoff=SUGGESTION_SCORE)
        targets: dict[str, float] = {}
        for form, score, _ in hits:
            targets[self.names[form]] = max(score, targets.get(self.names[form], 0.0))
        ranked = sorted(targets.items(), key=lambda item: -item[1])
        if not ranked or ranked[0][1] < floor or (len(ranked) > 1 and ranked[0][1] - ranked[1][1] < TYPO_GAP):
            return None
        return ranked[0][0]

    def _suggest(self, word: str) -> UnknownServer:
        hits = process.extract(word, list(self.names), scorer=fuzz.ratio, limit=6, score_cutoff=SUGGESTION_SCORE)
        ordered = [form for form, _, _ in sorted(hits, key=lambda hit: (-hit[1], hit[0]))]
        prefix = re.match(r"[a-z]+(?=[^a-z])", word)
        kin = [form for form in self.names if prefix and form.startswith(prefix[0]) and not form[len(prefix[0]) :][:1].isalpha()]
        near = [form for form in ordered if form in kin] + sorted(set(kin) - set(ordered)) + ordered
        return UnknownServer(word, tuple(dict.fromkeys(self.names[form] for form in near))[:3])

    @staticmethod
    def _may_be_name(word: str, lexicon: Lexicon) -> bool:
        """A server called "vm" is meant by "vm", one called "server" or "cpu" is not."""
        kinds = {entry.kind for end, entry in lexicon.matches(word, 0) if end == len(word)}
        return not kinds or (kinds == {"server"} and word not in ("server", "servers", "host", "hosts", "node", "nodes"))

    @staticmethod
    def _known_word(word: str, lexicon: Lexicon) -> bool:
        return bool(word) and any(end == len(word) for end, _ in lexicon.matches(word, 0))


def _is_odd(form: str, lexicon: Lexicon) -> bool:
    """Whether a name is found only as it is written: no plain word, nor words that a question has for other things."""
    if not form or (_CANDIDATE.fullmatch(form) and form[-1] not in ".:-_"):
        return False
    plain = all(char.isalnum() or char == " " for char in form)
    return not (
        plain and form.isascii() and all(token.kind != "unknown" or token.surface.isdigit() for token in segment(form, lexicon))
    )


def _literal(form: str) -> re.Pattern[str]:
    """The name as it is written, where it is not a piece of something longer; Korean particles may follow it."""
    before = r"(?<![a-z0-9_.:/\\-])" if form[0].isalnum() else r"(?<![^\s(\"'])"
    after = r"(?![a-z0-9_]|[.:/\\-][a-z0-9])"
    if not form[-1].isalnum():
        after = rf"(?!{re.escape(form[-1])})(?=$|[\s가-힣?!.,;)\"'])"
    return re.compile(f"{before}{re.escape(form)}{after}")


def _short(form: str) -> re.Pattern[str]:
    """A name of one or two letters, which may be a word as well ("a"), where nothing but a name can stand."""
    return re.compile(
        rf"(?:(?<= of )|(?<= for )|(?<= on )){form}(?=\s*[?.!]*$)|(?<=[\"']){form}(?=[\"'])|(?<![a-z0-9_.:/\\-]){form}(?=의|\s?서버의?\s)"
    )


def _key(name: str) -> str:
    """`web-01`, `web01`, `web_1` and `web 1` as one: the letters and numbers, without what stands between."""
    return "|".join(part.lstrip("0") or "0" if part.isdigit() else part for part in _PARTS.findall(name))


def _digits(word: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", word))


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    shared: set[str] = set()
    for key, name in pairs:
        if found.setdefault(key, name) != name:
            shared.add(key)
    return {key: name for key, name in found.items() if key not in shared}
