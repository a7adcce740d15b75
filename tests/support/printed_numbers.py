"""An outsider's check of an answer: every number that it prints is some figure of its evidence, rounded as printed.

It shares nothing with the product's own verifier. Digits inside names of servers, dates and clock times are no figures.
"""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

_DATE_OR_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?)?|\d{1,2}:\d{2}(?::\d{2})?|\d{1,2}월 \d{1,2}일|\d{1,2}시(?!간)"
)
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


def unproved_numbers(text: str, values: Iterable[float], names: Iterable[str]) -> list[str]:
    """The printed numbers that none of the values rounds to."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "◦")
    text = _DATE_OR_TIME.sub("◦", text)
    exact = [Decimal(value) for value in values]
    return [printed for printed in _NUMBER.findall(text) if not any(_prints_as(value, printed) for value in exact)]


def _prints_as(value: Decimal, printed: str) -> bool:
    number = Decimal(printed.replace(",", ""))
    return value.quantize(Decimal(1).scaleb(int(number.as_tuple().exponent)), ROUND_HALF_EVEN) == number
