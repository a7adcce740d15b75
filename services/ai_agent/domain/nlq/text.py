"""The question as the grammar reads it: one form for what people type in many."""

import re
import unicodedata

from services.ai_agent.domain.interpretation import Language
from services.ai_agent.domain.nlq.numbers import spelled_to_digits

_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "~": "~", "〜": "~"})
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060\ufeff\u00ad]")
_SHORT_FORMS = (
    (re.compile(r"\bcan't\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"(?<=[a-z])n't\b"), " not"),
    (re.compile(r"\b(what|who|how|where|when|which|that|there|it|let)'s\b"), r"\1 is"),
    (re.compile(r"\bwhats\b"), "what is"),
    (re.compile(r"\bhows\b"), "how is"),
    (re.compile(r"(?<=[a-z])'re\b"), " are"),
    (re.compile(r"(?<=[a-z])'(?:ve|ll|d|m)\b"), " "),
    (re.compile(r"(?<=[a-z0-9])'s\b"), ""),
)
_LONG_FORMS = (
    (re.compile(r"(?<![\d.])1 ?(?:위|등)?(?:부터|에서|~|-) ?(\d{1,4}) ?(?:위|등)(?:까지)?"), r"상위 \1개"),
    (re.compile(r"\bhalf a second\b|(?<![가-힣0-9])반 ?초(?=$|[^가-힣]|이|가|를|보)"), "500ms"),
    (re.compile(r"(?<![a-z])(top|bottom)[-#]?(?=\d)"), r"\1 "),
    (re.compile(r"\bthree[ -]quarters?\b|4분의 ?3|사분의 ?삼"), "75%"),
    (re.compile(r"\ba quarter\b(?! (?:hour|past|to|of an hour))|4분의 ?1|사분의 ?일"), "25%"),
    (
        re.compile(r"\b(?:a )?half\b(?! (?:an |a )?(?:hour|day|year|past))|절반|(?<![가-힣])반(?= ?(?:이상|넘|이하|미만|초과))"),
        "50%",
    ),
)
_HANGUL = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]")
_LATIN = re.compile(r"[a-z]")
_ENGLISH_GRAMMAR = re.compile(
    r"\b(?:what|which|who|how|why|when|where|is|are|was|were|do|does|did|the|of|in|on|for|with|by|me|my|our|show|list|tell|give|any|please)\b"
)


def normalise(text: str) -> str:
    """Lower case, NFKC (full-width forms, decomposed jamo), plain quotes and dashes, long forms, digits for spelled numbers."""
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).lower().translate(_QUOTES)
    for pattern, long_form in _SHORT_FORMS:
        text = pattern.sub(long_form, text)
    text = re.sub(r"\s+", " ", text).strip()
    for pattern, long_form in _LONG_FORMS:
        text = pattern.sub(long_form, text)
    return spelled_to_digits(text)


def detect_language(text: str) -> Language | None:
    """Language by the share of Hangul; None when the text has letters of neither."""
    text = unicodedata.normalize("NFKC", text).lower()
    hangul = len(_HANGUL.findall(text))
    if not hangul:
        return "en" if _LATIN.search(text) else None
    # Names, metrics and units are Latin in Korean questions too, so only English grammar speaks for English.
    return "ko" if hangul > 2 * len(_ENGLISH_GRAMMAR.findall(text)) else "en"
