"""Change within a window: `rate`, `increase`, `delta`, `irate`, `idelta`, `deriv`, `predict_linear`.

Each function takes `Windows` and gives values and presence [n, steps]; a window needs two samples.
"""

import numpy as np

from services.metrics.domain.ports import MaskArray, ValueArray
from services.metrics.domain.promql.values import Grid, IndexArray, Windows
from services.metrics.domain.promql.windows import Count, State, centre, fold, reduce


def rate(windows: Windows) -> Grid:
    """Increase of a counter per second."""
    return _extrapolated(windows, counter=True, per_second=True)


def increase(windows: Windows) -> Grid:
    """Increase of a counter over the window."""
    return _extrapolated(windows, counter=True)


def delta(windows: Windows) -> Grid:
    """Change of a gauge over the window."""
    return _extrapolated(windows, counter=False)


def _extrapolated(windows: Windows, *, counter: bool, per_second: bool = False) -> Grid:
    """Change between the first and the last sample, stretched to the edges of the window as Prometheus 2.x does.

    A side is stretched to the edge when a sample could be missing there (distance below 1.1 times the mean distance of
    samples), otherwise by half a mean distance. A counter never stretches to before the time at which it was zero.
    """
    first, last, present = _ends(windows)
    start_value, end_value = windows.values[first], windows.values[last]
    start_ms, end_ms = windows.timestamps_ms[first], windows.timestamps_ms[last]
    change = end_value - start_value
    if counter:
        change = change + _lost_in_resets(windows)
    sampled = (end_ms - start_ms) / 1000.0
    to_start = (start_ms - windows.starts_ms) / 1000.0
    to_end = (windows.ends_ms - end_ms) / 1000.0
    distance = sampled / np.maximum(windows.counts - 1, 1)
    if counter:
        to_zero = sampled * (start_value / change)
        to_start = np.where((change > 0) & (start_value >= 0) & (to_zero < to_start), to_zero, to_start)
    threshold = distance * 1.1
    stretched = sampled + np.where(to_start < threshold, to_start, distance / 2)
    stretched = stretched + np.where(to_end < threshold, to_end, distance / 2)
    factor = stretched / sampled
    if per_second:
        factor = factor / ((windows.ends_ms - windows.starts_ms) / 1000.0)
    return change * factor, present


def _lost_in_resets(windows: Windows) -> ValueArray:
    """What a counter had counted before it fell, summed over the falls inside each window."""
    before, after = windows.values[:-1], windows.values[1:]
    lost = np.concatenate(([0.0], np.where(after < before, before, 0.0)))
    # Falls between two series lie at the first sample of a window, which is left out.
    low = np.minimum(windows.low + 1, windows.high)
    return reduce(np.add, lost, low, windows.high, 0.0) if lost.any() else np.zeros(low.shape)


def irate(windows: Windows) -> Grid:
    """Increase of a counter per second between the last two samples."""
    before, after, seconds, present = _last_two(windows)
    return np.where(after < before, after, after - before) / seconds, present


def idelta(windows: Windows) -> Grid:
    """Difference of the last two samples."""
    before, after, _, present = _last_two(windows)
    return after - before, present


def _last_two(windows: Windows) -> tuple[ValueArray, ValueArray, ValueArray, MaskArray]:
    _, last, present = _ends(windows)
    previous = np.where(present, last - 1, last)
    seconds = (windows.timestamps_ms[last] - windows.timestamps_ms[previous]) / 1000.0
    return windows.values[previous], windows.values[last], seconds, present


def deriv(windows: Windows) -> Grid:
    """Slope per second of the least-squares line."""
    slope, _, _, present = _least_squares(windows)
    return slope, present


def predict_linear(windows: Windows, seconds: ValueArray) -> Grid:
    """Value of the least-squares line `seconds` (f64[steps]) after the evaluation time."""
    slope, mean_time, mean_value, present = _least_squares(windows)
    ahead = (windows.times_ms - _origin_ms(windows)) / 1000.0 + seconds
    return mean_value + slope * (ahead - mean_time), present


def _least_squares(windows: Windows) -> tuple[ValueArray, ValueArray, ValueArray, MaskArray]:
    """Slope, mean time (seconds after `_origin_ms`) and mean value of each window; centred moments, merged by blocks."""

    def merge(left: State, left_size: Count, right: State, right_size: Count) -> State:
        time_delta, value_delta = right[0] - left[0], right[1] - left[1]
        share = right_size / (left_size + right_size)
        weight = left_size * share
        return (
            left[0] + time_delta * share,
            left[1] + value_delta * share,
            left[2] + right[2] + time_delta * time_delta * weight,
            left[3] + right[3] + time_delta * value_delta * weight,
        )

    seconds = (windows.timestamps_ms - _origin_ms(windows)) / 1000.0
    zeros = np.zeros(len(seconds))
    # No line goes through an infinite sample.
    values, reference = centre(np.where(np.isinf(windows.values), np.nan, windows.values), windows.low)
    leaves = (seconds, values, zeros, zeros)
    mean_time, mean_value, times, products = fold(leaves, merge, windows.low, windows.high, (0.0, 0.0, 0.0, 0.0))
    return products / times, mean_time, mean_value + reference[:, None], windows.counts >= 2


def _origin_ms(windows: Windows) -> int:
    """A time near the samples: seconds since then keep their digits."""
    return int(windows.timestamps_ms[0]) if len(windows.timestamps_ms) else 0


def _ends(
    windows: Windows,
) -> tuple[
    IndexArray,
    IndexArray,
    MaskArray,
]:
    """Index of the first and last sample of each window with two samples (0 elsewhere), and which those are."""
    present = windows.counts >= 2
    return np.where(present, windows.low, 0), np.where(present, windows.high - 1, 0), present
