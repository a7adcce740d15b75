"""Numbers written as words, in both languages, turned into digits where they count something."""

import re

_ONES = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS = {
    word: 10 * number
    for number, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_TENS["fourty"] = 40
_ENGLISH = re.compile(
    rf"\b(?:(?P<hundred>a|one|two|three|four|five|six|seven|eight|nine) hundred(?: and)?(?: (?=(?:{'|'.join([*_ONES, *_TENS])})\b))?)?"
    rf"(?:(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<unit>one|two|three|four|five|six|seven|eight|nine))?|(?P<ones>{'|'.join(_ONES)}))?\b"
)
# "one" is a pronoun unless something countable follows: "which one", "one hour".
_COUNTED = re.compile(
    r"\s*(?:percent|per cent|%|hours?|hrs?|minutes?|mins?|seconds?|days?|weeks?|months?|servers?|hosts?|machines?|nodes?|boxes|ms|o'clock|am|pm)\b"
)

_SINO = {"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9}
_SINO_UNITS = {"십": 10, "백": 100, "천": 1000}
_NATIVE_ONES = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "넷": 4, "네": 4, "넉": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8,
    "여덜": 8, "아홉": 9,
}  # fmt: skip
_NATIVE_TENS = {"열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80, "아흔": 90}
_SINO_COUNTERS = "퍼센트|퍼센|프로|%|분|초|일|주일|주|개월|월|밀리초|도|등|위|시간|대|개|메가|기가"
_NATIVE_COUNTERS = "개|대|곳|군데|시간|시|달|주|가지|번|퍼센트|프로|서버|노드|호스트|등|배"
_SINO_NUMBER = re.compile(rf"(?<![가-힣0-9])([일이삼사오육칠팔구십백천영공]+)(?=\s*(?:{_SINO_COUNTERS})(?![가-힣]*서버실))")
_BEFORE_COMPARISON = re.compile(
    r"(?<![가-힣0-9])((?:[이삼사오육칠팔구]?백)?[이삼사오육칠팔구]?십[일이삼사오육칠팔구]?)(?=\s*(?:을|를|이|도|보다)?\s*(?:넘|이상|이하|미만|초과|아래|밑|높|낮))"
)
_NATIVE_NUMBER = re.compile(
    rf"(?<![가-힣])((?:{'|'.join(_NATIVE_TENS)})?(?:{'|'.join(sorted(_NATIVE_ONES, key=len, reverse=True))})?)(?=\s*(?:{_NATIVE_COUNTERS}))"
)
_NATIVE_ALONE = re.compile(
    rf"(?<![가-힣])((?:{'|'.join(_NATIVE_TENS)})?(?:하나|둘|셋|넷|다섯|여섯|일곱|여덟|아홉)|열|스물)만(?![가-힣])"
)
_KOREAN_DECIMAL = re.compile(r"(?<=\d)\s*점\s*([일이삼사오육칠팔구영])(?=\s*(?:퍼센트|프로|%))")
# Words that begin like a counted number: 이번(this time), 일주일 is a week, 세대, 사이, 이대로, 오분, 구분.
_NOT_COUNTED = ("이번", "이대로", "세대", "일분석", "사이", "구분", "이개월전")

_BEFORE_A_COUNT = ("상위", "하위", "서버", "탑", "톱")


def spelled_to_digits(text: str) -> str:
    """Replace spelled numbers ("seventy five percent", "구십 프로", "열 개") by digits; other words stay as they are."""
    text = _ENGLISH.sub(_english, text)
    text = _SINO_NUMBER.sub(_sino, text)
    text = _BEFORE_COMPARISON.sub(_sino, text)
    text = _NATIVE_NUMBER.sub(_native, text)
    text = _NATIVE_ALONE.sub(_native_alone, text)
    return _KOREAN_DECIMAL.sub(lambda match: f".{_SINO[match[1]]}", text)


def _english(match: re.Match[str]) -> str:
    words = match[0]
    if not words.strip():
        return words
    after = match.string[match.end() :]
    if match["hundred"] is None and (match["ones"] in ("one", "zero")) and not _COUNTED.match(after):
        return words
    if match["hundred"] == "a" and not _COUNTED.match(after):
        return words
    total = 0
    if match["hundred"]:
        total += 100 * (1 if match["hundred"] == "a" else _ONES[match["hundred"]])
    if match["tens"]:
        total += _TENS[match["tens"]] + (_ONES[match["unit"]] if match["unit"] else 0)
    if match["ones"]:
        total += _ONES[match["ones"]]
    return str(total)


def _sino(match: re.Match[str]) -> str:
    if match.string.startswith(_NOT_COUNTED, match.start()):
        return match[0]
    total, digit = 0, 0
    for syllable in match[1]:
        if syllable in _SINO_UNITS:
            total += (digit or 1) * _SINO_UNITS[syllable]
            digit = 0
        else:
            digit = digit * 10 + _SINO[syllable]
    return str(total + digit)


def _native(match: re.Match[str]) -> str:
    ranked = match.string[: match.start()].rstrip().endswith(_BEFORE_A_COUNT)  # "상위 세대" counts, "차세대" does not
    if not match[1] or (match.string.startswith(_NOT_COUNTED, match.start()) and not ranked):
        return match[0]
    return str(_native_value(match[1]))


def _native_alone(match: re.Match[str]) -> str:
    return f"{_native_value(match[1])}개만"


def _native_value(word: str) -> int:
    for tens, value in _NATIVE_TENS.items():
        if word.startswith(tens):
            rest = word[len(tens) :]
            return value + (_NATIVE_ONES[rest] if rest else 0)
    return _NATIVE_ONES[word]
