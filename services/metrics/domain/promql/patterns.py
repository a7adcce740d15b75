"""Regular expressions in queries are RE2's; they run on Python's engine, which the store guards against running away."""

import re
from typing import Final

from services.common.errors import InvalidArgumentError
from services.metrics.domain.matching import compile_pattern
from services.metrics.domain.promql.errors import BadDataError

_PYTHON_ONLY: Final = re.compile(r"\[\^?\[:|\(\?(?!:|P<|[ims]+[:)])|[*+?}]\+|\{,|\\[AZ]")
"""What Python reads otherwise than RE2, or RE2 does not know: POSIX classes, lookaround, possessive repetition, other flags."""


def check_pattern(text: str) -> re.Pattern[str]:
    """The pattern compiled; match whole values with `fullmatch`.

    Raises:
        BadDataError: it is not a regular expression, or one that is not supported.
    """
    found = _PYTHON_ONLY.search(text)
    if found is not None:
        raise BadDataError(f"regular expression {text[:80]!r}: {found.group()} is not supported")
    try:
        return compile_pattern(text)
    except InvalidArgumentError as error:
        raise BadDataError(error.message) from error
