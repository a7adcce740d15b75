"""Which parts of the past a store lacks."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from services.metrics.domain.ports import TimeArray

Range = tuple[int, int]
"""Unix milliseconds: the first inclusive, the second exclusive."""

_JOIN_STEPS: Final = 30
"""Ranges closer together than this many steps are one: asking again for a little costs less than asking often."""


def missing_ranges(times_ms: TimeArray, start_ms: int, end_ms: int, step_ms: int) -> list[Range]:
    """Where a series has no sample at a step.

    Steps stand at the multiples of `step_ms` in start_ms <= step < end_ms; live samples, which come more densely, stand there as well.

    Args:
        times_ms: i64[m], times of the samples, ascending; those before and after the range do no harm.
        start_ms: first time, inclusive.
        end_ms: last time, exclusive.
        step_ms: distance between steps.

    Returns:
        Ascending ranges that hold all steps without a sample, and others where those are few between such steps.
    """
    steps = np.arange(-(-start_ms // step_ms) * step_ms, end_ms, step_ms, dtype=np.int64)
    if len(times_ms):
        place = np.minimum(np.searchsorted(times_ms, steps), len(times_ms) - 1)
        steps = steps[times_ms[place] != steps]
    if not len(steps):
        return []
    cuts = np.flatnonzero(np.diff(steps) > _JOIN_STEPS * step_ms)
    firsts = steps[np.append(0, cuts + 1)].tolist()
    lasts = steps[np.append(cuts, len(steps) - 1)].tolist()
    return [(first, min(last + step_ms, end_ms)) for first, last in zip(firsts, lasts, strict=True)]


def windows_back(start_ms: int, end_ms: int, size_ms: int) -> Iterator[Range]:
    """The range in windows of at most this size, the newest first."""
    while end_ms > start_ms:
        begin_ms = max(start_ms, end_ms - size_ms)
        yield begin_ms, end_ms
        end_ms = begin_ms
