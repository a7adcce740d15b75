"""Numbers in a question, and what each one counts: percent, other units, how many servers, or nothing in particular."""

import re

from services.ai_agent.domain.nlq.segment import TAKEN, Token

# At most fifteen digits: what is longer is no quantity, and a double could not hold it.
_NUMBER = r"(?P<number>\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,9})?|\d{1,15}(?:\.\d{1,9})?|\.\d{1,9})(?![\d,]*\d)"
_UNITS: tuple[tuple[str, str, float], ...] = (
    # (pattern, unit, factor to the unit)
    (r"%p?|퍼센트|퍼센|프로(?![가-힣]{2})|percent(?:age)?(?![a-z])|per cent(?![a-z])|pct(?![a-z])|퍼(?![가-힣])", "percent", 1),
    (r"ms(?![a-z])|milliseconds?(?![a-z])|millis(?![a-z])|밀리초|밀리세컨드", "ms", 1),
    (r"s(?![a-z])|secs?(?![a-z])|seconds?(?![a-z])|초", "ms", 1000),
    (r"gbps(?![a-z])|gbit/s|기가비트", "bytes", 1e9 / 8),
    (r"mbps(?![a-z])|mbit/s|메가비트", "bytes", 1e6 / 8),
    (r"kbps(?![a-z])|kbit/s", "bytes", 1e3 / 8),
    (r"(?:gb|gib|gigabytes?|기가바이트|기가)(?:/s|/sec|ps)?(?![a-z])", "bytes", 1e9),
    (r"(?:mb|mib|megabytes?|메가바이트|메가)(?:/s|/sec|ps)?(?![a-z])", "bytes", 1e6),
    (r"(?:kb|kib|kilobytes?|킬로바이트|킬로)(?:/s|/sec|ps)?(?![a-z])", "bytes", 1e3),
    (r"(?:bytes?|바이트)(?:/s)?(?![a-z])", "bytes", 1),
    (r"°c|℃|도(?=\s|$|[가-힣]|[?.!,])(?!커)|degrees?(?: celsius)?(?![a-z])", "celsius", 1),
    (
        r"개만|개(?!월)|대(?=$|[\s가-힣?.!,])(?!비|시)|곳|군데|등까지|위까지|기(?=\s|$)"
        r"|(?=(?:(?:[a-z]+ )?(?:servers?|hosts?|machines?|nodes?|boxes|instances?|vms?|ones)(?![a-z])))|(?=서버|노드|호스트|장비|머신)",
        "count",
        1,
    ),
)
_SPACE = r"\s*"
_PATTERNS = tuple(
    (re.compile(rf"(?<![a-z0-9_.:])(?<![a-z]-){_NUMBER}{_SPACE}(?:{unit})"), name, factor) for unit, name, factor in _UNITS
)
_BARE = re.compile(rf"(?<![a-z0-9_.:]){_NUMBER}(?P<plus>\s?\+)?(?![a-z0-9_]|:\d)")
_MINUS = re.compile(r"(?:^|(?<![\d%\ue000])\s|[<>=])-$")
"""A sign, not the dash of a range: nothing that could be a lower bound stands before it."""
_PLUS = re.compile(r"\s?\+")


def find_numbers(text: str) -> tuple[str, list[Token]]:
    """The text with the places of its numbers taken, and the numbers; `number` is in `unit`, None when there is no unit."""
    tokens: list[Token] = []

    def take(match: re.Match[str], unit: str | None, factor: float) -> None:
        nonlocal text
        end = match.end()
        plus = _PLUS.match(text, end)
        value = "plus" if plus or match.groupdict().get("plus") else ""
        end = plus.end() if plus else end
        negative = _MINUS.search(text, 0, match.start()) is not None
        start = match.start() - negative
        number = float(match["number"].replace(",", "")) * (-factor if negative else factor)
        tokens.append(Token("number", value, start, end, text[start:end].strip(), number, unit))
        text = text[:start] + TAKEN * (end - start) + text[end:]

    for pattern, unit, factor in _PATTERNS:
        for match in list(pattern.finditer(text)):
            if TAKEN not in text[match.start() : match.end()]:
                take(match, unit, factor)
    for match in list(_BARE.finditer(text)):
        take(match, None, 1.0)
    return text, sorted(tokens, key=lambda token: token.start)
