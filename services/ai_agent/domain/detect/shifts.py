"""Where a new level begins, in noise or in a column that wanders.

The signal at a row is the level of the rows from it on minus the level of the rows before it. Levels are means of clipped values
or medians of three, so a single spike does not move them and their differences are close to normal whatever the noise is; a shift
fills a good part of its own window, therefore the tail is not learnt here but set, and only the scale comes from the middle.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from services.ai_agent.domain.detect.marks import BAND_Z, SHIFT, Flags, Floats, Ints, Marks, no_marks
from services.ai_agent.domain.detect.normal import tail_score
from services.ai_agent.domain.detect.robust import middle_and_spread, spread
from services.ai_agent.domain.detect.tails import Tails

_SPANS: Final = (3, 10, 25)
_ROWS_PER_SPAN: Final = 24
_CLIP: Final = 4.0
"""Values count as at most this many spreads from the median where a mean is taken."""
_H_OF_MEANS: Final = 0.05
_H_OF_MEDIANS: Final = 0.15
_SCALE_MARGIN: Final = 1.5
"""Standard errors that the scale is raised by; that of its logarithm is about one over the root of the independent values."""


def find_shifts(values: Floats, expected: Floats, least_change: Floats, unusable: Flags, z_limit: float) -> Marks:
    """Shifts of columns, `column` counting the rows of `values`.

    Args:
        values: float64[d, n] without their baseline, no NaN.
        expected: float64[d, n], the baseline.
        least_change: float64[d], differences that matter to nobody.
        unusable: bool[d, n], rows around which levels mean nothing.
        z_limit: normal score beyond which a step is a shift.
    """
    steps = _calmest_steps(values)
    if steps is None:
        return no_marks()
    signal, span = steps
    signal[unusable] = 0.0
    independent = values.shape[1] / (2.0 * span)
    centre, width = middle_and_spread(signal)
    distance = signal - centre[:, None]
    scale = np.maximum(width * np.exp(_SCALE_MARGIN / np.sqrt(independent)), least_change / 3.0)
    sides = np.repeat(scale[:, None], 2, axis=1)
    h = np.repeat(np.where(span > _SPANS[0], _H_OF_MEANS, _H_OF_MEDIANS)[:, None], 2, axis=1)
    tails = Tails(centre, sides, h, sides, h)
    row = np.arange(values.shape[1])
    inside = (row >= span[:, None]) & (row <= values.shape[1] - span[:, None])
    out = (np.abs(distance) > tails.reach(z_limit)[:, :1]) & inside & ~unusable
    if not out.any():
        return no_marks()
    for each in np.flatnonzero(out.any(axis=1)):
        out[each] = _peaks(out[each], distance[each])
    column, row = np.nonzero(out)
    far = distance[column, row]
    score = tail_score(tails.z_scores(column, (far > 0).astype(np.int64), np.abs(far)))
    before = [np.median(values[c, r - int(span[c]) : r]) for c, r in zip(column, row, strict=True)]
    level = expected[column, row] + np.array(before)
    # The band of the old level never reaches the new one.
    half = np.minimum(np.maximum(spread(values)[column], scale[column]) * BAND_Z, np.abs(far) * 0.9)
    kind = np.full(row.size, SHIFT, dtype=np.int64)
    return Marks(row, column, kind, score, level + signal[column, row], level - half, level + half)


def _calmest_steps(values: Floats) -> tuple[Floats, Floats] | None:
    """(signal, span) of each column over the span in which it is calmest; the signal is 0 at the ends. None for few rows."""
    count = values.shape[1]
    spans = [span for span in _SPANS if count >= span * _ROWS_PER_SPAN]
    if not spans:
        return None
    signal = _median_steps(values)
    span = np.full(len(values), float(spans[0]))
    calmness = spread(signal)
    if len(spans) > 1:
        centre, width = middle_and_spread(values)
        reach = _CLIP * width[:, None]
        sums = np.zeros((len(values), count + 1))
        np.cumsum(np.clip(values, centre[:, None] - reach, centre[:, None] + reach), axis=1, out=sums[:, 1:])
        for wide in spans[1:]:
            wide_signal = _mean_steps(sums, wide)
            wide_calmness = spread(wide_signal)
            better = wide_calmness < calmness
            calmness = np.where(better, wide_calmness, calmness)
            span = np.where(better, float(wide), span)
            signal = np.where(better[:, None], wide_signal, signal)
    return signal, span


def _median_steps(values: Floats) -> Floats:
    a, b, c = values[:, :-2], values[:, 1:-1], values[:, 2:]
    median = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    signal = np.zeros_like(values)
    signal[:, 3:-2] = median[:, 3:] - median[:, :-3]
    return signal


def _mean_steps(sums: Floats, span: int) -> Floats:
    """Steps between the means of `span` rows, from running sums of the clipped values."""
    signal = np.zeros((len(sums), sums.shape[1] - 1))
    means = (sums[:, span:] - sums[:, :-span]) / span
    signal[:, span : sums.shape[1] - span] = means[:, span:] - means[:, :-span]
    return signal


def _peaks(out: Flags, distance: Floats) -> npt.NDArray[np.bool_]:
    """Of each run of rows beyond the limit, the row that is furthest beyond."""
    edges: Ints = np.flatnonzero(np.diff(np.concatenate([[False], out, [False]]).astype(np.int8)))
    peaks = np.zeros_like(out)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        peaks[start + int(np.argmax(np.abs(distance[start:end])))] = True
    return peaks
