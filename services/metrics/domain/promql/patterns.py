"""Regular expressions of queries: RE2 in PromQL, Python's `re` here.

The two agree but for the constructs refused below. Python's engine backtracks, so that a pattern can be made to run for ages;
a group that repeats or branches inside must therefore not repeat itself, and the number of repetitions is limited.
"""

import re
from functools import lru_cache
from typing import Final

from services.metrics.domain.promql.errors import BadDataError

MAX_REPETITIONS: Final = 10
_NOT_COMMON: Final = re.compile(r"\\[pPQECAZzG1-9]|\[\[:|\[\^\[:|\(\?(?!:|P<|[ims]+[:)])")
_PIECE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()|]|[*+?]|\{\d+(?:,\d*)?\}", re.DOTALL)


@lru_cache(maxsize=1024)
def check_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern compiled; match whole values with `fullmatch`.

    Raises:
        BadDataError: it is not a regular expression, or one that is not supported.
    """
    uncommon = _NOT_COMMON.search(pattern)
    if uncommon is not None:
        raise BadDataError(f"regular expression {pattern!r}: {uncommon.group()} is not supported")
    _check_cost(pattern)
    try:
        return re.compile(pattern, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadDataError(f"invalid regular expression {pattern!r}: {error}") from error


def _check_cost(pattern: str) -> None:
    groups = [False]  # for each open group, whether it repeats or branches inside
    closed = False  # the same of the group that ended just before
    repetitions = 0
    for piece in _PIECE.finditer(pattern):
        sign = piece.group()
        after_group = closed and pattern[piece.start() - 1] == ")"
        if sign == "(":
            groups.append(False)
        elif sign == ")" and len(groups) > 1:
            closed = groups.pop()
            groups[-1] |= closed
        elif sign == "|":
            groups[-1] = True
        elif sign[0] in "*+?{" and pattern[piece.start() - 1 : piece.start()] != "(":
            repetitions += 1
            if after_group and sign != "?":
                raise BadDataError(
                    f"regular expression {pattern!r}: repetition of a group that repeats or branches is not supported"
                )
            groups[-1] = True
    if repetitions > MAX_REPETITIONS:
        raise BadDataError(f"regular expression {pattern!r}: more than {MAX_REPETITIONS} repetitions are not supported")
